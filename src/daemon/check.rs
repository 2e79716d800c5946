//! `neap check`: what is configured, where each value came from, and what is odd about it.

use core::fmt::Write;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::notes;
use crate::config::keys::key::Sources;
use crate::config::keys::origin::ORIGIN;
use crate::config::keys::table::{SECTIONS, keys};
use crate::config::layers::{Flags, Loaded, Paths};
use crate::config::model::{Config, Origin};
use crate::config::problem::exit_code;
use crate::config::show;
use crate::config::site::own_key;
use crate::host::clock;
use crate::net::peer::identity::{self, Identity};
use crate::net::peer::secure::Secure;
use crate::net::peer::settings::Settings;

/// What a command prints and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// For standard output.
    pub out: String,
    /// For standard error.
    pub err: String,
    /// The exit code.
    pub code: u8,
}

/// Loads the configuration and says what holds; `quiet` leaves only problems and warnings.
pub fn check(paths: &Paths, flags: &Flags, quiet: bool) -> Outcome {
    match configured(paths, flags) {
        Err(outcome) => outcome,
        Ok(loaded) => {
            let out = if quiet { String::new() } else { listing(&loaded.config, &loaded.sources) };
            let fault = network_fault(&loaded.config);
            let fault = fault.map(|fault| format!("neap: {fault}\n"));
            let err = remarks(&loaded) + in_use(&loaded.config) + &fault.unwrap_or_default();
            Outcome { out, err, ..Outcome::default() }
        }
    }
}

/// The configuration that a command works with.
///
/// # Errors
/// What the command ends with where the files cannot be used: their problems, one line each.
pub fn configured(paths: &Paths, flags: &Flags) -> Result<Loaded, Outcome> {
    Config::load(paths, flags).map_err(|problems| {
        let err = problems.iter().map(|problem| format!("neap: {problem}\n")).collect();
        Outcome { err, code: exit_code(&problems), ..Outcome::default() }
    })
}

/// What of the files of the network keeps a node from sharing: the secret, the admission, its
/// own key or its certificate; or has others turn it away. Players are served all the same.
fn network_fault(config: &Config) -> Option<String> {
    if !config.network.exists() {
        return None;
    }
    let key = config.network.state.join(identity::FILE);
    let key = || Some(Identity::read(&key).err().filter(|_| key.exists())?.to_string());
    let nothing = |why: String| format!("nothing is shared: {why}");
    let settings = match Settings::of(&config.network) {
        Ok(settings) => settings,
        Err(error) => return Some(nothing(error.to_string())),
    };
    let admission = || {
        let own = own_key(&config.network.state).filter(|_| settings.vendor.is_none())?;
        settings.admission_fault(own, clock::trusted_date()).map(str::to_owned)
    };
    let vendor = || match Secure::vendor(settings.vendor.as_ref()?, clock::trusted_date) {
        Err(error) => Some(nothing(error.to_string())),
        Ok((_, doubt)) => doubt.map(|doubt| format!("warning: network.certificate: {doubt}")),
    };
    let fault = config.network.fault.clone().or_else(key).or_else(admission);
    fault.map(nothing).or_else(vendor)
}

/// The exit code of a start that failed.
pub(super) fn code_of(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::PermissionDenied => 77,
        io::ErrorKind::InvalidData => 78,
        _ => 70,
    }
}

/// What to say where a node has the state folder that is not seen to be this configuration's: the
/// one that answers at its control socket is to be reloaded.
fn in_use(config: &Config) -> &'static str {
    let answers = |path: &PathBuf| UnixStream::connect(path).is_ok();
    let is_ours = config.admin.control.as_ref().is_some_and(answers);
    let says = config.network.exists() && !is_ours && notes::is_used(&config.network.state);
    if says { IN_USE } else { "" }
}

fn remarks(loaded: &Loaded) -> String {
    loaded.warnings.iter().map(|warning| format!("neap: warning: {warning}\n")).collect()
}

