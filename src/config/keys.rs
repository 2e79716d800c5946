//! The one table of keys: how each is read, shown, and when a change of it takes effect.

use crate::base::limits;
use crate::base::units::plain;

use super::model::{Config, Origin};
use super::problem::Source;
use super::read::{self, Read, Value};
use super::show;
use super::words;

/// One key of the file; `T` is what it belongs to: the configuration, or one origin.
#[derive(Debug)]
pub struct Key<T> {
    /// The section, such as `cache`; `origin` for what stands in `[[origin]]`.
    pub section: &'static str,
    /// The name in its section.
    pub name: &'static str,
    /// Whether a running neap takes a new value over; else it needs a restart.
    pub live: bool,
    /// Takes a value over, or says what is wrong with it and leaves the old one.
    pub set: fn(&mut T, &Value<'_>) -> Read<()>,
    /// The value as TOML; equal text means equal value.
    pub show: fn(&T) -> String,
}

impl<T> Key<T> {
    /// Section and name: `cache.memory`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// Where the value of a key came from, beside the key: `cache.memory`, `origin.tv.url`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub std::collections::BTreeMap<String, Source>);

impl Sources {
    /// The source of a key; built in where nothing else set it.
    pub fn of(&self, key: &str) -> Source {
        self.0.get(key).cloned().unwrap_or_default()
    }
}

/// The sections in the order of the shipped file; `origin` is a list of tables.
pub const SECTIONS: [&str; 7] = ["player", "admin", "origin", "cache", "network", "sharing", "log"];

/// The keys beside the origins', in the order of the shipped file.
pub const KEYS: [Key<Config>; 29] = [
    Key {
        section: "player",
        name: "listen",
        live: false,
        set: |config, value| {
            let item = |value: &Value<'_>| read::one(value, read::socket);
            put(&mut config.player.listen, read::some(value, "at least one address", item))
        },
        show: |config| show::list(&config.player.listen),
    },
    Key {
        section: "player",
        name: "allow",
        live: true,
        set: |config, value| {
            let item = |value: &Value<'_>| read::one(value, read::network);
            put(&mut config.player.allow, read::list(value, item))
        },
        show: |config| show::list(&config.player.allow),
    },
    Key {
        section: "player",
        name: "host-names",
        live: true,
        set: |config, value| {
            let item = |value: &Value<'_>| read::one(value, read::host);
            put(&mut config.player.host_names, read::list(value, item))
        },
        show: |config| show::list(&config.player.host_names),
    },
    Key {
        section: "player",
        name: "cors",
        live: true,
        set: |config, value| {
            let item = |value: &Value<'_>| read::one(value, read::web_origin);
            put(&mut config.player.cors, read::list(value, item))
        },
        show: |config| show::list(&config.player.cors),
    },
    Key {
        section: "admin",
        name: "listen",
        live: false,
        set: |config, value| {
            put(&mut config.admin.listen, read::one(value, read::maybe(read::socket)))
        },
        show: |config| show::maybe(config.admin.listen),
    },
    Key {
        section: "admin",
        name: "control",
        live: false,
        set: |config, value| {
            put(&mut config.admin.control, read::one(value, read::maybe(read::socket_path)))
        },
        show: |config| show::maybe(config.admin.control.as_ref().map(|path| path.display())),
    },
    Key {
        section: "cache",
        name: "memory",
        live: true,
        set: |config, value| put(&mut config.cache.memory, read::size(value)),
        show: |config| show::text(&config.cache.memory.to_string()),
    },
    Key {
        section: "cache",
        name: "disk",
        live: true,
        set: |config, value| put(&mut config.cache.disk, read::size(value)),
        show: |config| show::text(&config.cache.disk.to_string()),
    },
    Key {
        section: "cache",
        name: "path",
        live: false,
        set: |config, value| put(&mut config.cache.path, read::one(value, read::path)),
        show: |config| show::text(&config.cache.path.display().to_string()),
    },
    Key {
        section: "cache",
        name: "max-object",
        live: true,
        set: |config, value| put(&mut config.cache.max_object, read::size(value)),
        show: |config| show::text(&config.cache.max_object.to_string()),
    },
    Key {
        section: "network",
        name: "name",
        live: false,
        set: |config, value| put(&mut config.network.name, read::one(value, read::network_name)),
        show: |config| show::text(&config.network.name),
    },
    Key {
        section: "network",
        name: "secret-file",
        live: false,
        set: |config, value| {
            put(&mut config.network.secret_file, read::one(value, read::maybe(read::path)))
        },
        show: |config| show::maybe(config.network.secret_file.as_ref().map(|path| path.display())),
    },
    Key {
        section: "network",
        name: "admission-file",
        live: false,
        set: |config, value| {
            put(&mut config.network.admission, read::one(value, read::maybe(read::path)))
        },
        show: |config| show::maybe(config.network.admission.as_ref().map(|path| path.display())),
    },
    Key {
        section: "network",
        name: "operators",
        live: false,
        set: |config, value| {
            put(&mut config.network.operators, read::listed(value, read::node_key))
        },
        show: |config| show::list(&config.network.operators),
    },
    Key {
        section: "network",
        name: "listen",
        live: false,
        set: |config, value| put(&mut config.network.listen, read::listed(value, read::socket)),
        show: |config| show::list(&config.network.listen),
    },
    Key {
        section: "network",
        name: "peers",
        live: false,
        set: |config, value| {
            put(&mut config.network.peers, read::listed(value, read::peer_address))
        },
        show: |config| show::list(&config.network.peers),
    },
    Key {
        section: "network",
        name: "max-peers",
        live: false,
        set: |config, value| {
            put(&mut config.network.max_peers, read::number(value, 1..=limits::LINKS))
        },
        show: |config| config.network.max_peers.to_string(),
    },
    Key {
        section: "network",
        name: "role",
        live: false,
        set: |config, value| put(&mut config.network.role, read::one(value, words::role)),
        show: |config| show::text(config.network.role.name()),
    },
    Key {
        section: "network",
        name: "witnesses",
        live: false,
        set: |config, value| {
            put(&mut config.network.witnesses, read::listed(value, read::node_key))
        },
        show: |config| show::list(&config.network.witnesses),
    },
    Key {
        section: "network",
        name: "publishers",
        live: false,
        set: |config, value| {
            put(&mut config.network.publishers, read::listed(value, read::node_key))
        },
        show: |config| show::list(&config.network.publishers),
    },
    Key {
        section: "network",
        name: "verify",
        live: false,
        set: |config, value| put(&mut config.network.verify, read::listed(value, words::rung)),
        show: |config| show::list(&config.network.verify),
    },
    Key {
        section: "network",
        name: "state",
        live: false,
        set: |config, value| put(&mut config.network.state, read::one(value, read::path)),
        show: |config| show::text(&config.network.state.display().to_string()),
    },
    Key {
        section: "network",
        name: "discovery",
        live: false,
        set: |config, value| put(&mut config.network.discovery, read::switch(value)),
        show: |config| config.network.discovery.to_string(),
    },
    Key {
        section: "network",
        name: "ca",
        live: false,
        set: |config, value| put(&mut config.network.ca, read::one(value, read::maybe(read::path))),
        show: |config| show::maybe(config.network.ca.as_ref().map(|path| path.display())),
    },
    Key {
        section: "network",
        name: "certificate",
        live: false,
        set: |config, value| {
            put(&mut config.network.certificate, read::one(value, read::maybe(read::path)))
        },
        show: |config| show::maybe(config.network.certificate.as_ref().map(|path| path.display())),
    },
    Key {
        section: "network",
        name: "private-key",
        live: false,
        set: |config, value| {
            put(&mut config.network.private_key, read::one(value, read::maybe(read::path)))
        },
        show: |config| show::maybe(config.network.private_key.as_ref().map(|path| path.display())),
    },
    Key {
        section: "sharing",
        name: "enabled",
        live: true,
        set: |config, value| put(&mut config.sharing.enabled, read::switch(value)),
        show: |config| config.sharing.enabled.to_string(),
    },
    Key {
        section: "log",
        name: "target",
        live: false,
        set: |config, value| put(&mut config.log.target, read::one(value, words::target)),
        show: |config| show::text(&config.log.target.to_string()),
    },
    Key {
        section: "log",
        name: "level",
        live: true,
        set: |config, value| put(&mut config.log.level, read::one(value, words::level)),
        show: |config| show::text(&config.log.level.as_str().to_ascii_lowercase()),
    },
];

/// The keys of an `[[origin]]` beside its name, in the order of the shipped file.
pub const ORIGIN_KEYS: [Key<Origin>; 7] = [
    Key {
        section: "origin",
        name: "url",
        live: true,
        set: |origin, value| {
            put(&mut origin.urls, read::some(value, "at least one URL", read::base_url))
        },
        show: |origin| match &origin.urls[..] {
            [url] => show::text(&url.to_string()),
            urls => show::list(urls),
        },
    },
    Key {
        section: "origin",
        name: "hosts",
        live: true,
        set: |origin, value| {
            let item = |value: &Value<'_>| read::one(value, read::host);
            put(&mut origin.hosts, read::list(value, item))
        },
        show: |origin| show::list(&origin.hosts),
    },
    Key {
        section: "origin",
        name: "ca",
        live: true,
        set: |origin, value| put(&mut origin.ca, read::one(value, read::maybe(read::path))),
        show: |origin| show::maybe(origin.ca.as_ref().map(|path| path.display())),
    },
    Key {
        section: "origin",
        name: "headers",
        live: true,
        set: |origin, value| put(&mut origin.headers, read::headers(value)),
        show: |origin| show::table(&origin.headers),
    },
    Key {
        section: "origin",
        name: "ignore-query",
        live: true,
        set: |origin, value| {
            let item = |value: &Value<'_>| read::one(value, read::parameter);
            put(&mut origin.ignore_query, read::list(value, item))
        },
        show: |origin| show::list(&origin.ignore_query),
    },
    Key {
        section: "origin",
        name: "follow-redirects",
        live: true,
        set: |origin, value| put(&mut origin.follow_redirects, read::switch(value)),
        show: |origin| origin.follow_redirects.to_string(),
    },
    Key {
        section: "origin",
        name: "timeout",
        live: true,
        set: |origin, value| put(&mut origin.timeout, read::timeout(value)),
        show: |origin| show::text(&plain(origin.timeout).to_string()),
    },
];

fn put<T>(place: &mut T, read: Read<T>) -> Read<()> {
    *place = read?;
    Ok(())
}
