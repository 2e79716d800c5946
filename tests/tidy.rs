//! The house rules, held in milliseconds: each is a function over a path and its text, and each
//! is proven on a planted breach.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// A file below `src/`.
struct Source {
    /// Its path below `src/`, such as `engine/cache/evict.rs`.
    path: String,
    /// What it holds.
    text: String,
    /// The text with comments, strings and character literals blanked; every byte that is left
    /// stands where it stood.
    code: String,
    /// Where the module of tests begins, or the end.
    tests: usize,
}

/// A rule answers the byte at which it is broken, and how.
type Rule = fn(&Source) -> Vec<(usize, String)>;

const RULES: [(&str, Rule); 11] = [
    ("imports go down only", imports),
    ("a face holds modules only", face),
    ("a file begins with its sentence", sentence),
    ("a file has at most 400 lines before its tests", file_length),
    ("a function has at most 70 lines", function_length),
    ("a line has at most 100 columns", line_length),
    ("nothing is left over", leftovers),
    ("a file is named for the thing it is about", name),
    ("the deciding part has no I/O, clock or threads", pure),
    ("engines lend and do not share", lending),
    ("tests stand last", tests_last),
];

/// What each room may use beside itself.
const ROOMS: [(&str, &[&str]); 10] = [
    ("base", &[]),
    ("config", &["base"]),
    ("wire", &["base"]),
    ("store", &["base"]),
    ("engine", &["base", "config", "wire"]),
    ("node", &["base", "config", "wire", "engine"]),
    ("host", &["base", "config", "engine"]),
    ("net", &["base", "config", "wire", "store", "node"]),
    ("daemon", &["base", "config", "wire", "store", "engine", "node", "host", "net"]),
    ("main", &["daemon"]),
];

/// Rooms whose files and folders do not know each other.
const COLUMNS: [&str; 2] = ["engine", "net"];

/// What the columns of a room stand on: they may know it, it knows none of them.
const GROUND: &str = "ground";

/// What `net` may know of `node`: what goes in and what comes out.
const NET_OF_NODE: [&str; 6] = ["disk", "event", "peering", "report", "status", "trouble"];

/// Crates that are not to be in the binary.
const BANNED: [&str; 5] = ["tokio", "openssl", "openssl-sys", "aws-lc-rs", "aws-lc-sys"];

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let code = code(text);
        let mark = |at: &usize| {
            let rest = text[at + "#[cfg(test)]".len()..].trim_start();
            rest.starts_with("mod ") || rest.starts_with("pub mod ")
        };
        let mut marks = code.match_indices("#[cfg(test)]").map(|(at, _)| at);
        let tests = marks.find(mark).unwrap_or(text.len());
        Self { path: path.into(), text: text.into(), code, tests }
    }

    /// The code before the tests.
    fn body(&self) -> &str {
        &self.code[..self.tests]
    }

    /// Every place of a word in the code before the tests.
    fn places<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        places(self.body(), word)
    }

    /// The room that the file belongs to.
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The path of its module: `engine`, `cache`, `evict`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').collect()
    }

    fn is_face(&self) -> bool {
        self.path == "lib.rs" || self.path == "mod.rs" || self.path.ends_with("/mod.rs")
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count()
    }

    /// Every breach of every rule, one line each.
    fn breaches(&self) -> String {
        let mut out = String::new();
        for (title, rule) in RULES {
            for (at, what) in rule(self) {
                let line = self.line(at);
                writeln!(out, "src/{}:{line}: {what} ({title})", self.path).expect("a String");
            }
        }
        out
    }
}

