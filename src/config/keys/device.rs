//! The keys of what one device does for its own players: `[player]`, `[admin]`, `[cache]`, `[log]`.

use crate::config::model::Config;
use crate::config::read::{self, Value};
use crate::config::{show, words};

use super::key::{Key, put};

/// `[player]`.
pub const PLAYER: &[Key<Config>] = &[
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
        section: "player",
        name: "pacing",
        live: true,
        set: |config, value| put(&mut config.player.pacing, read::one(value, words::pacing)),
        show: |config| show::text(&config.player.pacing.to_string()),
    },
];

/// `[admin]`.
pub const ADMIN: &[Key<Config>] = &[
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
];

/// `[cache]`.
pub const CACHE: &[Key<Config>] = &[
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
];

/// `[log]`.
pub const LOG: &[Key<Config>] = &[
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
