//! The keys of what a node does with others: `[network]` and `[sharing]`.

use crate::base::limits;
use crate::config::model::Config;
use crate::config::read;
use crate::config::{near, show, tracker, words};

use super::key::{Key, put};

/// `[network]`.
pub const NETWORK: &[Key<Config>] = &[
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
            put(&mut config.network.max_peers, read::number(value, 1..=limits::link::LINKS))
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
        name: "quorum",
        live: false,
        set: |config, value| {
            put(&mut config.network.quorum, read::number(value, 2..=limits::record::QUORUM))
        },
        show: |config| config.network.quorum.to_string(),
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
        name: "port-mapping",
        live: false,
        set: |config, value| put(&mut config.network.port_mapping, read::switch(value)),
        show: |config| config.network.port_mapping.to_string(),
    },
    Key {
        section: "network",
        name: "trackers",
        live: false,
        set: |config, value| put(&mut config.network.trackers, tracker::trackers(value)),
        show: |config| show::list(&config.network.trackers),
    },
    Key {
        section: "network",
        name: "isp-prefixes",
        live: false,
        set: |config, value| put(&mut config.network.near.isp, near::prefixes(value)),
        show: |config| show::list(&config.network.near.isp),
    },
    Key {
        section: "network",
        name: "groups",
        live: false,
        set: |config, value| put(&mut config.network.near.groups, near::groups(value)),
        show: |config| near::show_groups(&config.network.near.groups),
    },
    Key {
        section: "network",
        name: "relay-only",
        live: false,
        set: |config, value| put(&mut config.network.relay_only, read::switch(value)),
        show: |config| config.network.relay_only.to_string(),
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
];

/// `[sharing]`.
pub const SHARING: &[Key<Config>] = &[
    Key {
        section: "sharing",
        name: "enabled",
        live: true,
        set: |config, value| put(&mut config.sharing.enabled, read::switch(value)),
        show: |config| config.sharing.enabled.to_string(),
    },
    Key {
        section: "sharing",
        name: "min-audience",
        live: true,
        set: |config, value| {
            put(&mut config.sharing.min_audience, read::number(value, 0..=limits::config::AUDIENCE))
        },
        show: |config| config.sharing.min_audience.to_string(),
    },
];