/// Section 3 of the design: the import table, siblings, and the two narrow doors.
fn imports(source: &Source) -> Vec<(usize, String)> {
    if source.path == "lib.rs" {
        return Vec::new();
    }
    let from = source.room();
    let uses = ROOMS.iter().find(|(room, _)| *room == from).map(|(_, uses)| *uses);
    let Some(uses) = uses else {
        return vec![(0, format!("'{from}' is no room of the house"))];
    };
    let mut breaches = Vec::new();
    for (at, path) in paths(source) {
        let to = path.first().map_or("", String::as_str);
        let shown = path.join("::");
        let second = path.get(1).map_or("", String::as_str);
        if to == from {
            let own = source.module().get(1).copied().unwrap_or_default().to_owned();
            let alien = second != own && second != GROUND;
            if COLUMNS.contains(&from) && !source.is_column_face() && alien {
                breaches.push((at, format!("'{own}' knows its sibling {shown}")));
            }
        } else if !uses.contains(&to) {
            breaches.push((at, format!("'{from}' uses {shown}")));
        } else if from == "net" && to == "node" && !NET_OF_NODE.contains(&second) {
            breaches.push((at, format!("'net' uses {shown}, not only what goes in and comes out")));
        } else if from == "host" && to == "engine" && !is_reading(&path) {
            breaches.push((at, format!("'host' uses {shown}, not only the readings")));
        }
    }
    breaches
}

impl Source {
    /// Whether it is the face of a whole room of columns, `engine/mod.rs`.
    fn is_column_face(&self) -> bool {
        self.module().len() == 1
    }
}

fn is_reading(path: &[String]) -> bool {
    path.iter().any(|part| part.to_lowercase().starts_with("reading"))
}

/// `mod.rs` and `lib.rs`: a text, modules, and what the compiler is told.
fn face(source: &Source) -> Vec<(usize, String)> {
    let mut at = 0;
    let mut breaches = Vec::new();
    for line in source.text.split_inclusive('\n').filter(|_| source.is_face()) {
        let told = line.trim();
        let module = told.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        let is_module = module.starts_with("mod ") && module.ends_with(';');
        let is_text = told.is_empty() || told.starts_with("//!") || told.starts_with("///");
        if !is_module && !is_text && !told.starts_with("#![") && !told.starts_with("#[cfg(") {
            breaches.push((at, format!("a face holds: {told}")));
        }
        at += line.len();
    }
    breaches
}

fn sentence(source: &Source) -> Vec<(usize, String)> {
    let good = source.text.starts_with("//! ");
    if good { Vec::new() } else { vec![(0, "the first line is no '//! ...'".into())] }
}

fn file_length(source: &Source) -> Vec<(usize, String)> {
    let lines = source.body().lines().count();
    if lines <= 400 { Vec::new() } else { vec![(source.tests - 1, format!("{lines} lines"))] }
}

fn function_length(source: &Source) -> Vec<(usize, String)> {
    let mut breaches = Vec::new();
    for at in source.places("fn") {
        let rest = &source.body()[at + 2..];
        if !rest.starts_with(' ') {
            // `fn(u8) -> u8` is a type.
            continue;
        }
        let Some(end) = end_of_function(rest) else { continue };
        let lines = rest[..end].lines().count();
        if lines > 70 {
            let name: String = rest.trim().chars().take_while(|c| is_word(*c)).collect();
            breaches.push((at, format!("{name} has {lines} lines")));
        }
    }
    breaches
}

/// The byte behind a function's last brace; none where it has no body.
fn end_of_function(rest: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, b) in rest.bytes().enumerate() {
        match b {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            b';' if brackets == 0 && braces == 0 => return None,
            _ => {}
        }
    }
    None
}

fn line_length(source: &Source) -> Vec<(usize, String)> {
    let mut at = 0;
    let mut breaches = Vec::new();
    for line in source.text.split_inclusive('\n') {
        let columns = line.trim_end_matches('\n').chars().count();
        if columns > 100 {
            breaches.push((at, format!("{columns} columns")));
        }
        at += line.len();
    }
    breaches
}

fn leftovers(source: &Source) -> Vec<(usize, String)> {
    let mut breaches = Vec::new();
    for word in ["dbg", "todo", "unimplemented"] {
        let calls =
            places(&source.code, word).filter(|at| source.code[at + word.len()..].starts_with('!'));
        breaches.extend(calls.map(|at| (at, format!("{word}! is left over"))));
    }
    let unwraps = places(&source.code, "unwrap");
    let unwraps = unwraps.filter(|at| source.code[..*at].trim_end().ends_with('.'));
    breaches.extend(unwraps.map(|at| (at, "unwrap() does not say what it expects".into())));
    breaches.extend(source.places("unsafe").map(|at| (at, "unsafe code".into())));
    breaches
}

