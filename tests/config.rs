//! The configuration as a technician meets it: files in layers, every fault, the shipped file.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use neap::base::limits;
use neap::base::peer::{NodeKey, Role};
use neap::base::time::Date;
use neap::base::units::Size;
use neap::base::url::Url;
use neap::config::file::Text;
use neap::config::keys::origin::ORIGIN;
use neap::config::keys::table::{SECTIONS, keys};
use neap::config::layers::{Flags, Loaded, Paths};
use neap::config::merge::Merge;
use neap::config::model::{Config, LogTarget, Origin, Rung};
use neap::config::problem::{Problem, exit_code};
use neap::daemon::check::check;
use neap::net::peer::identity::Identity;

/// A folder that stands for `/` and is gone after the test.
struct Root(PathBuf);

impl Root {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("neap-config-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(&root).expect("a folder");
        Self(root)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
        self
    }

    fn paths(&self) -> Paths {
        Paths { root: self.0.clone() }
    }

    fn load(&self, flags: &Flags) -> Result<Loaded, Vec<Problem>> {
        Config::load(&self.paths(), flags)
    }

    fn loaded(&self) -> Loaded {
        self.load(&Flags::default()).expect("a configuration")
    }

    /// The problems as printed, the folder's name left out.
    fn problems(&self, flags: &Flags) -> Vec<String> {
        let root = format!("{}/", self.0.display());
        let problems = self.load(flags).expect_err("problems");
        problems.iter().map(|problem| problem.to_string().replace(&root, "/")).collect()
    }

