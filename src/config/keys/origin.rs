//! The keys of an `[[origin]]` beside its name.

use crate::base::units::plain;
use crate::config::model::Origin;
use crate::config::read::{self, Value};
use crate::config::{show, words};

use super::key::{Key, put};

/// The keys of an `[[origin]]` beside its name, in the order of the shipped file.
pub const ORIGIN: &[Key<Origin>] = &[
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
        name: "plain-digests",
        live: true,
        set: |origin, value| put(&mut origin.plain_digests, read::switch(value)),
        show: |origin| origin.plain_digests.to_string(),
    },
    Key {
        section: "origin",
        name: "timeout",
        live: true,
        set: |origin, value| put(&mut origin.timeout, read::timeout(value)),
        show: |origin| show::text(&plain(origin.timeout).to_string()),
    },
    Key {
        section: "origin",
        name: "share",
        live: true,
        set: |origin, value| put(&mut origin.share, read::one(value, words::share)),
        show: |origin| show::text(origin.share.name()),
    },
];