fn name(source: &Source) -> Vec<(usize, String)> {
    let vague = ["util", "utils", "common", "helper", "helpers", "manager", "types", "misc"];
    let module = source.module();
    let found = module.iter().find(|part| vague.contains(part));
    found.map(|part| (0, format!("nothing is called '{part}'"))).into_iter().collect()
}

/// Law 6: `engine`, `node` and `wire` are handed `now` and bytes.
fn pure(source: &Source) -> Vec<(usize, String)> {
    if !["engine", "node", "wire"].contains(&source.room()) {
        return Vec::new();
    }
    let mut breaches = Vec::new();
    for word in ["async", "await", "TcpStream", "TcpListener", "UdpSocket", "smol"] {
        breaches.extend(source.places(word).map(|at| (at, format!("{word} in the deciding part"))));
    }
    for module in
        ["std::fs", "std::thread", "std::process", "std::env", "Time::now", "std::time::Instant"]
    {
        let found = source.body().match_indices(module);
        breaches.extend(found.map(|(at, _)| (at, format!("{module} in the deciding part"))));
    }
    breaches
}

/// No shared ownership, locks or open types in `engine` and `node`.
fn lending(source: &Source) -> Vec<(usize, String)> {
    if !["engine", "node"].contains(&source.room()) {
        return Vec::new();
    }
    let words = ["Arc", "Rc", "Mutex", "RwLock", "RefCell", "dyn"];
    let found = words.iter().flat_map(|word| source.places(word).map(move |at| (at, word)));
    found.map(|(at, word)| (at, format!("{word} in an engine"))).collect()
}

/// Nothing stands behind the module of tests, where the other rules would not see it.
fn tests_last(source: &Source) -> Vec<(usize, String)> {
    let rest = &source.code[source.tests..];
    let end = rest.find("\n}\n").map_or(rest.len(), |at| at + 3);
    let more = rest[end..].find(|c: char| !c.is_whitespace());
    let at = |more| source.tests + end + more;
    more.map(|more| (at(more), "code behind the tests".into())).into_iter().collect()
}

/// The packages of a `Cargo.lock` that are banned.
fn banned(lock: &str) -> Vec<&str> {
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names.filter(|name| BANNED.contains(name)).collect()
}

/// Every path into our own rooms, with its byte: `crate::`, `neap::` and `super::` resolved.
fn paths(source: &Source) -> Vec<(usize, Vec<String>)> {
    let code = &source.code;
    let mut found = Vec::new();
    for root in ["crate", "neap", "super"] {
        for at in places(code, root) {
            let rest = &code[at + root.len()..];
            let inner = code[..at].trim_end().ends_with("::");
            if inner || !rest.trim_start().starts_with("::") {
                continue;
            }
            let mut base = Vec::new();
            if root == "super" {
                base.extend(source.module().into_iter().map(String::from));
                base.extend((at >= source.tests).then(|| "tests".into()));
                base.pop();
            }
            let mut leaves = Vec::new();
            tree(rest, base, &mut leaves);
            found.extend(leaves.into_iter().map(|path| (at, path)));
        }
    }
    // In the binary `super` and `crate` are the binary itself; it has no module.
    found.retain(|(_, path)| !path.is_empty());
    found
}

/// Reads `::a::b` or `::{a, b::c}` and adds each full path; answers what follows it.
fn tree<'a>(text: &'a str, mut path: Vec<String>, leaves: &mut Vec<Vec<String>>) -> &'a str {
    let mut text = text.trim_start();
    while let Some(rest) = text.strip_prefix("::") {
        text = rest.trim_start();
        if let Some(group) = text.strip_prefix('{') {
            let mut group = group.trim_start();
            while !group.is_empty() && !group.starts_with('}') {
                let before = group.len();
                let leaf = format!("::{group}");
                let left = tree(&leaf, path.clone(), leaves).len();
                group = &group[before - left..];
                // What `as` renames, and the comma.
                let next = group.find([',', '}']).unwrap_or(group.len());
                group = group[next..].trim_start_matches(',').trim_start();
            }
            return group.strip_prefix('}').unwrap_or(group);
        }
        let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
        match &text[..end] {
            "super" => drop(path.pop()),
            "" | "self" => {}
            word => path.push(word.into()),
        }
        text = text[end..].trim_start();
    }
    leaves.push(path);
    text
}