    fn source(&self, loaded: &Loaded, key: &str) -> String {
        let root = format!("{}/", self.0.display());
        loaded.sources.of(key).to_string().replace(&root, "/")
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const VENDOR: &str = "usr/lib/neap/neap.toml";
const LOCAL: &str = "etc/neap/neap.toml";

fn read(text: &str) -> Result<Config, Vec<Problem>> {
    let mut merge = Merge::default();
    merge.file(&Text::new(Path::new("n.toml"), text.into()));
    merge.finish().map(|(config, _)| config)
}

/// The problems of one file with this text, without its path.
#[track_caller]
fn check_problems(text: &str, expected: &[&str]) {
    let root = Root::new();
    root.write(LOCAL, text);
    let expected: Vec<_> = expected.iter().map(|p| format!("/{LOCAL}:{p}")).collect();
    assert_eq!(root.problems(&Flags::default()), expected);
}

#[test]
fn without_any_file_the_defaults_hold() {
    let loaded = Root::new().loaded();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.sources.0.is_empty());
}

#[test]
fn the_empty_file_runs() {
    let root = Root::new();
    assert_eq!(root.write(LOCAL, "").loaded().config, Config::default());
    assert_eq!(root.write(LOCAL, "\u{feff}# a mark\r\n").loaded().config, Config::default());
}

#[test]
fn each_layer_lies_over_the_one_before() {
    let root = Root::new();
    root.write(
        VENDOR,
        "[cache]\nmemory = '1 MiB'\ndisk = '1 GiB'\npath = '/a'\n[log]\nlevel='warn'",
    )
    .write(LOCAL, "[cache]\ndisk = '2 GiB'\npath = '/b'\n")
    .write("etc/neap/neap.toml.d/20-b.toml", "[cache]\npath = '/20'\nmax-object = '20 B'")
    .write("etc/neap/neap.toml.d/10-a.toml", "\n[cache]\npath = '/10'\nmax-object = '10 B'")
    .write("etc/neap/neap.toml.d/.#10-a.toml", "not = 'read'")
    .write("etc/neap/neap.toml.d/30.toml.bak", "not = 'read'");
    let flags = Flags {
        level: Some("trace".into()),
        verbose: true,
        listen: vec!["127.0.0.1:1".into(), "[::1]:1".into()],
        ..Flags::default()
    };
    let loaded = root.load(&flags).expect("a configuration");
    let Config { cache, log, player, .. } = &loaded.config;
    assert_eq!((cache.memory, cache.disk), (Size(1 << 20), Size(2 << 30)));
    assert_eq!((&cache.path, cache.max_object), (&PathBuf::from("/20"), Size(20)));
    assert_eq!(log.level, log::LevelFilter::Trace);
    assert_eq!(player.listen.len(), 2);
    for (key, source) in [
        ("cache.memory", "/usr/lib/neap/neap.toml:2"),
        ("cache.disk", "/etc/neap/neap.toml:2"),
        ("cache.path", "/etc/neap/neap.toml.d/20-b.toml:2"),
        ("log.level", "--log-level"),
        ("log.target", "default"),
        ("player.listen", "--listen"),
    ] {
        assert_eq!(root.source(&loaded, key), source, "{key}");
    }
}

#[test]
fn a_named_file_takes_the_place_of_the_local_one_with_its_drop_ins() {
    let root = Root::new();
    root.write(VENDOR, "[cache]\nmemory = '1 MiB'\n")
        .write(LOCAL, "[cache]\nmemory = '2 MiB'\ndisk = '2 MiB'\n")
        .write("etc/neap/neap.toml.d/a.toml", "[cache]\ndisk = '3 MiB'\n")
        .write("mine.toml", "[log]\ntarget = 'stderr'\n")
        .write("mine.toml.d/a.toml", "[log]\nlevel = 'error'\n");
    let flags = Flags { config: Some(root.0.join("mine.toml")), ..Flags::default() };
    let config = root.load(&flags).expect("a configuration").config;
    assert_eq!((config.cache.memory, config.cache.disk), (Size(1 << 20), Size(0)));
    assert_eq!(config.log.target, LogTarget::Stderr);
    assert_eq!(config.log.level, log::LevelFilter::Error);
    let flags = Flags { config: Some(root.0.join("none.toml")), ..Flags::default() };
    assert_eq!(root.problems(&flags), ["/none.toml: there is no such file"]);
}

#[test]
fn origins_of_one_name_are_merged_over_the_layers() {
    let root = Root::new();
    root.write(VENDOR, "[[origin]]\nname='tv'\nurl='https://a/'\ntimeout='5 s'\n")
        .write(LOCAL, "[[origin]]\nname='b'\nurl=['https://b','http://c/d']\n")
        .write("etc/neap/neap.toml.d/x.toml", "[[origin]]\nname='tv'\nhosts='CDN.example'\n");
    let flags = Flags { origins: vec!["tv=https://other/live".into()], ..Flags::default() };
    let loaded = root.load(&flags).expect("a configuration");
    let url = |text: &str| Url::parse(text).expect("a URL");
    let [tv, b] = &loaded.config.origins[..] else { panic!("two origins") };
    assert_eq!(tv.urls, [url("https://other/live/")]);
    assert_eq!((tv.timeout.as_secs(), &tv.hosts[..]), (5, &["cdn.example".to_owned()][..]));
    assert_eq!(b.urls, [url("https://b/"), url("http://c/d/")]);
    for (key, source) in [
        ("origin.tv", "/usr/lib/neap/neap.toml:1"),
        ("origin.tv.url", "--origin"),
        ("origin.tv.timeout", "/usr/lib/neap/neap.toml:4"),
        ("origin.tv.hosts", "/etc/neap/neap.toml.d/x.toml:3"),
        ("origin.b.url", "/etc/neap/neap.toml:3"),
        ("origin.b.timeout", "default"),
    ] {
        assert_eq!(root.source(&loaded, key), source, "{key}");
    }
}

#[test]
fn origins_of_flags_find_a_name_that_is_free() {
    let root = Root::new();
    root.write(LOCAL, "[[origin]]\nname='cdn'\nurl='https://a/'\n");
    let origins = ["https://cdn.example/x=y", "https://www.tv.example", "http://127.0.0.1:8000/"];
    let origins = origins.map(String::from).to_vec();
    let loaded = root.load(&Flags { origins, ..Flags::default() }).expect("a configuration");
    let names: Vec<_> = loaded.config.origins.iter().map(|origin| &*origin.name).collect();
    assert_eq!(names, ["cdn", "cdn2", "tv", "127.0.0.1"]);
    assert_eq!(loaded.config.origins[1].urls[0].to_string(), "https://cdn.example/x=y/");
    let flags = |list: &[&str]| Flags {
        origins: list.iter().map(|text| (*text).into()).collect(),
        ..Flags::default()
    };
    let twice = root.problems(&flags(&["a=https://a/", "a=https://b/"]));
    assert_eq!(twice, ["--origin: the name 'a' stands twice"]);
    let bad = root.problems(&flags(&["cdn.example", "a/b=https://b/"]));
    assert_eq!(
        bad,
        [
            "--origin: \"cdn.example\": it does not begin with http:// or https://",
            "--origin: expected a name of 1 to 64 letters, digits, '-', '_' and '.', such as \
             \"tv\", found \"a/b\"",
        ]
    );
}

#[test]
fn all_mistakes_of_all_layers_come_at_once() {
    let root = Root::new();
    root.write(VENDOR, "[cache]\nmemory = '48'\n")
        .write(LOCAL, "[cache]\ndisk = 48\n\nmemroy = '48 MiB'\nmemory = '1 MiB'\n[lgo]\n")
        .write("etc/neap/neap.toml.d/a.toml", "[log\n")
        .write("etc/neap/neap.toml.d/b.toml", b"[log]\n# caf\xe9\n");
    fs::create_dir(root.0.join("etc/neap/neap.toml.d/c.toml")).expect("a folder");
    let flags = Flags { level: Some("INFO".into()), ..Flags::default() };
    let size = "expected a size with its unit, such as \"48 MiB\", found";
    assert_eq!(
        root.problems(&flags),
        [
            format!("/usr/lib/neap/neap.toml:2: cache.memory: {size} \"48\""),
            format!("/etc/neap/neap.toml:2: cache.disk: {size} 48"),
            "/etc/neap/neap.toml:4: unknown key 'cache.memroy', did you mean 'memory'?".into(),
            "/etc/neap/neap.toml:6: unknown section 'lgo', did you mean 'log'?".into(),
            "/etc/neap/neap.toml.d/a.toml:1:5: unclosed table, expected `]`".into(),
            "/etc/neap/neap.toml.d/b.toml:2: the text is not UTF-8".into(),
            "/etc/neap/neap.toml.d/c.toml: it is a folder".into(),
            "--log-level: expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\", found \
             \"INFO\""
                .into(),
        ]
    );
    assert_eq!(exit_code(&root.load(&flags).expect_err("problems")), 78);
}

#[test]
fn a_wrong_value_says_what_was_expected() {
    let address = "expected an address and a port, such as \"127.0.0.1:8642\" or \"[::1]:8642\"";
    check_problems(
        "[player]\nlisten = [\n  'localhost:8642',\n  8642\n]\nallow = '10.0.0.0/33'\n\
         host-names = 'http://tv'\ncors = 'tv.example'\n",
        &[
            &format!("3: player.listen: {address}, found \"localhost:8642\""),
            &format!("4: player.listen: {address}, found 8642"),
            "6: player.allow: expected a network or an address, such as \"192.168.0.0/16\", \
             found \"10.0.0.0/33\"",
            "7: player.host-names: expected a host name without scheme and port, such as \
             \"cdn.example.com\", found \"http://tv\"",
            "8: player.cors: expected \"*\" or a web origin, such as \"https://tv.example.com\", \
             found \"tv.example\"",
        ],
    );
    check_problems(
        "[player]\nlisten = []\nallow = ['::1', '::1']\n[admin]\nlisten = true\ncontrol = 'a'\n",
        &[
            "2: player.listen: expected at least one address, found an empty list",
            "3: player.allow: \"::1\" stands twice",
            "5: admin.listen: expected an address and a port, such as \"127.0.0.1:8642\" or \
             \"[::1]:8642\", found true",
            "6: admin.control: expected an absolute path of at most 107 bytes, such as \
             \"/run/neap/control.sock\", or \"\", found \"a\"",
        ],
    );
    check_problems(
        "[cache]\nmemory = '48 megs'\npath = 'x'\n[log]\ntarget = 'file'\nlevel = ['info']\n",
        &[
            "2: cache.memory: expected a size with its unit, such as \"48 MiB\", found \"48 megs\"",
            "3: cache.path: expected an absolute path, such as \"/var/cache/neap\", found \"x\"",
            "5: log.target: expected \"auto\", \"syslog\" or \"stderr\", found \"file\"",
            "6: log.level: expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\", found \
             a list",
        ],
    );
}

#[test]
fn a_wrong_origin_says_what_is_wrong() {
    check_problems(
        "[[origin]]\nname = 'a'\nurl = 'https://a/?token=s3cret'\ntimeout = '1 h 3'\n\
         follow-redirects = 'yes'\nulr = 1\n\
         [[origin]]\nname = 'a'\nurl = 'https://b'\n\
         [[origin]]\nurl = []\n\
         [[origin]]\nname = ''\nurl = 'ftp://c'\nca = 'x.pem'\nignore-query = 'a=b'\n\
         [[origin]]\nname = 'd'\n",
        &[
            "3: origin.a.url: \"https://a/\": a query does not belong in a base URL",
            "4: origin.a.timeout: expected a duration with its unit, such as \"30 s\", found \
             \"1 h 3\"",
            "5: origin.a.follow-redirects: expected true or false, found \"yes\"",
            "6: unknown key 'origin.a.ulr', did you mean 'url'?",
            "7: origin.name: 'a' stands twice, first in line 1",
            "10: origin: the key 'name' is missing",
            "11: origin.url: expected at least one URL, found an empty list",
            "13: origin.name: expected a name of 1 to 64 letters, digits, '-', '_' and '.', such \
             as \"tv\", found \"\"",
            "14: origin.url: \"ftp://c\": it does not begin with http:// or https://",
            "15: origin.ca: expected an absolute path, such as \"/var/cache/neap\", found \
             \"x.pem\"",
            "16: origin.ignore-query: expected the name of a query parameter, such as \"token\", \
             or \"*\", found \"a=b\"",
            "17: origin.d: the key 'url' is missing",
        ],
    );
    check_problems(
        "[[origin]]\nname = 'a'\nurl = 'https://a'\ntimeout = '0'\n[origin.headers]\n\
         host = 'x'\nA = 1\na = \"s3cret\\n\"\n'b c' = ''\nV = '1'\nv = '2'\n",
        &[
            "4: origin.a.timeout: expected a duration from \"100 ms\" to \"1 h\", found \"0\"",
            "6: origin.a.headers: neap itself sets 'host'",
            "7: origin.a.headers: 'A': expected a string in quotes",
            "8: origin.a.headers: 'a': expected at most 4096 bytes without control characters or \
             spaces around",
            "9: origin.a.headers: \"b c\" is no field name",
            "11: origin.a.headers: 'v' stands twice",
        ],
    );
    check_problems("[origin]\nname = 'a'\n", &["1: origin: expected [[origin]], found [origin]"]);
    check_problems("origin = ['a']\n", &["1: origin: expected [[origin]], found \"a\""]);
}

#[test]
fn a_key_in_the_wrong_place_is_shown_the_right_one() {
    check_problems(
        "memory = '1 B'\ncache = 1\n[log]\nmemory = '1 B'\ntimeout = '1 s'\ncolour = 'red'\n\
         [[player]]\n[colours]\n",
        &[
            "1: unknown key 'memory', did you mean 'cache.memory'?",
            "2: cache: expected a section, [cache], found 1",
            "4: unknown key 'log.memory', did you mean 'cache.memory'?",
            "5: unknown key 'log.timeout', did you mean 'origin.timeout'?",
            "6: unknown key 'log.colour'",
            "7: player: expected a section, [player], found a list",
            "8: unknown section 'colours'",
        ],
    );
}

#[test]
fn a_mistake_in_the_toml_hides_only_what_it_may_have_shifted() {
    check_problems(
        "[cache]\nmemory = 48 MiB\ndisk = '48'\n[log]\nlevel = 'info'\nlevel = 'info'\nx = 1\n",
        &[
            "2:10: expected a string in quotes",
            "3: cache.disk: expected a size with its unit, such as \"48 MiB\", found \"48\"",
            "6:1: duplicate key",
            "7: unknown key 'log.x'",
        ],
    );
    check_problems(
        "[cache]\ndisk = '48'\n[log\nmemory = '48'\nlevel = 'info'\n",
        &[
            "2: cache.disk: expected a size with its unit, such as \"48 MiB\", found \"48\"",
            "3:5: unclosed table, expected `]`",
        ],
    );
    check_problems(
        "[[origin]]\nname = tv\nurl = https://a/\n",
        &["2:8: expected true, false or a string in quotes", "3:7: expected a string in quotes"],
    );
}

#[test]
fn two_doors_at_one_address_are_refused() {
    check_problems(
        "[player]\nlisten = '127.0.0.1:1'\n[admin]\nlisten = '127.0.0.1:1'\n",
        &["4: admin.listen: player.listen has 127.0.0.1:1 as well"],
    );
    let free = "[player]\nlisten = '127.0.0.1:0'\n[admin]\nlisten = '127.0.0.1:0'\n";
    assert!(read(free).is_ok());
}

/// A local file that names a network whose secret is in `/secret`.
fn with_network(root: &Root, more: &str) -> String {
    let secret = root.0.join("secret");
    format!("[network]\nname = 'home'\nsecret-file = '{}'\n{more}", secret.display())
}

fn set_mode(path: &Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(path, mode).expect("own file");
}

#[test]
fn a_network_is_read_with_its_secret() {
    let root = Root::new();
    let key = format!("ed25519:{}", "0f".repeat(32));
    let more = format!("role = 'gateway'\nwitnesses = '{key}'\nmax-peers = 0x10\nlisten = []\n");
    root.write(LOCAL, with_network(&root, &more)).write("secret", "0123456789abcdef\r\n\n");
    set_mode(&root.0.join("secret"), 0o640);
    let network = root.loaded().config.network;
    let secret = network.secret.clone().expect("a secret");
    assert_eq!(secret.bytes(), b"0123456789abcdef");
    assert!(!format!("{network:?}").contains("0123456789abcdef"));
    assert_eq!((network.max_peers, network.role), (16, Role::Gateway));
    assert_eq!(network.trusted(Rung::Witness), [NodeKey([0x0f; 32])]);
    let outcome = check(&root.paths(), &Flags::default(), false);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(!outcome.out.contains("0123456789abcdef"), "{}", outcome.out);
    let line = format!("role = \"gateway\"  # {}/{LOCAL}:4\n", root.0.display());
    assert!(outcome.out.contains(&line), "{}", outcome.out);
}

#[test]
fn what_of_the_networks_files_keeps_a_node_from_sharing_is_found_by_check() {
    let root = Root::new();
    let (state, admission) = (root.0.join("state"), root.0.join("admission"));
    let more =
        format!("state = '{}'\nadmission-file = '{}'\n", state.display(), admission.display());
    root.write(LOCAL, with_network(&root, &more)).write("secret", "0123456789abcdef");
    set_mode(&root.0.join("secret"), 0o600);
    let checked = || check(&root.paths(), &Flags::default(), true);
    root.write("admission", "garbage");
    let outcome = checked();
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(
        outcome.err.contains("nothing is shared: network.admission-file: ")
            && outcome.err.contains("it holds no admission as 'neap admit' prints it"),
        "{}",
        outcome.err
    );
    let identity = Identity::open(&state).expect("a key");
    root.write("admission", identity.admit(identity.key, Date(4_000_000_000)).to_string());
    assert_eq!(checked().code, 0, "{}", checked().err);
    fs::write(state.join("node.key"), "damaged").expect("own file");
    let outcome = checked();
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(outcome.err.contains("node.key is damaged"), "{}", outcome.err);
}

#[test]
fn a_witness_by_mistake_is_pointed_out() {
    let root = Root::new();
    let state = root.0.join("state");
    let own = Identity::open(&state).expect("a key").key;
    let more = format!("state = '{}'\nwitnesses = '{own}'\n", state.display());
    root.write(LOCAL, with_network(&root, &more)).write("secret", "0123456789abcdef");
    set_mode(&root.0.join("secret"), 0o600);
    let warned = |root: &Root| {
        let warnings = root.loaded().warnings;
        warnings
            .iter()
            .any(|warning| warning.text.starts_with("the list holds this node's own key"))
    };
    assert!(warned(&root));
    root.write(LOCAL, with_network(&root, &format!("{more}role = 'witness'\n")));
    assert!(!warned(&root));
    root.write(LOCAL, with_network(&root, &more.replace(&state.display().to_string(), "/none")));
    assert!(!warned(&root));
}

#[test]
fn the_control_socket_is_found_whatever_else_is_wrong() {
    let root = Root::new();
    let flags = Flags::default();
    let control = |root: &Root| Config::control(&root.paths(), &flags);
    let usual = Config::default().admin.control;
    assert_eq!(control(&root), (usual.clone(), Vec::new()));
    root.write(LOCAL, with_network(&root, "[admin]\ncontrol = '/run/a.sock'\n"));
    assert_eq!(control(&root), (Some("/run/a.sock".into()), Vec::new()));
    root.write(LOCAL, "[admin]\ncontrol = '/run/a.sock'\n[cache]\nmemry = '1 MiB'\n");
    let (socket, problems) = control(&root);
    assert_eq!((socket, problems.len()), (Some("/run/a.sock".into()), 1));
    root.write(LOCAL, "[admin\n");
    let (socket, problems) = control(&root);
    assert_eq!((socket, problems.is_empty()), (usual, false));
}

#[test]
fn a_secret_that_does_not_serve_is_told_and_players_are_served() {
    let root = Root::new();
    root.write(LOCAL, with_network(&root, ""));
    let file = root.0.join("secret");
    let problem = |text: &str| {
        let network = root.loaded().config.network;
        let path = root.0.display();
        let fault = format!("{path}/{LOCAL}:3: network.secret-file: {path}/secret: {text}");
        assert_eq!((network.secret, network.fault.as_deref()), (None, Some(&*fault)));
        let outcome = check(&root.paths(), &Flags::default(), true);
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        assert!(
            outcome.err.contains(&format!("neap: nothing is shared: {fault}")),
            "{}",
            outcome.err
        );
    };
    problem("there is no such file");
    root.write("secret", "0123456789abcde\n");
    set_mode(&file, 0o600);
    problem("it holds 15 bytes, and at least 16 are needed");
    root.write("secret", "x".repeat(4097));
    problem("it holds more than 4096 bytes");
    root.write("secret", "0123456789abcdef");
    set_mode(&file, 0o644);
    problem("everybody on this device may use it: take that away by chmod o=");
    fs::remove_file(&file).expect("own file");
    fs::create_dir(&file).expect("a folder");
    problem("it is no regular file");
    // What is not used is not read.
    root.write(LOCAL, with_network(&root, "").replace("'home'", "''"));
    assert_eq!(root.loaded().config.network.secret, None);
}

#[test]
fn a_network_that_anybody_could_join_is_refused() {
    check_problems(
        "[network]\nname = 'home'\n",
        &["2: network.name: anybody could join: the key 'secret-file', 'operators' or 'ca' is \
           missing"],
    );
    check_problems(
        "[network]\nname = 'home'\nca = '/c'\nprivate-key = '/k'\n",
        &["3: network.ca: it needs the key 'certificate' beside it"],
    );
    let key = format!("ed25519:{}", "0f".repeat(32));
    assert!(read(&format!("[network]\nname = 'home'\noperators = '{key}'\n")).is_ok());
}

#[test]
fn a_wrong_network_says_what_is_wrong() {
    let peer = "expected the address and port of a node, such as \"192.168.1.5:8644\", found";
    let key = "expected 'ed25519:' and 64 hex digits, as 'neap key' prints them, found";
    let number = "expected a number from 1 to 256, without quotes, found";
    check_problems(
        "[network]\nname = 'my home'\nsecret-file = 'secret'\noperators = 'ed25519:00'\n\
         listen = 'localhost'\npeers = ['0.0.0.0:1', '10.0.0.1:0']\nmax-peers = '24'\n\
         role = 'server'\nverify = 'trust'\ndiscovery = 'no'\n[sharing]\nenabled = 1\n",
        &[
            "2: network.name: expected a name of at most 64 letters, digits, '-', '_' and '.', \
             such as \"home\", or \"\", found \"my home\"",
            "3: network.secret-file: expected an absolute path, such as \"/var/cache/neap\", \
             found \"secret\"",
            &format!("4: network.operators: {key} \"ed25519:00\""),
            "5: network.listen: expected an address and a port, such as \"127.0.0.1:8642\" or \
             \"[::1]:8642\", found \"localhost\"",
            &format!("6: network.peers: {peer} \"0.0.0.0:1\""),
            &format!("6: network.peers: {peer} \"10.0.0.1:0\""),
            &format!("7: network.max-peers: {number} \"24\""),
            "8: network.role: expected \"device\", \"gateway\" or \"witness\", found \"server\"",
            "9: network.verify: expected \"publisher\", \"witness\", \"origin-digest\" or \
             \"quorum\", found \"trust\"",
            "10: network.discovery: expected true or false, found \"no\"",
            "12: sharing.enabled: expected true or false, found 1",
        ],
    );
    for (written, found) in [("0", "0"), ("257", "257"), ("-1", "-1"), ("1.0", "1.0")] {
        let text = format!("[network]\nmax-peers = {written}\n");
        check_problems(&text, &[&format!("2: network.max-peers: {number} {found}")]);
    }
    let keys: Vec<_> = (0..65).map(|n| format!("'ed25519:{n:064x}'")).collect();
    let text = format!("[network]\nwitnesses = [{}]\n", keys.join(", "));
    check_problems(&text, &["2: network.witnesses: the list holds more than 64"]);
}

#[test]
fn a_door_for_nodes_is_not_that_of_players() {
    let text = "[network]\nlisten = '127.0.0.1:8642'\n";
    assert!(read(text).is_ok());
    let key = format!("ed25519:{}", "0f".repeat(32));
    check_problems(
        &format!("{text}name = 'home'\noperators = '{key}'\n"),
        &["2: network.listen: player.listen has 127.0.0.1:8642 as well"],
    );
}

#[test]
fn a_file_is_bounded() {
    let root = Root::new();
    let limit = usize::try_from(limits::config::CONFIG).expect("a size");
    assert!(root.write(LOCAL, "#".repeat(limit)).load(&Flags::default()).is_ok());
    root.write(LOCAL, "#".repeat(limit + 1));
    let flags = Flags::default();
    assert_eq!(root.problems(&flags), ["/etc/neap/neap.toml: the file is larger than 1 MiB"]);
}

#[test]
fn a_folder_of_drop_ins_is_bounded() {
    let root = Root::new();
    for number in 0..=limits::config::DROP_INS {
        root.write(&format!("etc/neap/neap.toml.d/{number}.toml"), "");
    }
    let problems = root.problems(&Flags::default());
    assert_eq!(problems, ["/etc/neap/neap.toml.d: it holds more than 256 files"]);
}

#[test]
fn a_link_that_leads_nowhere_is_no_file_that_is_missing() {
    let root = Root::new();
    root.write(LOCAL, "").write("etc/neap/neap.toml.d/50-log.toml", "");
    assert!(root.load(&Flags::default()).is_ok());
    for path in [LOCAL, VENDOR, "etc/neap/neap.toml.d/60-more.toml", "etc/neap/neap.toml.d"] {
        let place = root.0.join(path);
        let kept = place.with_extension("kept");
        let was = place.exists();
        fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        if was {
            fs::rename(&place, &kept).expect("moved");
        }
        std::os::unix::fs::symlink("/none/such", &place).expect("a link");
        let problems = root.problems(&Flags::default());
        assert_eq!(problems, [format!("/{path}: it is a link that leads nowhere")]);
        fs::remove_file(&place).expect("removed");
        if was {
            fs::rename(&kept, &place).expect("moved");
        }
    }
}

#[test]
fn a_control_socket_that_cannot_be_made_is_pointed_out() {
    let root = Root::new();
    root.write("in-its-place", "");
    let at = |name: &str| {
        let path = root.0.join(name);
        root.write(LOCAL, format!("[admin]\ncontrol = '{}'\n", path.display()));
        let outcome = check(&root.paths(), &Flags::default(), true);
        assert_eq!(outcome.code, 0);
        outcome.err.replace(&format!("{}", path.display()), "IT")
    };
    assert!(!at("run/neap/control.sock").contains("admin.control"));
    let words = "admin.control: IT exists and is no socket, so 'neap status' will not work";
    assert!(at("in-its-place").contains(words));
    let words = "admin.control: IT cannot be made: its folder may not be written by this user";
    assert!(at("in-its-place/control.sock").contains(words));
}

#[test]
fn origins_and_complaints_are_bounded() {
    let origins = |count: usize| -> String {
        (0..count).map(|n| format!("[[origin]]\nname='{n}'\nurl='https://a/{n}'\n")).collect()
    };
    assert!(read(&origins(limits::config::ORIGINS)).is_ok());
    let problems = read(&origins(limits::config::ORIGINS * 20)).expect_err("too many");
    assert_eq!(problems[0].to_string(), "n.toml:769: origin: more than 256 origins");
    for line in ["x = 1\n", "[[origin]]\n", "[[x.y]]\n", "a.", "=", "[a."] {
        let problems = read(&line.repeat((256 << 10) / line.len())).expect_err("nonsense");
        assert!(problems.len() <= limits::config::PROBLEMS, "{line}");
    }
}

/// A file that holds everything that a file may hold.
const RICH: &str = "# ä\n[player]\nlisten = [\"0.0.0.0:80\", '[::1]:8642'] # both\n\
    allow = \"10.0.0.0/8\"\nhost-names = [\n  'TV.lan', # here\n]\ncors = \"https://é.example\"\n\
    [admin]\nlisten = \"\"\ncontrol = \"/run/\\u00e4.sock\"\n[[origin]]\nname = \"tv\"\n\
    url = \"https://a.example/x/../y\"\nheaders = { A = \"1\", \"B\" = '''2''' }\n\
    timeout = \"1.5 min\"\n[[origin]]\nname = 'b'\nurl = ['https://b', 'http://[::1]:81/']\n\
    follow-redirects = false\nignore-query = '*'\n[origin.headers]\nC = \"\"\"\n3\"\"\"\n\
    [cache]\nmemory = \"1.5 MiB\"\ndisk = '0'\npath = '/x'\n\
    [network]\nname = \"\"\nmax-peers = 8\nlisten = ['[::]:8644']\nverify = 'witness'\n\
    [sharing]\nenabled = true\n[log]\nlevel = \"trace\"\n";

#[test]
fn every_prefix_of_a_file_is_read_or_refused() {
    // The web origin alone is wrong: browsers send IDNA (RFC 5891), which is ASCII.
    assert_eq!(read(RICH).expect_err("one").len(), 1);
    assert!(read(&RICH.replace('é', "e")).is_ok());
    for end in (0..RICH.len()).filter(|end| RICH.is_char_boundary(*end)) {
        if let Err(problems) = read(&RICH[..end]) {
            assert!(problems.iter().all(|problem| !problem.to_string().contains('\n')));
        }
    }
}

#[test]
fn every_byte_may_be_any_other() {
    for at in (0..RICH.len()).filter(|at| RICH.is_char_boundary(*at)) {
        for other in ["", "\"", "[", "]", "\0", "\n", "=", "'", "{", ".", "#", "é"] {
            let next = RICH[at..].chars().next().map_or(0, char::len_utf8);
            let text = format!("{}{other}{}", &RICH[..at], &RICH[at + next..]);
            for problem in read(&text).err().into_iter().flatten() {
                assert!(!problem.to_string().contains(['\n', '\0']), "{problem}");
            }
        }
    }
}

/// The shipped file with every default made to hold.
fn uncommented(shipped: &str) -> String {
    let bare = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest.into(),
        _ => line.to_owned(),
    };
    shipped.lines().map(|line| bare(line) + "\n").collect()
}

