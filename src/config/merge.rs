//! Layer over layer: what each file and flag sets, and everything that is wrong with it.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::base::limits;
use crate::base::map::Map;

use super::file::{Parsed, Text};
use super::keys::key::{Key, Sources};
use super::keys::origin::ORIGIN;
use super::keys::table::{SECTIONS, keys};
use super::model::{Config, Origin};
use super::nearest::nearest;
use super::problem::{Problem, Source};
use super::read::{self, Fault, Read, Value};
use super::secret::Secret;

/// The configuration so far, with the faults so far.
#[derive(Debug, Default)]
pub struct Merge {
    config: Config,
    sources: Sources,
    problems: Vec<Problem>,
    /// Whether some text was no TOML, so that what is missing may stand there.
    broken: bool,
}

/// One file while it is read.
struct Reading<'a> {
    text: &'a Text,
    parsed: &'a Parsed<'a>,
    problems: Vec<Problem>,
}

impl Merge {
    /// Lays a file over what there is.
    pub fn file(&mut self, text: &Text) {
        let mut parsed = text.parse();
        let problems = core::mem::take(&mut parsed.problems);
        self.broken |= !problems.is_empty();
        let mut reading = Reading { text, parsed: &parsed, problems };
        for (name, value) in &parsed.table {
            let at = name.span().start;
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("origin", DeValue::Array(list)) => self.origins(&mut reading, list),
                ("origin", DeValue::Table(_)) => {
                    reading.fault(at, "origin: expected [[origin]], found [origin]".into());
                }
                (section, DeValue::Table(table)) if SECTIONS.contains(&section) => {
                    self.section(&mut reading, section, table);
                }
                (section, _) if SECTIONS.contains(&section) => {
                    let fault = Fault::expected(value, &format!("a section, [{section}]"));
                    reading.fault(at, format!("{section}: {}", fault.text));
                }
                (section, value) => reading.fault(at, unknown_section(section, value)),
            }
        }
        reading.problems.sort_by_key(|problem| problem.source.line());
        for problem in reading.problems {
            self.problem(problem);
        }
    }

    /// Sets one key from a flag; what is wrong is named by the flag.
    pub fn flag(&mut self, flag: &'static str, key: &str, value: &Value<'_>) {
        let key = keys().find(|known| known.path() == key).expect("a key of the table");
        match (key.set)(&mut self.config, value) {
            Ok(()) => drop(self.sources.0.insert(key.path(), Source::Flag(flag))),
            Err(faults) => self.flag_faults(flag, &faults),
        }
    }

    /// Adds an origin from `[NAME=]URL`, or gives the one of that name another URL.
    ///
    /// Without a name it is called after the host, see [`derived`].
    pub fn origin_flag(&mut self, written: &str) {
        const FLAG: &str = "--origin";
        let lower = written.to_ascii_lowercase();
        let bare = lower.starts_with("http://") || lower.starts_with("https://");
        let (name, url) = match written.split_once('=').filter(|_| !bare) {
            Some((name, url)) => (Some(name), url),
            None => (None, written),
        };
        let url = match read::base_url(&text(url)) {
            Ok(url) => url,
            Err(faults) => return self.flag_faults(FLAG, &faults),
        };
        let name = match name.map(origin_name) {
            Some(Ok(name)) => name,
            Some(Err(expected)) => {
                let found = read::quoted(name.unwrap_or_default());
                let text = format!("expected {expected}, found {found}");
                return self.problem(Problem::new(Source::Flag(FLAG), text));
            }
            None => derived(&url.host, |name| self.config.origins.iter().any(|o| o.name == name)),
        };
        let key = format!("origin.{name}.url");
        if self.sources.of(&key) == Source::Flag(FLAG) {
            let text = format!("the name '{name}' stands twice");
            return self.problem(Problem::new(Source::Flag(FLAG), text));
        }
        self.sources.0.insert(key, Source::Flag(FLAG));
        self.sources.0.entry(format!("origin.{name}")).or_insert(Source::Flag(FLAG));
        self.named(name).urls = vec![url];
    }

    /// Notes a fault that lies outside of any text.
    pub fn problem(&mut self, problem: Problem) {
        if self.problems.len() < limits::config::PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// What all layers together mean, or everything that is wrong.
    pub fn finish(mut self) -> Result<(Config, Sources), Vec<Problem>> {
        self.check_whole();
        if self.problems.is_empty() { Ok((self.config, self.sources)) } else { Err(self.problems) }
    }

    /// What was read so far, and what is wrong with it.
    pub fn parts(self) -> (Config, Vec<Problem>) {
        (self.config, self.problems)
    }

    fn section(&mut self, reading: &mut Reading<'_>, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let known = |key: &&Key<Config>| key.section == section && key.name == name.get_ref();
            let Some(key) = keys().find(known) else {
                let text = unknown_key(section, section, name.get_ref());
                reading.fault(name.span().start, text);
                continue;
            };
            if reading.was_set(&key.path(), (key.set)(&mut self.config, value)) {
                let source = reading.text.source(value.span().start);
                self.sources.0.insert(key.path(), source);
            }
        }
    }

    fn origins(&mut self, reading: &mut Reading<'_>, list: &DeArray<'_>) {
        let mut seen = Map::new();
        for item in list {
            let Some(table) = item.get_ref().as_table() else {
                let fault = Fault::expected(item, "[[origin]]");
                reading.fault(fault.at, format!("origin: {}", fault.text));
                continue;
            };
            let name = reading.name(item, table);
            if let Some(name) = &name {
                let line = reading.text.line(item.span().start);
                if let Some(first) = seen.insert(name.clone(), line) {
                    let text = format!("origin.name: '{name}' stands twice, first in line {first}");
                    reading.fault(item.span().start, text);
                }
            }
            self.origin(reading, name, item);
        }
    }

    /// Reads the keys of one `[[origin]]`; one without a usable name is only looked through.
    fn origin(&mut self, reading: &mut Reading<'_>, name: Option<String>, item: &Value<'_>) {
        let section = name.as_ref().map_or("origin".into(), |name| format!("origin.{name}"));
        // One more than allowed is kept for the complaint; the others are only looked through.
        let full = self.config.origins.len() > limits::config::ORIGINS;
        let name = name.filter(|name| !full || self.config.origins.iter().any(|o| o.name == *name));
        let named = name.is_some();
        let mut nameless = Origin::named(String::new());
        let mut set = Vec::new();
        let origin = match name {
            Some(name) => self.named(name),
            None => &mut nameless,
        };
        for (name, value) in item.get_ref().as_table().into_iter().flatten() {
            let known = |key: &&Key<Origin>| key.name == name.get_ref();
            if name.get_ref() == "name" {
                continue;
            }
            let Some(key) = ORIGIN.iter().find(known) else {
                let text = unknown_key("origin", &section, name.get_ref());
                reading.fault(name.span().start, text);
                continue;
            };
            let path = format!("{section}.{}", key.name);
            reading.was_set(&path, (key.set)(origin, value));
            // Also where it is wrong: then it is not missing.
            set.push((path, reading.text.source(value.span().start)));
        }
        if named {
            self.sources.0.entry(section).or_insert(reading.text.source(item.span().start));
            self.sources.0.extend(set);
        }
    }

    /// The origin of that name, a new one at the end if there is none.
    fn named(&mut self, name: String) -> &mut Origin {
        let origins = &mut self.config.origins;
        let index = origins.iter().position(|origin| origin.name == name).unwrap_or(origins.len());
        if index == origins.len() {
            origins.push(Origin::named(name));
        }
        &mut origins[index]
    }

    fn flag_faults(&mut self, flag: &'static str, faults: &[Fault]) {
        for fault in faults {
            self.problem(Problem::new(Source::Flag(flag), fault.text.clone()));
        }
    }

    /// What no single value shows.
    fn check_whole(&mut self) {
        let mut found = Vec::new();
        for origin in &self.config.origins {
            let key = format!("origin.{}", origin.name);
            let read = self.sources.0.contains_key(&format!("{key}.url"));
            if origin.urls.is_empty() && !read && !self.broken {
                let text = format!("{key}: the key 'url' is missing");
                found.push(Problem::new(self.sources.of(&key), text));
            }
        }
        if self.config.origins.len() > limits::config::ORIGINS {
            let last = &self.config.origins[limits::config::ORIGINS].name;
            let text = format!("origin: more than {} origins", limits::config::ORIGINS);
            found.push(Problem::new(self.sources.of(&format!("origin.{last}")), text));
        }
        self.check_doors(&mut found);
        self.check_network(&mut found);
        for problem in found {
            self.problem(problem);
        }
    }
}