/// Every place where `word` stands as a whole word.
fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back().is_some_and(is_word);
        let after = code[at + word.len()..].chars().next().is_some_and(is_word);
        !before && !after
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks comments, strings and character literals; line breaks stay.
fn code(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        let end = at + literal(&text.as_bytes()[at..]);
        if end == at {
            at += 1;
            continue;
        }
        for b in &mut out[at..end] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
        at = end;
    }
    // Other bytes than ASCII may stand in names only; they are blanked in whole characters.
    String::from_utf8(out).expect("literals begin and end with ASCII")
}

/// The length of the comment or literal that begins here, zero if none does.
fn literal(rest: &[u8]) -> usize {
    let find = |mark: &[u8], from: usize| {
        let found = rest[from..].windows(mark.len()).position(|window| window == mark);
        found.map_or(rest.len(), |at| from + at + mark.len())
    };
    match rest {
        [b'/', b'/', ..] => find(b"\n", 0),
        [b'/', b'*', ..] => find(b"*/", 2),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] => {
            let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                // A raw identifier, `r#type`.
                return 0;
            }
            let end = [b"\"", &b"#".repeat(hashes)[..]].concat();
            find(&end, 2 + hashes)
        }
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', ..] => {
            // `'a'` is a character, `'a` a lifetime.
            let width = core::str::from_utf8(&rest[1..rest.len().min(5)])
                .unwrap_or_else(|e| core::str::from_utf8(&rest[1..=e.valid_up_to()]).unwrap_or(""))
                .chars()
                .next()
                .map_or(0, char::len_utf8);
            if width > 0 && rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
        }
        _ => 0,
    }
}

/// The length of a literal with escapes, both quotes counted.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn files(folder: &Path, below: &str, out: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder").flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), out);
        } else if name.ends_with(".rs") {
            out.push((name, fs::read_to_string(entry.path()).expect("UTF-8")));
        }
    }
}

#[test]
fn the_house_is_tidy() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut all);
    assert!(all.iter().any(|(path, _)| path == "base/url.rs"), "the files were not found");
    let breaches: String = all.iter().map(|(p, text)| Source::new(p, text).breaches()).collect();
    assert!(breaches.is_empty(), "\n{breaches}");
}

#[test]
fn no_banned_crate_is_in_the_lock() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"));
    assert_eq!(banned(&lock.expect("a lock file")), [""; 0]);
    let planted = "[[package]]\nname = \"tokio\"\nversion = \"1\"\n[[package]]\nname = \"bytes\"\n\
                   [[package]]\nname = \"aws-lc-sys\"\ndependencies = [\n \"openssl\",\n]\n";
    assert_eq!(banned(planted), ["tokio", "aws-lc-sys"]);
}

/// The planted text breaks this rule, once for each expected end of a message.
#[track_caller]
fn broken(rule: Rule, path: &str, text: &str, expected: &[&str]) {
    let source = Source::new(path, text);
    let mut found = rule(&source);
    found.sort();
    let shown: Vec<_> =
        found.iter().map(|(at, what)| format!("{}: {what}", source.line(*at))).collect();
    assert_eq!(shown, expected, "{path}:\n{text}");
}