const SHIPPED: &str = include_str!("../systemd/neap.toml");

#[test]
fn the_shipped_file_is_the_defaults() {
    assert_eq!(read(SHIPPED), Ok(Config::default()));
    let url = Url::parse("https://cdn.example.com/live/").expect("a URL");
    let example = Origin::new("tv".into(), url);
    let config = Config { origins: vec![example], ..Config::default() };
    assert_eq!(read(&uncommented(SHIPPED)), Ok(config));
}

#[test]
fn the_shipped_file_and_the_manual_name_every_key_with_its_default() {
    let manual = include_str!("../docs/configuration.md");
    let tables = manual.replace("\n### `[[origin]]`", "\n### `[origin]`");
    let tables = &tables[tables.find("\n## Keys").expect("a chapter")..];
    let text = uncommented(SHIPPED);
    let config = read(&text).expect("a configuration");
    let section_of = |text: &str, section: &str, mark: &str| {
        let start = text.find(&format!("[{section}]")).expect("the section");
        let rest = &text[start + 1..];
        rest[..rest.find(mark).unwrap_or(rest.len())].to_owned()
    };
    for section in SECTIONS {
        let keys = keys().filter(|key| key.section == section);
        let keys = keys.map(|key| (key.name, (key.show)(&config), Some(key.live)));
        let origin = ORIGIN.iter().filter(|_| section == "origin");
        let origin = origin.map(|key| (key.name, (key.show)(&config.origins[0]), None));
        for (name, value, live) in keys.chain(origin) {
            let shipped = section_of(&text, section, "\n[");
            assert!(shipped.contains(&format!("\n{name} = {value}\n")), "{section}.{name}");
            let described = section_of(tables, section, "\n#");
            let start = described.find(&format!("\n| `{name}` |")).expect(name);
            let row = described[start + 1..].lines().next().expect("a row");
            let default = if name == "url" { "must be given" } else { &format!("`{value}`") };
            assert!(row.contains(&format!("| {default} |")), "{row}");
            let holds = if live == Some(true) { "| at once |" } else { "| restart |" };
            assert!(live.is_none() || row.ends_with(holds), "{row}");
        }
    }
    for key in keys().filter(|key| !key.live) {
        let at = text.find(&format!("\n[{}]", key.section)).expect("the section");
        let line = text[at..].find(&format!("\n{} = ", key.name)).expect("the key") + at;
        let comment = text[..line].rsplit("\n\n").next().expect("a comment");
        assert!(comment.contains("(restart)"), "{}", key.path());
    }
}