impl Merge {
    /// No two doors stand at one address; port 0 is any free one.
    fn check_doors(&self, found: &mut Vec<Problem>) {
        let config = &self.config;
        let player = config.player.listen.iter().map(|address| ("player.listen", address));
        let admin = config.admin.listen.iter().map(|address| ("admin.listen", address));
        let peers = config.network.listen.iter().filter(|_| config.network.exists());
        let peers = peers.map(|address| ("network.listen", address));
        let doors: Vec<_> = player.chain(admin).chain(peers).collect();
        for (index, (key, address)) in doors.iter().enumerate() {
            let same = doors[..index].iter().find(|(_, other)| other == address);
            if let Some((other, _)) = same.filter(|_| address.port() != 0) {
                let text = format!("{key}: {other} has {address} as well");
                found.push(Problem::new(self.sources.of(key), text));
            }
        }
    }

    /// Nobody may come into a network unasked, and a certificate is of no use alone.
    fn check_network(&self, found: &mut Vec<Problem>) {
        let network = &self.config.network;
        let wrong = |problem: &Problem| problem.text.starts_with("network.");
        if !network.exists() || self.broken || self.problems.iter().any(wrong) {
            return;
        }
        let mut fault = |key: &str, text: &str| {
            let text = format!("network.{key}: {text}");
            found.push(Problem::new(self.sources.of(&format!("network.{key}")), text));
        };
        let closed = network.secret_file.is_some() || network.ca.is_some();
        if !closed && network.operators.is_empty() {
            let text = "anybody could join: the key 'secret-file', 'operators' or 'ca' is missing";
            fault("name", text);
        }
        let parts = [
            ("ca", &network.ca),
            ("certificate", &network.certificate),
            ("private-key", &network.private_key),
        ];
        let given = parts.iter().find(|(_, path)| path.is_some());
        let missing = parts.iter().find(|(_, path)| path.is_none());
        if let (Some((given, _)), Some((missing, _))) = (given, missing) {
            fault(given, &format!("it needs the key '{missing}' beside it"));
        }
    }

