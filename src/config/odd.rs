//! What works and is hardly meant: warnings of `neap check` and of the start.

use core::net::SocketAddr;

use crate::base::map::Map;
use crate::base::peer::{Role, Tier};
use crate::base::url::Scheme;

use super::keys::key::Sources;
use super::keys::table::keys;
use super::model::{Config, Origin, Rung};
use super::problem::{Source, Warning};
use super::site::Site;

/// Everything that is odd about `config` on a machine such as `site`.
pub fn odd(config: &Config, sources: &Sources, site: &Site) -> Vec<Warning> {
    let mut odd = Odd { sources, warnings: Vec::new(), many: [0; MANY.len()] };
    odd.player(config, site);
    odd.ports(config);
    odd.origins(config, site);
    odd.cache(config, site);
    odd.network(config, site);
    odd.trust(config, site);
    for (key, text) in super::tight::tight(config, site) {
        odd.warn(key, text);
    }
    odd.warnings
}

struct Odd<'a> {
    sources: &'a Sources,
    warnings: Vec<Warning>,
    /// How often each of [`MANY`] was found.
    many: [usize; MANY.len()],
}

impl Odd<'_> {
    fn warn(&mut self, key: impl Into<String>, text: impl Into<String>) {
        let key = key.into();
        let source = self.sources.of(&key);
        self.warnings.push(Warning { source, key, text: text.into() });
    }

    /// Whether what hundreds of origins may have in common is told once more.
    fn is_new(&mut self, kind: usize) -> bool {
        self.many[kind] += 1;
        self.many[kind] <= TOLD
    }

    fn player(&mut self, config: &Config, site: &Site) {
        let player = &config.player;
        let far = player.listen.iter().find(|address| !address.ip().is_loopback());
        if let Some(address) = far {
            if player.allow.is_empty() {
                let text = "nobody but this device is answered: player.allow names no network";
                self.warn(
                    "player.listen",
                    format!("{address} is reached from other devices, but {text}"),
                );
            }
            if player.cors.iter().any(|origin| origin == "*") {
                let text = "any web page that a device in the network opens can read through neap";
                self.warn("player.cors", format!("with \"*\" and {address}, {text}"));
            }
        }
        for network in player.allow.iter().filter(|network| network.bits == 0) {
            self.warn("player.allow", format!("{network} lets every device in the world in"));
        }
        let control = config.admin.control.as_ref().zip(site.control);
        // The built-in place is made by the service's manager.
        let control = control.filter(|_| self.sources.of("admin.control") != Source::Default);
        if let Some((path, why)) = control {
            let text = format!("{} {why}, so 'neap status' will not work", path.display());
            self.warn("admin.control", text);
        }
        if config.admin.listen.is_some_and(|address| !address.ip().is_loopback()) {
            let text = "the status page has no password and is reached from other devices";
            self.warn("admin.listen", text);
        }
    }

    fn ports(&mut self, config: &Config) {
        let low = |address: &&SocketAddr| (1..1024).contains(&address.port());
        let admin = config.admin.listen.iter().map(|address| ("admin.listen", address));
        let player = config.player.listen.iter().map(|address| ("player.listen", address));
        for (key, address) in player.chain(admin).filter(|(_, address)| low(address)) {
            let text = "ports below 1024 need root or CAP_NET_BIND_SERVICE";
            self.warn(key, format!("{address}: {text}"));
        }
    }

    fn origins(&mut self, config: &Config, site: &Site) {
        if config.origins.is_empty() {
            self.warn("origin", "no origin is configured, so no request can be answered");
        }
        for origin in &config.origins {
            let key = |name: &str| format!("origin.{}.{name}", origin.name);
            for url in origin.urls.iter().filter(|url| url.scheme == Scheme::Http) {
                let text =
                    "is fetched over plain HTTP, which anyone on the way can read and change";
                if self.is_new(PLAIN) {
                    self.warn(key("url"), format!("{url} {text}"));
                }
            }
            if let Some(path) = &origin.ca {
                let bad = site.bad_certificates.iter().find(|(bad, _)| bad == path);
                if let Some((_, why)) = bad.filter(|_| self.is_new(CERTIFICATE)) {
                    self.warn(key("ca"), format!("{}: {why}", path.display()));
                }
            }
            if origin.ignore_query.iter().any(|name| name == "*") && self.is_new(QUERY) {
                let text = "\"*\" takes URLs that differ in their query for the same resource";
                self.warn(key("ignore-query"), text);
            }
        }
        self.shared_hosts(&config.origins);
        for (count, what) in self.many.into_iter().zip(MANY).filter(|(count, _)| *count > TOLD) {
            self.warn("origin", format!("{what}: {} more", count - TOLD));
        }
    }

    /// Absolute URLs in playlists belong to the first origin that knows their host.
    fn shared_hosts(&mut self, origins: &[Origin]) {
        let mut known: Map<String, u64> = Map::new();
        for (index, origin) in origins.iter().enumerate() {
            let earlier = &origins[..index];
            for host in &origin.hosts {
                let first = known.get(host).and_then(|first| earlier.get(*first as usize));
                if let Some(first) = first.filter(|_| self.is_new(HOST)) {
                    let text =
                        format!("{host} is of origin '{}' as well, which comes first", first.name);
                    self.warn(format!("origin.{}.hosts", origin.name), text);
                }
            }
            for host in origin.hosts.iter().chain(origin.urls.iter().map(|url| &url.host)) {
                if known.get(host).is_none() {
                    known.insert(host.clone(), index as u64);
                }
            }
            let same = |other: &&Origin| other.urls.iter().any(|url| origin.urls.contains(url));
            if let Some(first) = earlier.iter().find(same).filter(|_| self.is_new(URL)) {
                let text = format!("origin '{}' has the same base URL and comes first", first.name);
                self.warn(format!("origin.{}.url", origin.name), text);
            }
        }
    }

    fn cache(&mut self, config: &Config, site: &Site) {
        let cache = &config.cache;
        if let Some(memory) = site.memory.filter(|memory| cache.memory.0 > memory.0 / 2) {
            let text = format!("{} is more than half of this machine's memory", cache.memory);
            self.warn("cache.memory", format!("{text}, {} MiB", memory.0 >> 20));
        }
        if cache.disk.0 == 0 {
            return;
        }
        let path = cache.path.display();
        if let Some(fault) = site.folder.fault {
            self.warn("cache.path", format!("{path} {fault}: nothing is kept on disk"));
        }
        if site.folder.volatile {
            let text = "lies in memory (tmpfs): raise cache.memory instead";
            self.warn("cache.path", format!("{path} {text}"));
        }
        if let Some(room) = site.folder.room.filter(|room| cache.disk > *room) {
            let text = format!("{} is more than the {} MiB", cache.disk, room.0 >> 20);
            self.warn("cache.disk", format!("{text} that are free for {path}"));
        }
    }
}

