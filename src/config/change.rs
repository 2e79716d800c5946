//! What differs between two configurations, and whether a running neap can take it over.

use core::fmt;

use super::keys::origin::ORIGIN;
use super::keys::table::keys;
use super::model::{Config, Origin, Share};
use crate::base::limits;

/// One key whose value is another now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key, such as `cache.memory` or `origin.tv.url`; `origin.tv` for a whole origin and
    /// `origin` for their order.
    pub key: String,
    /// What happened to it.
    pub kind: Kind,
    /// Whether it holds at once; else from the next start on.
    pub live: bool,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An origin is new.
    Added,
    /// An origin is gone.
    Removed,
    /// The value is another one.
    Changed,
}

/// Everything in which `new` differs from `old`, in the order of the shipped file.
pub fn difference(old: &Config, new: &Config) -> Vec<Change> {
    let changed = keys().filter(|key| (key.show)(old) != (key.show)(new));
    let mut changes: Vec<_> = changed
        .map(|key| Change { key: key.path(), kind: Kind::Changed, live: key.live })
        .collect();
    let (before, after) = (&old.network, &new.network);
    let is_read = after.fault.is_none() && before.secret_file == after.secret_file;
    if before.secret != after.secret && is_read {
        let key = "network.secret-file".into();
        changes.push(Change { key, kind: Kind::Changed, live: false });
    }
    origins(&old.origins, &new.origins, &mut changes);
    changes
}

impl Config {
    /// The new configuration as far as it can hold now: what needs a restart stays as it is.
    pub fn taken_over(&self, new: &Self) -> Self {
        let mut taken = new.clone();
        taken.player.listen.clone_from(&self.player.listen);
        taken.admin.clone_from(&self.admin);
        taken.cache.path.clone_from(&self.cache.path);
        taken.network.clone_from(&self.network);
        taken.origins = placed(&self.origins, &new.origins);
        taken.log.target = self.log.target;
        taken
    }
}

/// The new origins, each at its place for as long as neap runs: what is under way knows them by
/// it. Who stays keeps it, who is new comes behind all others, and who is gone leaves his name
/// there. Where there is no room left for that, all stays as it is.
fn placed(old: &[Origin], new: &[Origin]) -> Vec<Origin> {
    let stay = |was: &Origin| new.iter().find(|origin| origin.is_same(was)).cloned();
    let gone = |was: &Origin| Origin {
        urls: Vec::new(),
        hosts: Vec::new(),
        share: Share::None,
        ..was.clone()
    };
    let mut all: Vec<_> = old.iter().map(|was| stay(was).unwrap_or_else(|| gone(was))).collect();
    let is_new = |origin: &&Origin| !old.iter().any(|was| origin.is_same(was));
    all.extend(new.iter().filter(is_new).cloned());
    if all.len() > limits::config::PLACES { old.to_vec() } else { all }
}

fn origins(old: &[Origin], new: &[Origin], changes: &mut Vec<Change>) {
    let find = |list: &[Origin], name: &str| {
        list.iter().position(|origin| origin.name == name && !origin.urls.is_empty())
    };
    let after = placed(old, new);
    let live = new.iter().all(|origin| after.contains(origin));
    let mut note = |key: String, kind, live| changes.push(Change { key, kind, live });
    let is_gone = |was: &&Origin| !was.urls.is_empty() && find(new, &was.name).is_none();
    for origin in old.iter().filter(is_gone) {
        note(format!("origin.{}", origin.name), Kind::Removed, live);
    }
    let mut places = Vec::new();
    for origin in new {
        let Some(before) = find(old, &origin.name) else {
            note(format!("origin.{}", origin.name), Kind::Added, live);
            continue;
        };
        places.push(before);
        for key in ORIGIN.iter().filter(|key| (key.show)(&old[before]) != (key.show)(origin)) {
            note(format!("origin.{}.{}", origin.name, key.name), Kind::Changed, live);
        }
    }
    if !places.is_sorted() {
        // It decides only whose a URL is that two of them have.
        note("origin".into(), Kind::Changed, false);
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Added => "is new",
            Kind::Removed => "is gone",
            Kind::Changed => "changed",
        };
        let restart = if self.live { "" } else { ", which needs a restart" };
        write!(f, "{} {kind}{restart}", self.key)
    }
}

#[cfg(test)]
mod tests {
    use crate::base::units::Size;
    use crate::base::url::Url;

    use super::super::secret::Secret;
    use super::*;

    fn origin(name: &str) -> Origin {
        Origin::new(name.into(), Url::parse("https://cdn.example/").expect("a URL"))
    }