    /// Reads the files that the configuration is not complete without.
    pub fn read_secret(&mut self) {
        let network = &self.config.network;
        let Some(path) = network.secret_file.as_ref().filter(|_| network.exists()) else { return };
        match Secret::read(path, &self.sources.of("network.secret-file")) {
            Ok(secret) => self.config.network.secret = Some(secret),
            // Players need none.
            Err(problem) => self.config.network.fault = Some(problem.to_string()),
        }
    }
}

impl Reading<'_> {
    fn fault(&mut self, at: usize, text: String) {
        let line = self.text.line(at);
        if self.problems.len() < limits::config::PROBLEMS && self.parsed.sound(line) {
            self.problems.push(Problem::new(self.text.source(at), text));
        }
    }

    /// Notes what was wrong with a key, if anything; answers whether it was set.
    fn was_set(&mut self, path: &str, read: Read<()>) -> bool {
        let faults = read.err().unwrap_or_default();
        for fault in &faults {
            self.fault(fault.at, format!("{path}: {}", fault.text));
        }
        faults.is_empty()
    }

    /// The name of an `[[origin]]`, where it has a proper one.
    fn name(&mut self, item: &Value<'_>, table: &DeTable<'_>) -> Option<String> {
        let Some(value) = table.get("name") else {
            if self.problems.iter().all(|problem| !problem.of_syntax()) {
                self.fault(item.span().start, "origin: the key 'name' is missing".into());
            }
            return None;
        };
        match read::one(value, origin_name) {
            Ok(name) => Some(name),
            Err(faults) => {
                for fault in faults {
                    self.fault(fault.at, format!("origin.name: {}", fault.text));
                }
                None
            }
        }
    }
}

