//! Trackers as the configuration names them: `http://...` or `udp://...`.

use core::fmt;

use super::read::{self, Fault, Read, Value};
use crate::base::limits;
use crate::base::url::Url;

/// A BitTorrent tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// How it is asked.
    pub way: Way,
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path, and what stands behind it; `/` for none.
    pub target: String,
}

/// How a tracker is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Over HTTP (BEP 3).
    Http,
    /// Over UDP (BEP 15).
    Udp,
}

impl Tracker {
    /// The value of a `Host` field.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        let bracketed = host.contains(':');
        let host = if bracketed { format!("[{host}]") } else { host.clone() };
        if *port == 80 && self.way == Way::Http { host } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.way == Way::Http { "http" } else { "udp" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target)
    }
}

/// One tracker's URL.
pub fn tracker(text: &str) -> Result<Tracker, &'static str> {
    let expected =
        "a tracker, such as \"http://tracker.example:6969/announce\" or \"udp://[::1]:6969\"";
    // The rest is alike, and HTTP's own port is none of a tracker over UDP.
    let udp = text.strip_prefix("udp://").map(|rest| format!("http://{rest}"));
    let way = if udp.is_some() { Way::Udp } else { Way::Http };
    let text = udp.as_deref().unwrap_or(text);
    if !text.starts_with("http://") || text.contains('#') {
        return Err(expected);
    }
    let Url { host, port, target, .. } = Url::parse(text).map_err(|_| expected)?;
    let named = text.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let has_port = named.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    if (way == Way::Udp && !has_port) || target.len() > limits::config::TRACKER_TARGET {
        return Err(expected);
    }
    Ok(Tracker { way, host, port, target })
}

/// The list of trackers, first choice first.
pub fn trackers(value: &Value<'_>) -> Read<Vec<Tracker>> {
    let read = read::list(value, |value| read::one(value, tracker))?;
    if read.len() > limits::config::TRACKERS {
        let text = format!("the list holds more than {} trackers", limits::config::TRACKERS);
        return Err(vec![Fault::at(value, text)]);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_is_written_as_its_url() {
        for (written, shown) in [
            ("http://t.example:6969/announce", Some("http://t.example:6969/announce")),
            ("http://T.example/a?pass=x", Some("http://t.example/a?pass=x")),
            ("udp://t.example:6969", Some("udp://t.example:6969/")),
            ("udp://[2001:db8::1]:80/x", Some("udp://[2001:db8::1]:80/x")),
            ("udp://10.0.0.1:6969/", Some("udp://10.0.0.1:6969/")),
            ("udp://t.example", None),
            ("udp://[2001:db8::1]", None),
            ("https://t.example/announce", None),
            ("t.example:6969", None),
            ("udp://u:p@t.example:1/", None),
            ("http://", None),
            ("", None),
        ] {
            let read = tracker(written).ok().map(|tracker| tracker.to_string());
            assert_eq!(read.as_deref(), shown, "{written}");
        }
    }
}