#[test]
fn an_import_that_goes_up_is_found() {
    for (path, text, breach) in [
        ("base/url.rs", "use crate::config::model::Config;", "'base' uses config::model::Config"),
        ("wire/hls.rs", "fn f(x: crate::store::Row) {}", "'wire' uses store::Row"),
        ("config/read.rs", "use super::super::wire::http;", "'config' uses wire::http"),
        ("node/machine.rs", "\nuse crate::{base::id, net};", "'node' uses net"),
        ("node/machine.rs", "use crate::{base::{a, b as c}, host::{self, x}};", "'node' uses host"),
        ("engine/cache/a.rs", "#[cfg(test)]\nmod tests {\nuse crate::net::x;\n}\n", "net::x"),
        ("main.rs", "use neap::config::model;", "'main' uses config::model"),
        ("net/admin/page.rs", "use crate::node::machine::M;", "node::machine::M, not only"),
        ("net/admin/page.rs", "use crate::host::clock;", "'net' uses host::clock"),
        ("net/admin/page.rs", "use crate::net::player::x;", "'admin' knows its sibling"),
        ("host/sensors.rs", "use crate::engine::caps::Governor;", "not only the readings"),
        ("cellar/x.rs", "", "'cellar' is no room of the house"),
    ] {
        let found = imports(&Source::new(path, text));
        assert!(found.iter().any(|(_, what)| what.contains(breach)), "{path}: {text}: {found:?}");
    }
}

#[test]
fn an_import_that_goes_down_is_not() {
    for (path, text) in [
        ("node/machine.rs", "use crate::{base::{id, url::Url}, engine::cache::index as i, wire};"),
        ("net/player/listener.rs", "use crate::node::event::{Input, Output};"),
        ("net/player/listener.rs", "use super::exchange::Exchange;\nuse crate::net::player::x;"),
        ("net/player/listener.rs", "use crate::net::ground::door::Door;"),
        ("host/sensors.rs", "use crate::engine::caps::Readings;\nuse crate::engine::readings;"),
        ("main.rs", "use neap::daemon::{arguments::Command, check};"),
        ("engine/cache/evict.rs", "use super::index;\n#[cfg(test)]\nmod tests {\nuse super::*;\n}"),
        ("engine/timeline.rs", "#[cfg(test)]\nmod tests {\nuse super::*;\n}\n"),
        (
            "base/url.rs",
            "// use crate::net;\nconst A: &str = \"crate::net::x\";\npub(crate) fn f() {}",
        ),
        ("engine/mod.rs", "pub mod cache;"),
        ("lib.rs", "pub mod base;"),
    ] {
        broken(imports, path, text, &[]);
    }
}

#[test]
fn siblings_that_know_each_other_are_found() {
    broken(
        imports,
        "engine/cache/evict.rs",
        "use super::index;\nuse crate::engine::timeline::Line;\nuse super::super::verify;",
        &[
            "2: 'cache' knows its sibling engine::timeline::Line",
            "3: 'cache' knows its sibling engine::verify",
        ],
    );
    let text = "use super::player::x;";
    let breach = "1: 'origin' knows its sibling net::player::x";
    broken(imports, "net/origin.rs", text, &[breach]);
    broken(imports, "net/origin/mod.rs", "use super::player::x;", &[breach]);
    broken(imports, "node/serve.rs", "use super::fetch;\nuse crate::node::share;", &[]);
}

#[test]
fn a_face_with_a_type_is_found() {
    let text = "//! Text.\n\n#![forbid(unsafe_code)]\n/// A.\npub mod a;\nmod b;\npub use a::A;\n";
    broken(face, "lib.rs", text, &["7: a face holds: pub use a::A;"]);
    broken(face, "net/mod.rs", "mod a {\n}\n", &["1: a face holds: mod a {", "2: a face holds: }"]);
    broken(face, "net/admin/page.rs", "pub use a::A;", &[]);
}

#[test]
fn a_file_without_its_sentence_is_found() {
    broken(sentence, "base/a.rs", "use core::fmt;\n", &["1: the first line is no '//! ...'"]);
    broken(sentence, "base/a.rs", "//! Text.\n", &[]);
}

#[test]
fn a_long_file_is_found() {
    let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"// more\n".repeat(900) + "}\n";
    broken(file_length, "base/a.rs", &("//! A.\n".repeat(400) + &tests), &[]);
    broken(file_length, "base/a.rs", &("//! A.\n".repeat(401) + &tests), &["401: 401 lines"]);
    let hidden = "#[cfg(test)]\nfn f() {}\n".to_owned() + &"//\n".repeat(400);
    broken(file_length, "base/a.rs", &hidden, &["402: 402 lines"]);
}