#[test]
fn the_shipped_file_fits_a_terminal() {
    assert!(SHIPPED.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn neap_check_prints_what_holds_and_what_is_odd() {
    let root = Root::new();
    root.write(LOCAL, "[player]\nlisten = '0.0.0.0:8642'\ncors = []\n");
    let outcome = check(&root.paths(), &Flags::default(), false);
    let warned = format!(
        "neap: warning: {}/{LOCAL}:2: player.listen: 0.0.0.0:8642 is reached from other devices, \
         but nobody but this device is answered: player.allow names no network\n\
         neap: warning: default: origin: no origin is configured, so no request can be answered\n",
        root.0.display()
    );
    assert_eq!((outcome.code, &outcome.err), (0, &warned));
    let listen = format!("listen = [\"0.0.0.0:8642\"]  # {}/{LOCAL}:2\n", root.0.display());
    assert!(outcome.out.contains(&listen), "{}", outcome.out);
    assert_eq!(read(&outcome.out), Ok(root.loaded().config));
    let quiet = check(&root.paths(), &Flags::default(), true);
    assert_eq!((quiet.out.as_str(), quiet.err), ("", warned));
}

fn neap() -> Command {
    Command::new(env!("CARGO_BIN_EXE_neap"))
}

#[test]
fn the_binary_ends_with_the_code_that_fits() {
    let root = Root::new();
    root.write("bad.toml", "[cache]\nmemory = '48'\n").write("good.toml", "");
    let bad = root.0.join("bad.toml");
    let run = |arguments: &[&str], file: &Path| {
        let output = neap().args(arguments).arg("--config").arg(file).output().expect("neap runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["check"], &bad);
    assert_eq!((code, out.as_str()), (Some(78), ""));
    let expected = "expected a size with its unit, such as \"48 MiB\", found \"48\"";
    assert_eq!(err, format!("neap: {}:2: cache.memory: {expected}\n", bad.display()));
    let (code, out, _) = run(&["check"], &root.0.join("good.toml"));
    assert!(code == Some(0) && read(&out) == Ok(Config::default()), "{out}");
    let (code, out, err) = run(&["chek"], &bad);
    assert_eq!((code, out.as_str()), (Some(78), ""));
    assert!(err.starts_with("neap: unknown command 'chek', did you mean 'check'?"), "{err}");
    assert!(run(&["--help"], &bad).1.contains("Usage:"));
    assert!(run(&["--version"], &bad).1.starts_with("neap "));
}

#[test]
fn a_file_that_may_not_be_read_ends_with_77() {
    let root = Root::new();
    root.write("mine.toml", "");
    let (binary, file) = (root.0.join("neap"), root.0.join("mine.toml"));
    fs::copy(env!("CARGO_BIN_EXE_neap"), &binary).expect("a copy that anyone may run");
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(&root.0, mode(0o755)).expect("own folder");
    fs::set_permissions(&file, mode(0)).expect("own file");
    let mut command = Command::new(binary);
    if nix::unistd::geteuid().is_root() {
        // Root may read everything: be nobody.
        command.uid(65534).gid(65534);
    }
    let output = command.arg("check").arg("--config").arg(&file).output().expect("neap runs");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    let expected = "it may not be read: it must belong to the user of the service";
    assert_eq!(err, format!("neap: {}: {expected}\n", file.display()));
    assert_eq!(output.status.code(), Some(77));
}

#[test]
fn every_key_of_0_1_0_is_still_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/0.1.0/neap.toml");
    let config = read(&fs::read_to_string(file).expect("the sample")).expect("no problem");
    assert_eq!(config.origins.len(), 1);
}