    fn shown(old: &Config, new: &Config) -> Vec<String> {
        difference(old, new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_change_says_when_it_holds() {
        let old = Config::default();
        assert_eq!(shown(&old, &old), [""; 0]);
        let mut new = old.clone();
        new.cache.memory = Size(1 << 20);
        new.cache.path = "/elsewhere".into();
        new.player.listen.clear();
        assert_eq!(
            shown(&old, &new),
            [
                "player.listen changed, which needs a restart",
                "cache.memory changed",
                "cache.path changed, which needs a restart",
            ]
        );
    }

    #[test]
    fn origins_are_told_apart_by_name() {
        let with = |origins| Config { origins, ..Config::default() };
        let old = with(vec![origin("a"), origin("b"), origin("c")]);
        let mut slow = origin("b");
        slow.timeout *= 2;
        let new = with(vec![origin("c"), slow, origin("d")]);
        assert_eq!(
            shown(&old, &new),
            ["origin.a is gone", "origin.b.timeout changed", "origin.d is new", ORDER]
        );
    }

    const ORDER: &str = "origin changed, which needs a restart";

    #[test]
    fn an_origin_keeps_its_place_and_nobody_gets_that_of_another() {
        let with = |origins| Config { origins, ..Config::default() };
        let names = |config: &Config| {
            let name = |place: crate::base::url::Place| match place.bases.len() {
                0 => format!("({})", place.name),
                _ => place.name,
            };
            config.places().0.into_iter().map(name).collect::<Vec<_>>()
        };
        let old = with(vec![origin("a"), origin("b")]);
        let swapped = old.taken_over(&with(vec![origin("b"), origin("a")]));
        assert_eq!(names(&swapped), ["a", "b"]);
        let fewer = swapped.taken_over(&with(vec![origin("b")]));
        assert_eq!(names(&fewer), ["(a)", "b"]);
        assert_eq!(shown(&fewer, &with(vec![origin("b")])), [""; 0], "said once");
        let again = fewer.taken_over(&old);
        assert_eq!(names(&again), ["(a)", "b", "a"]);
        assert_eq!(shown(&fewer, &old), ["origin.a is new"]);
        let at = |path: &str| again.places().locate(path).map(|locator| locator.origin.0);
        assert_eq!((at("/a/x"), at("/b/x")), (Some(2), Some(1)));
        let mut moved = origin("b");
        moved.urls.insert(0, Url::parse("https://first.example/").expect("a URL"));
        assert_eq!(names(&old.taken_over(&with(vec![moved.clone()]))), ["(a)", "b"]);
        moved.urls.pop();
        let moved = old.taken_over(&with(vec![moved]));
        assert_eq!(names(&moved), ["(a)", "(b)", "b"], "another server");
        let many = |from: u32| with((from..from + 500).map(|n| origin(&n.to_string())).collect());
        let two = many(0).taken_over(&many(1000));
        assert_eq!(two.origins.len(), 1000);
        assert_eq!(two.taken_over(&many(2000)), two);
        assert!(shown(&two, &many(2000)).iter().all(|line| line.ends_with("needs a restart")));
    }

    #[test]
    fn what_needs_a_restart_stays_as_it_is() {
        let old = Config::default();
        let mut new = with_all_changed();
        new.origins = vec![origin("a")];
        let taken = old.taken_over(&new);
        assert!(difference(&old, &taken).iter().all(|change| change.live));
        assert!(difference(&taken, &new).iter().all(|change| !change.live));
        assert_eq!(difference(&old, &new).len(), keys().count() + 1);
    }

    #[test]
    fn another_secret_in_the_same_file_is_a_change() {
        let secret = |byte| Secret::new(vec![byte; 16]).ok();
        let mut old = Config::default();
        old.network.secret_file = Some("/s".into());
        old.network.secret = secret(1);
        let mut new = old.clone();
        new.network.secret = secret(2);
        assert_eq!(shown(&old, &new), ["network.secret-file changed, which needs a restart"]);
    }

    fn with_all_changed() -> Config {
        let text = "[player]\nlisten='127.0.0.1:1'\nallow='::1'\nhost-names='a'\ncors=[]\n\
                    pacing='off'\n\
                    [admin]\nlisten=''\ncontrol=''\n\
                    [cache]\nmemory='1 B'\ndisk='1 B'\npath='/x'\nmax-object='1 B'\n\
                    [network]\nname='a'\nsecret-file='/s'\nadmission-file='/a'\n\
                    operators='KEY'\nlisten=[]\npeers='[::1]:1'\nmax-peers=1\n\
                     role='gateway'\nwitnesses='KEY'\npublishers='KEY'\nverify=[]\nquorum=4\n\
                     state='/x'\ndiscovery=false\nport-mapping=true\n\
                     trackers='udp://t:1'\nisp-prefixes='::/8'\n\
                     groups={a='::/8'}\nrelay-only=true\nca='/c'\ncertificate='/c'\n\
                     private-key='/k'\n[sharing]\nenabled=false\n\
                     min-audience=1\n\
                    [caps]\ncpu='1 %'\nupload='1 bit/s'\nupload-home='1 bit/s'\n\
                    upload-isp='1 bit/s'\nupload-wan=''\nupload-peer='1 bit/s'\n\
                    download='1 bit/s'\ndownload-home='1 bit/s'\n\
                    download-isp='1 bit/s'\ndownload-wan='1 bit/s'\n\
                    day-upload-wan='1 B'\nmonth-upload-wan='1 B'\n\
                    day-download-wan='1 B'\nmonth-download-wan='1 B'\n\
                    schedule='daily 00:00-01:00 upload=0'\nmetered='off'\nvpn='off'\n\
                    roaming='off'\nmetered-interfaces='a'\nvpn-interfaces='a'\n\
                    memory='1 B'\nflash-writes=''\nflash-wear='1 %'\npower='1 W'\n\
                    energy='1 Wh/day'\nmodel-idle='1 W'\nmodel-cpu='1 W'\n\
                    model-sent='1 nJ/B'\nmodel-received='1 nJ/B'\n\
                    model-written='1 nJ/B'\ntemperature=''\nhysteresis='1 C'\n\
                    battery='ignore'\nstandby-after='1 h'\nconntrack='1 %'\n\
                    sysfs='/x'\nprocfs='/x'\n\
                    [log]\ntarget='stderr'\nlevel='warn'\n";
        let text = text.replace("KEY", &format!("ed25519:{}", "a5".repeat(32)));
        let text = super::super::file::Text::new("n".as_ref(), text);
        let mut merge = super::super::merge::Merge::default();
        merge.file(&text);
        merge.finish().expect("a configuration").0
    }
}
