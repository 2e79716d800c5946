//! What is known of one key: how it is read, shown, and when a change of it takes effect.

use crate::config::problem::Source;
use crate::config::read::{Read, Value};

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
pub struct Sources(pub crate::base::map::Map<String, Source>);

impl Sources {
    /// The source of a key; built in where nothing else set it.
    pub fn of(&self, key: &str) -> Source {
        self.0.get(key).cloned().unwrap_or_default()
    }
}

/// Puts what was read into its place, or leaves that as it is.
pub(super) fn put<T>(place: &mut T, read: Read<T>) -> Read<()> {
    *place = read?;
    Ok(())
}