/// A string that stands in no file.
pub fn text(value: &str) -> Value<'_> {
    Spanned::new(0..0, DeValue::String(value.into()))
}

/// A list of strings that stands in no file.
pub fn texts(values: &[String]) -> Value<'_> {
    let mut list = DeArray::new();
    for value in values {
        list.push(text(value));
    }
    Spanned::new(0..0, DeValue::Array(list))
}

/// A name that may stand in our URLs; `.` and `..` would climb there (RFC 3986, 5.2.4).
fn origin_name(name: &str) -> Result<String, &'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fits = (1..=limits::config::NAME).contains(&name.len()) && name.bytes().all(allowed);
    (fits && name != "." && name != "..")
        .then(|| name.into())
        .ok_or("a name of 1 to 64 letters, digits, '-', '_' and '.', such as \"tv\"")
}

/// A name for an origin after its host: the first label that is not `www`, or the whole of an
/// address, with a number behind it where that name is taken.
fn derived(host: &str, taken: impl Fn(&str) -> bool) -> String {
    let labels = || host.split('.').filter(|label| !label.is_empty() && *label != "www");
    let address = host.parse::<core::net::IpAddr>().is_ok();
    let stem = if address { host } else { labels().next().unwrap_or("origin") };
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let stem: String = stem.chars().map(safe).take(limits::config::NAME - 4).collect();
    let numbered = (2..).map(|number| format!("{stem}{number}"));
    let mut names = core::iter::once(stem.clone()).chain(numbered);
    names.find(|name| !taken(name)).expect("there are more numbers than origins")
}

fn unknown_section(name: &str, value: &DeValue<'_>) -> String {
    if value.is_table() || value.is_array() {
        let meant = nearest(name, SECTIONS).map(|near| format!(", did you mean '{near}'?"));
        return format!("unknown section '{}'{}", clean(name), meant.unwrap_or_default());
    }
    let meant = elsewhere(name).map(|near| format!(", did you mean '{near}'?"));
    format!("unknown key '{}'{}", clean(name), meant.unwrap_or_default())
}

/// The message for a key that `section` does not know; `shown` is how messages name the section.
fn unknown_key(section: &str, shown: &str, name: &str) -> String {
    let own = keys().filter(|key| key.section == section).map(|key| key.name);
    let origin = ORIGIN.iter().map(|key| key.name).chain(["name"]);
    let origin = origin.filter(|_| section == "origin");
    let near = nearest(name, own.chain(origin)).map(String::from).or_else(|| elsewhere(name));
    let meant = near.map(|near| format!(", did you mean '{near}'?"));
    format!("unknown key '{shown}.{}'{}", clean(name), meant.unwrap_or_default())
}

/// The full path of a key that is named so in another section.
fn elsewhere(name: &str) -> Option<String> {
    let beside = keys().filter(|key| key.name == name).map(Key::path);
    beside.chain(ORIGIN.iter().filter(|key| key.name == name).map(Key::path)).next()
}

/// A name for a message: no control characters, not longer than a line.
fn clean(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_without_a_name_is_called_after_its_host() {
        let never = |_: &str| false;
        for (host, name) in [
            ("cdn.example.com", "cdn"),
            ("www.example.com", "example"),
            ("localhost", "localhost"),
            ("192.168.1.5", "192.168.1.5"),
            ("2001:db8::1", "2001-db8--1"),
            ("..", "origin"),
        ] {
            assert_eq!(derived(host, never), name);
            assert!(origin_name(name).is_ok(), "{name}");
        }
        assert_eq!(derived("cdn.example.com", |name| name == "cdn" || name == "cdn2"), "cdn3");
        assert!(origin_name(&derived(&"x".repeat(255), never)).is_ok());
    }

    #[test]
    fn a_name_is_safe_in_a_url() {
        for name in ["", ".", "..", "a/b", "a b", "ä", "a?b", &"x".repeat(65)] {
            assert!(origin_name(name).is_err(), "{name}");
        }
        for name in ["tv", "TV-1_a.b", "...", &"x".repeat(64)] {
            assert!(origin_name(name).is_ok(), "{name}");
        }
    }
}