impl Odd<'_> {
    fn network(&mut self, config: &Config, site: &Site) {
        let network = &config.network;
        if !network.exists() {
            return self.unused(config);
        }
        if !config.sharing.enabled {
            let text = "nothing is taken from other nodes and nothing is given to them";
            self.warn("sharing.enabled", text);
        }
        if !network.listen.is_empty() && network.listen.iter().all(|at| at.ip().is_loopback()) {
            let text = "other devices do not reach this one: all addresses are of this device";
            self.warn("network.listen", text);
        }
        if network.port_mapping && network.listen.is_empty() {
            let text = "network.listen is empty: there is no port that a router could map";
            self.warn("network.port-mapping", text);
        }
        if !network.trackers.is_empty() {
            let beyond = |origin: &Origin| origin.share.reach() > Some(Tier::Home);
            if !config.origins.iter().any(beyond) {
                self.warn(
                    "network.trackers",
                    "no origin has share = \"isp\" or \"any\": none is asked",
                );
            } else if network.listen.is_empty() || network.relay_only {
                self.warn("network.trackers", "this node lets no strangers in: none is asked");
            }
        }
        let admission = "network.admission-file";
        match (network.operators.is_empty(), &network.admission) {
            (false, None) => {
                let text = "none is given, so nodes with the same operators turn this one away";
                self.warn(admission, format!("{text}: make one with 'neap admit'"));
            }
            (true, Some(_)) => {
                self.warn(admission, "no operators are named, so nobody needs an admission");
            }
            _ => {}
        }
        for (key, path, why) in &site.bad_files {
            self.warn(*key, format!("{}: {why}", path.display()));
        }
        if let Some(fault) = site.state.fault {
            let path = network.state.display();
            self.warn("network.state", format!("{path} {fault}: the node's key cannot be kept"));
        }
    }

    /// Whose records are relied on, and whether that can lead anywhere.
    fn trust(&mut self, config: &Config, site: &Site) {
        let network = &config.network;
        if !network.exists() {
            return;
        }
        let witness = network.role == Role::Witness;
        let secure = |origin: &Origin| origin.urls.iter().any(|url| url.scheme == Scheme::Https);
        if witness && !config.origins.iter().any(secure) {
            let text = "a witness signs what it takes over TLS, and no origin has an https URL";
            self.warn("network.role", text);
        }
        let lists = [
            ("publishers", &network.publishers, Rung::Publisher),
            ("witnesses", &network.witnesses, Rung::Witness),
        ];
        for (name, keys, rung) in lists {
            if !keys.is_empty() && !network.verify.contains(&rung) {
                let text =
                    format!("it leaves out \"{rung}\", so network.{name} counts for nothing");
                self.warn("network.verify", text);
            }
        }
        let nobody = lists.iter().all(|(.., rung)| network.trusted(*rung).is_empty());
        let by_digest = network.verify.contains(&Rung::OriginDigest)
            && config.origins.iter().any(Origin::states_digests);
        if nobody && !witness && !network.verify.contains(&Rung::Quorum) {
            let rest = if by_digest {
                ": only segments whose digest the origin itself states are taken from other nodes"
            } else {
                ", so nothing is taken from other nodes, however many there are"
            };
            let text = format!("no witness and no publisher is trusted{rest}");
            self.warn("network.witnesses", text);
        }
        if site.own_key.is_some_and(|own| network.witnesses.contains(&own)) && !witness {
            let text = "the list holds this node's own key, but network.role is not \"witness\"";
            self.warn("network.witnesses", text);
        }
    }

    /// Keys of a network that there is not.
    fn unused(&mut self, config: &Config) {
        let usual = Config::default();
        // Without a network too, what was used of caps is noted in the state folder.
        let keys = keys().filter(|key| key.section == "network" && key.name != "state");
        let mut changed = keys.filter(|key| (key.show)(config) != (key.show)(&usual));
        if let Some(key) = changed.next() {
            let text = "is not used: network.name is empty, so there are no other nodes";
            self.warn(key.path(), text);
        }
    }
}