#[test]
fn a_long_function_is_found() {
    let function = |lines: usize| {
        let inner = "    if '{' == x { f(\"}\") } // }\n".repeat(lines - 2);
        format!("//! A.\npub fn long<'a>(x: [u8; 4]) -> &'a str\n{{{inner}}}\n")
    };
    broken(function_length, "base/a.rs", &function(70), &[]);
    broken(function_length, "base/a.rs", &function(71), &["2: long has 71 lines"]);
    let declared =
        "trait T {\n    fn a(x: [u8; 4]);\n    fn b();\n".to_owned() + &"\n".repeat(80) + "}\n";
    broken(function_length, "base/a.rs", &declared, &[]);
}

#[test]
fn a_long_line_is_found() {
    broken(line_length, "base/a.rs", &format!("{}\n", "ä".repeat(100)), &[]);
    broken(line_length, "base/a.rs", &format!("\n{}\n", "a".repeat(101)), &["2: 101 columns"]);
}

#[test]
fn leftovers_are_found() {
    let text =
        "fn f() {\n  dbg!(1);\n  todo!();\n  x.unwrap();\n  x\n    .unwrap();\n  unsafe {}\n}\n";
    broken(
        leftovers,
        "base/a.rs",
        text,
        &[
            "2: dbg! is left over",
            "3: todo! is left over",
            "4: unwrap() does not say what it expects",
            "6: unwrap() does not say what it expects",
            "7: unsafe code",
        ],
    );
    let fine = "// todo!()\nfn f() { x.unwrap_or(\"dbg!\"); }\n";
    broken(leftovers, "base/a.rs", fine, &[]);
    let test = "#[cfg(test)]\nmod tests {\n  unimplemented!()\nx.unwrap()\n}\n";
    let left = ["3: unimplemented! is left over", "4: unwrap() does not say what it expects"];
    broken(leftovers, "base/a.rs", test, &left);
}

#[test]
fn a_vague_name_is_found() {
    broken(name, "net/utils.rs", "", &["1: nothing is called 'utils'"]);
    broken(name, "engine/common/mod.rs", "", &["1: nothing is called 'common'"]);
    broken(name, "engine/roster.rs", "", &[]);
}

#[test]
fn input_and_output_in_the_deciding_part_are_found() {
    let text = "use std::fs;\nasync fn f() {\n  x.await;\n}\nuse std::time::Instant;\n";
    broken(
        pure,
        "engine/cache/a.rs",
        text,
        &[
            "1: std::fs in the deciding part",
            "2: async in the deciding part",
            "3: await in the deciding part",
            "5: std::time::Instant in the deciding part",
        ],
    );
    broken(pure, "net/player/a.rs", text, &[]);
    broken(pure, "wire/a.rs", "use std::time::{Duration, SystemTime};\n", &[]);
    let clock = "fn f() { SystemTime::now() }\n";
    broken(pure, "wire/a.rs", clock, &["1: Time::now in the deciding part"]);
}

#[test]
fn shared_things_in_an_engine_are_found() {
    let text = "struct A(Arc<Mutex<u8>>, Box<dyn F>);\n";
    broken(
        lending,
        "node/a.rs",
        text,
        &["1: Arc in an engine", "1: Mutex in an engine", "1: dyn in an engine"],
    );
    broken(lending, "store/a.rs", text, &[]);
}

#[test]
fn code_behind_the_tests_is_found() {
    let tests = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() {\n    }\n}\n";
    broken(tests_last, "base/a.rs", tests, &[]);
    broken(
        tests_last,
        "base/a.rs",
        &format!("{tests}\nfn h() {{}}\n"),
        &["8: code behind the tests"],
    );
    broken(tests_last, "base/a.rs", "fn f() {\n}\nfn g() {}\n", &[]);
}

#[test]
fn comments_and_literals_are_no_code() {
    for (text, left) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b\nc */ d", "a     \n     d"),
        ("\"a\\\"b\" c", "       c"),
        ("r#\"a\"b\"# c", "         c"),
        ("br\"\\\" c", "b     c"),
        ("'a' 'b '\\'' '\"'", "    'b         "),
        ("r#type", "r#type"),
        ("'ä' x", "     x"),
    ] {
        assert_eq!(code(text).trim_end(), left.trim_end(), "{text}");
    }
}