/// The effective configuration as TOML that reads back to it, but for masked secrets.
pub fn listing(config: &Config, sources: &Sources) -> String {
    let mut out = String::new();
    let config = &masked_trackers(config);
    for section in SECTIONS {
        if section == "origin" {
            config.origins.iter().for_each(|origin| origin_listing(&mut out, origin, sources));
            continue;
        }
        line(&mut out, format_args!("[{section}]"), "");
        for key in keys().filter(|key| key.section == section) {
            let source = sources.of(&key.path()).to_string();
            line(&mut out, format_args!("{} = {}", key.name, (key.show)(config)), &source);
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn origin_listing(out: &mut String, origin: &Origin, sources: &Sources) {
    let section = format!("origin.{}", origin.name);
    let shown = masked(origin);
    line(out, format_args!("[[origin]]"), "");
    let name = show::text(&origin.name);
    line(out, format_args!("name = {name}"), &sources.of(&section).to_string());
    for key in ORIGIN {
        let source = sources.of(&format!("{section}.{}", key.name)).to_string();
        line(out, format_args!("{} = {}", key.name, (key.show)(&shown)), &source);
    }
    out.push('\n');
}

fn line(out: &mut String, text: core::fmt::Arguments<'_>, source: &str) {
    let comment = if source.is_empty() { "" } else { "  # " };
    writeln!(out, "{text}{comment}{source}").expect("a String takes all");
}

/// The origin without the secrets in its fields.
fn masked(origin: &Origin) -> Origin {
    let mask = |(name, value): &(String, String)| {
        let value = if show::secret(name) { MASK } else { value.as_str() };
        (name.clone(), value.to_owned())
    };
    Origin { headers: origin.headers.iter().map(mask).collect(), ..origin.clone() }
}

/// The configuration without the passes that trackers' URLs may hold.
fn masked_trackers(config: &Config) -> Config {
    let mut config = config.clone();
    let plain = |target: &str| matches!(target, "/" | "/announce");
    for tracker in config.network.trackers.iter_mut().filter(|it| !plain(&it.target)) {
        tracker.target = format!("/{MASK}");
    }
    config
}

/// One key at two nodes would be one node to others.
const IN_USE: &str = "neap: warning: network.state: a neap runs with it that does not answer at \
                      this admin.control: a second one needs its own, or it shares nothing\n";

/// What stands in place of a secret.
const MASK: &str = "(hidden)";

#[cfg(test)]
mod tests {
    use crate::config::file::Text;
    use crate::config::merge::Merge;

    use super::*;

    fn read(text: &str) -> (Config, Sources) {
        let mut merge = Merge::default();
        merge.file(&Text::new("n.toml".as_ref(), text.into()));
        merge.finish().expect("a configuration")
    }

    #[test]
    fn the_listing_reads_back_to_the_same_configuration() {
        let text = "
            [player]
            listen = [\"0.0.0.0:80\", \"[::1]:8642\"]
            allow = [\"10.0.0.0/8\", \"fd00::1\"]
            host-names = \"tv.lan\"
            [admin]
            listen = \"\"
            [[origin]]
            name = \"tv\"
            url = [\"https://a.example/x\", \"http://[::1]:81/\"]
            hosts = [\"::1\"]
            headers = { B = \"2\", A = \"\\\"1\\\"\" }
            timeout = \"1.5 s\"
            [[origin]]
            name = \"b\"
            url = \"https://b.example\"
            ignore-query = \"token\"
            follow-redirects = false
            [cache]
            memory = \"1.5 MiB\"
            disk = \"12345 B\"
            [log]
            level = \"trace\"
            target = \"stderr\"";
        for text in ["", text] {
            let (config, sources) = read(text);
            let listing = listing(&config, &sources);
            assert_eq!(read(&listing).0, config, "{listing}");
        }
    }

    #[test]
    fn each_value_says_where_it_came_from() {
        let (config, sources) = read("[cache]\nmemory = \"1 MiB\"\n");
        let listing = listing(&config, &sources);
        assert!(listing.contains("\nmemory = \"1 MiB\"  # n.toml:2\n"), "{listing}");
        assert!(listing.contains("\ndisk = \"0\"  # default\n"), "{listing}");
    }

    #[test]
    fn secrets_are_hidden() {
        let text = "[[origin]]\nname = 'a'\nurl = 'https://a'\n\
                    headers = { Authorization = 'Bearer s3cret', 'X-Api-Key' = 's3cret', \
                    Via = 'x' }";
        let (config, sources) = read(text);
        let listing = listing(&config, &sources);
        assert!(!listing.contains("s3cret"), "{listing}");
        assert!(listing.contains("\"Authorization\" = \"(hidden)\""), "{listing}");
        assert!(listing.contains("\"Via\" = \"x\""), "{listing}");
        let text = "[network]\ntrackers = ['http://t.example/s3cret/announce', \
                    'http://t.example/announce?pass=s3cret', 'udp://10.0.0.1:1/s3cret', \
                    'http://t.example/announce', 'udp://10.0.0.1:1']";
        let (config, sources) = read(text);
        let listing = super::listing(&config, &sources);
        let shown = "trackers = [\"http://t.example/(hidden)\", \"http://t.example/(hidden)\", \
                     \"udp://10.0.0.1:1/(hidden)\", \"http://t.example/announce\", \
                     \"udp://10.0.0.1:1/\"]";
        assert!(listing.contains(shown), "{listing}");
    }
}