/// What many origins may have in common, as it is told of those beyond the first [`TOLD`].
const MANY: [&str; 5] = [
    "base URLs that are fetched over plain HTTP",
    "certificate files that cannot be used",
    "origins that take URLs that differ in their query for the same resource",
    "hosts that are of an earlier origin as well",
    "origins with the base URL of an earlier one",
];

const PLAIN: usize = 0;
const CERTIFICATE: usize = 1;
const QUERY: usize = 2;
const HOST: usize = 3;
const URL: usize = 4;

/// Warnings of one kind that are told one by one: enough to see what they have in common.
const TOLD: usize = 3;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::base::peer::NodeKey;
    use crate::base::units::Size;
    use crate::base::url::Url;

    use super::super::model::{Network, Share};
    use super::super::read::network;
    use super::super::site::Folder;
    use super::super::tracker::tracker;
    use super::*;

    fn origin(name: &str, url: &str) -> Origin {
        Origin::new(name.into(), Url::parse(url).expect("a URL"))
    }

    fn good() -> Config {
        Config { origins: vec![origin("tv", "https://cdn.example/")], ..Config::default() }
    }

    fn check(site: &Site, change: impl Fn(&mut Config), expected: &[&str]) {
        let mut config = good();
        change(&mut config);
        let warnings = odd(&config, &Sources::default(), site);
        let found: Vec<_> = warnings.iter().map(|w| format!("{}: {}", w.key, w.text)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_usual_is_not_odd() {
        check(&Site::default(), |_| {}, &[]);
        let site = Site { memory: Some(Size(1 << 30)), ..Site::default() };
        check(&site, |config| config.cache.disk = Size(1 << 30), &[]);
    }

    #[test]
    fn doors_to_the_network_are_pointed_out() {
        let nobody = "player.listen: 0.0.0.0:8642 is reached from other devices, but nobody but \
                      this device is answered: player.allow names no network";
        let pages = "player.cors: with \"*\" and 0.0.0.0:8642, any web page that a device in the \
                     network opens can read through neap";
        let listen = |config: &mut Config| {
            config.player.listen = vec!["0.0.0.0:8642".parse().expect("an address")];
        };
        check(&Site::default(), listen, &[nobody, pages]);
        let allowed = |config: &mut Config| {
            listen(config);
            config.player.allow = vec![network("192.168.0.0/16").expect("a network")];
        };
        check(&Site::default(), allowed, &[pages]);
        let closed = |config: &mut Config| {
            allowed(config);
            config.player.cors.clear();
        };
        check(&Site::default(), closed, &[]);
        let world = "player.allow: 0.0.0.0/0 lets every device in the world in";
        let all = |config: &mut Config| {
            config.player.allow = vec![network("0.0.0.0/0").expect("a network")];
        };
        check(&Site::default(), all, &[world]);
        let page =
            "admin.listen: the status page has no password and is reached from other devices";
        let admin = |config: &mut Config| {
            config.admin.listen = "[::]:8643".parse().ok();
        };
        check(&Site::default(), admin, &[page]);
        let low = "player.listen: 127.0.0.1:80: ports below 1024 need root or CAP_NET_BIND_SERVICE";
        let eighty = |config: &mut Config| {
            config.player.listen = vec!["127.0.0.1:80".parse().expect("an address")];
        };
        check(&Site::default(), eighty, &[low]);
    }

    #[test]
    fn odd_origins_are_pointed_out() {
        let none = "origin: no origin is configured, so no request can be answered";
        check(&Site::default(), |config| config.origins.clear(), &[none]);
        let plain = "origin.tv.url: http://cdn.example/ is fetched over plain HTTP, which anyone \
                     on the way can read and change";
        let http = |config: &mut Config| config.origins = vec![origin("tv", "http://cdn.example/")];
        check(&Site::default(), http, &[plain]);
        let many = |config: &mut Config| {
            let named = |name| origin(name, &format!("http://{name}.example/"));
            config.origins = ["a", "b", "c", "d", "e"].map(named).into();
            config.origins.iter_mut().for_each(|origin| origin.hosts = vec!["x.example".into()]);
        };
        let plain = |name: &str| {
            plain.replace("tv", name).replace("cdn.example", &format!("{name}.example"))
        };
        let host = |name: &str| {
            format!("origin.{name}.hosts: x.example is of origin 'a' as well, which comes first")
        };
        let rest = |what: &str| format!("origin: {what}");
        let all = [
            plain("a"),
            plain("b"),
            plain("c"),
            host("b"),
            host("c"),
            host("d"),
            rest("base URLs that are fetched over plain HTTP: 2 more"),
            rest("hosts that are of an earlier origin as well: 1 more"),
        ];
        check(&Site::default(), many, &all.each_ref().map(String::as_str));
        let query = "origin.tv.ignore-query: \"*\" takes URLs that differ in their query for the \
                     same resource";
        let star = |config: &mut Config| config.origins[0].ignore_query = vec!["*".into()];
        check(&Site::default(), star, &[query]);
        let file = PathBuf::from("/ca.pem");
        let site =
            Site { bad_certificates: vec![(file.clone(), "gone".into())], ..Site::default() };
        let ca = |config: &mut Config| config.origins[0].ca = Some(file.clone());
        check(&site, ca, &["origin.tv.ca: /ca.pem: gone"]);
        let host = "origin.b.hosts: cdn.example is of origin 'tv' as well, which comes first";
        let shared = |config: &mut Config| {
            let mut second = origin("b", "https://b.example/");
            second.hosts = vec!["cdn.example".into()];
            config.origins.push(second);
        };
        check(&Site::default(), shared, &[host]);
        let base = "origin.b.url: origin 'tv' has the same base URL and comes first";
        let twice = |config: &mut Config| config.origins.push(origin("b", "https://cdn.example/"));
        check(&Site::default(), twice, &[base]);
    }

    #[test]
    fn a_cache_that_does_not_fit_is_pointed_out() {
        let site = Site {
            memory: Some(Size(64 << 20)),
            folder: Folder { fault: None, volatile: true, room: Some(Size(5 << 20)) },
            ..Site::default()
        };
        let memory = "cache.memory: 48 MiB is more than half of this machine's memory, 64 MiB";
        check(&site, |_| {}, &[memory]);
        let tmpfs =
            "cache.path: /var/cache/neap lies in memory (tmpfs): raise cache.memory instead";
        let full = "cache.disk: 1 GiB is more than the 5 MiB that are free for /var/cache/neap";
        check(&site, |config| config.cache.disk = Size(1 << 30), &[memory, tmpfs, full]);
        let folder = Folder { fault: Some("is not a folder"), ..Folder::default() };
        let site = Site { folder, ..Site::default() };
        let none = "cache.path: /var/cache/neap is not a folder: nothing is kept on disk";
        check(&site, |config| config.cache.disk = Size(1), &[none]);
    }

    /// A network that is as it should be.
    fn grouped(config: &mut Config) {
        let key = |byte| NodeKey([byte; 32]);
        config.network.name = "home".into();
        config.network.secret_file = Some("/s".into());
        config.network.witnesses = vec![key(1)];
        config.network.verify = vec![Rung::Publisher, Rung::Witness];
    }

    fn check_network(change: impl Fn(&mut Network), expected: &[&str]) {
        let site = Site { own_key: Some(NodeKey([9; 32])), ..Site::default() };
        let grouped = |config: &mut Config| {
            grouped(config);
            change(&mut config.network);
        };
        check(&site, grouped, expected);
    }

    #[test]
    fn a_network_that_leads_nowhere_is_pointed_out() {
        check_network(|_| {}, &[]);
        let nobody = "network.witnesses: no witness and no publisher is trusted, so nothing is \
                      taken from other nodes, however many there are";
        check_network(|network| network.witnesses.clear(), &[nobody]);
        let digests = "network.witnesses: no witness and no publisher is trusted: only segments \
                       whose digest the origin itself states are taken from other nodes";
        for (rung, expected) in [(Rung::OriginDigest, &[digests][..]), (Rung::Quorum, &[])] {
            let alone = |network: &mut Network| {
                (network.witnesses, network.verify) = (Vec::new(), vec![rung]);
            };
            check_network(alone, expected);
        }
        let left_out = "network.verify: it leaves out \"witness\", so network.witnesses counts for \
                        nothing";
        check_network(|network| network.verify = vec![Rung::Publisher], &[left_out, nobody]);
        let own = "network.witnesses: the list holds this node's own key, but network.role is not \
                   \"witness\"";
        check_network(|network| network.witnesses.push(NodeKey([9; 32])), &[own]);
        let loopback = "network.listen: other devices do not reach this one: all addresses are of \
                        this device";
        let listen = |network: &mut Network| {
            network.listen = vec!["127.0.0.1:1".parse().expect("an address")];
        };
        check_network(listen, &[loopback]);
        check_network(|network| network.listen.clear(), &[]);
        let unmapped = "network.port-mapping: network.listen is empty: there is no port that a \
                        router could map";
        check_network(|network| network.port_mapping = true, &[]);
        let mapped = |network: &mut Network| {
            (network.port_mapping, network.listen) = (true, Vec::new());
        };
        check_network(mapped, &[unmapped]);
        let at_home = "network.trackers: no origin has share = \"isp\" or \"any\": none is asked";
        let tracked = |config: &mut Config| {
            grouped(config);
            config.network.trackers = tracker("udp://a.example:1").into_iter().collect();
        };
        check(&Site::default(), tracked, &[at_home]);
        let shared = |config: &mut Config| {
            tracked(config);
            config.origins[0].share = Share::Isp;
        };
        check(&Site::default(), shared, &[]);
        let hidden = "network.trackers: this node lets no strangers in: none is asked";
        let relayed = |config: &mut Config| {
            shared(config);
            config.network.relay_only = true;
        };
        check(&Site::default(), relayed, &[hidden]);
        let none = "network.admission-file: none is given, so nodes with the same operators turn \
                    this one away: make one with 'neap admit'";
        check_network(|network| network.operators = vec![NodeKey([2; 32])], &[none]);
        let nobody_asks = "network.admission-file: no operators are named, so nobody needs an \
                           admission";
        check_network(|network| network.admission = Some("/a".into()), &[nobody_asks]);
        let unused = "network.secret-file: is not used: network.name is empty, so there are no \
                      other nodes";
        check_network(|network| network.name.clear(), &[unused]);
        check(&Site::default(), |config| config.network.state = "/elsewhere".into(), &[]);
        let off = "sharing.enabled: nothing is taken from other nodes and nothing is given to them";
        let switched = |config: &mut Config| {
            grouped(config);
            config.sharing.enabled = false;
        };
        check(&Site::default(), switched, &[off]);
    }

    #[test]
    fn a_witness_without_a_secure_origin_is_pointed_out() {
        check_network(
            |network| {
                network.role = Role::Witness;
                network.witnesses = vec![NodeKey([9; 32])];
            },
            &[],
        );
        let insecure = "network.role: a witness signs what it takes over TLS, and no origin has an \
                        https URL";
        let plain = "origin.tv.url: http://cdn.example/ is fetched over plain HTTP, which anyone \
                     on the way can read and change";
        let witness = |config: &mut Config| {
            grouped(config);
            config.network.role = Role::Witness;
            config.origins = vec![origin("tv", "http://cdn.example/")];
        };
        check(&Site::default(), witness, &[plain, insecure]);
    }

    #[test]
    fn files_of_a_network_that_do_not_serve_are_pointed_out() {
        let site = Site {
            bad_files: vec![("network.ca", "/c".into(), "there is no such file".into())],
            state: Folder { fault: Some("is not a folder"), ..Folder::default() },
            ..Site::default()
        };
        let state = "network.state: /var/lib/neap is not a folder: the node's key cannot be kept";
        check(&site, grouped, &["network.ca: /c: there is no such file", state]);
        check(&site, |_| {}, &[]);
    }
}
