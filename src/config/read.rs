//! One value of a file or flag, from TOML to what is meant.

use core::fmt::Display;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use crate::base::limits;
use crate::base::peer::NodeKey;
use crate::base::units::{self, Size};
use crate::base::url::{Url, without_dots};

use super::subnet::Subnet;

/// A TOML value with the place where it stands.
pub type Value<'i> = Spanned<DeValue<'i>>;

/// Why a value is refused, and which byte of the text it stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset in the text that was read.
    pub at: usize,
    /// What was expected and found, or what is wrong with it.
    pub text: String,
}

/// A value, or all that is wrong with it.
pub type Read<T> = Result<T, Vec<Fault>>;

impl Fault {
    /// A fault that begins where `value` does.
    pub fn at(value: &Value<'_>, text: impl Into<String>) -> Self {
        Self { at: value.span().start, text: text.into() }
    }

    /// The usual fault: something else was expected.
    pub fn expected(value: &Value<'_>, expected: &str) -> Self {
        Self::at(value, format!("expected {expected}, found {}", found(value)))
    }
}

/// A string that `meant` understands; it answers what it expected otherwise.
pub fn one<T>(value: &Value<'_>, meant: impl Fn(&str) -> Result<T, &'static str>) -> Read<T> {
    let expected = match value.get_ref() {
        DeValue::String(text) => match meant(text) {
            Ok(meant) => return Ok(meant),
            Err(expected) => expected,
        },
        // No text at all: what it expects in place of nonsense says what belongs here.
        _ => meant("\0").err().unwrap_or("a string in quotes"),
    };
    Err(vec![Fault::expected(value, expected)])
}

/// A string or a list of strings, each of them read by `item`; none may stand twice.
pub fn list<T: PartialEq>(value: &Value<'_>, item: impl Fn(&Value<'_>) -> Read<T>) -> Read<Vec<T>> {
    let DeValue::Array(values) = value.get_ref() else {
        return item(value).map(|item| vec![item]);
    };
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    for value in values {
        match item(value) {
            Ok(item) if items.contains(&item) => {
                faults.push(Fault::at(value, format!("{} stands twice", found(value))));
            }
            Ok(item) => items.push(item),
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(items) } else { Err(faults) }
}

/// As [`list`], but at least one.
pub fn some<T: PartialEq>(
    value: &Value<'_>,
    expected: &str,
    item: impl Fn(&Value<'_>) -> Read<T>,
) -> Read<Vec<T>> {
    match list(value, item) {
        Ok(items) if items.is_empty() => Err(vec![Fault::expected(value, expected)]),
        other => other,
    }
}

/// As [`list`], of words that `meant` understands, and no more than a network may name.
pub fn listed<T: PartialEq>(
    value: &Value<'_>,
    meant: impl Fn(&str) -> Result<T, &'static str>,
) -> Read<Vec<T>> {
    let read = list(value, |item| one(item, &meant))?;
    if read.len() > limits::config::NAMED_NODES {
        let text = format!("the list holds more than {}", limits::config::NAMED_NODES);
        return Err(vec![Fault::at(value, text)]);
    }
    Ok(read)
}

/// A whole number within bounds.
pub fn number(value: &Value<'_>, bounds: RangeInclusive<usize>) -> Read<usize> {
    let written = match value.get_ref() {
        DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    let (least, most) = (bounds.start(), bounds.end());
    let expected = || format!("a number from {least} to {most}, without quotes");
    let fits = written.filter(|number| bounds.contains(number));
    fits.ok_or_else(|| vec![Fault::expected(value, &expected())])
}

/// `true` or `false`.
pub fn switch(value: &Value<'_>) -> Read<bool> {
    value.get_ref().as_bool().ok_or_else(|| vec![Fault::expected(value, "true or false")])
}

/// A number of bytes with its unit.
pub fn size(value: &Value<'_>) -> Read<Size> {
    one(value, |text| Size::from_str(text).map_err(|expected| expected.0))
}

/// A duration with its unit, from 100 ms to an hour: less fails on every network, more hangs.
pub fn timeout(value: &Value<'_>) -> Read<Duration> {
    let read = one(value, |text| units::duration(text).map_err(|expected| expected.0))?;
    if !(Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&read) {
        return Err(vec![Fault::expected(value, "a duration from \"100 ms\" to \"1 h\"")]);
    }
    Ok(read)
}

/// An address with its port.
pub fn socket(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "an address and a port, such as \"127.0.0.1:8642\" or \"[::1]:8642\"")
}

/// An absolute path.
pub fn path(text: &str) -> Result<PathBuf, &'static str> {
    let fits = text.starts_with('/') && !text.contains('\0');
    fits.then(|| text.into()).ok_or("an absolute path, such as \"/var/cache/neap\"")
}

/// The path of a Unix socket: at most 107 bytes fit into a socket address (unix(7)).
pub fn socket_path(text: &str) -> Result<PathBuf, &'static str> {
    let fits = text.starts_with('/') && !text.contains('\0') && text.len() <= 107;
    fits.then(|| text.into())
        .ok_or("an absolute path of at most 107 bytes, such as \"/run/neap/control.sock\", or \"\"")
}

/// As `meant` says, or nothing for the empty string.
pub fn maybe<T>(
    meant: impl Fn(&str) -> Result<T, &'static str>,
) -> impl Fn(&str) -> Result<Option<T>, &'static str> {
    move |text| if text.is_empty() { Ok(None) } else { meant(text).map(Some) }
}

/// A network: `192.168.0.0/16`, or a single address; bits behind the prefix are cleared.
pub fn network(text: &str) -> Result<Subnet, &'static str> {
    let expected = "a network or an address, such as \"192.168.0.0/16\"";
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().map_err(|_| expected)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => most,
        Some(bits) if bits.len() < 4 && bits.bytes().all(|b| b.is_ascii_digit()) => {
            bits.parse().ok().filter(|bits| *bits <= most).ok_or(expected)?
        }
        Some(_) => return Err(expected),
    };
    Ok(match (masked(address, bits), address.to_canonical()) {
        // Clients of a mapped block come in with plain IPv4 addresses (RFC 4291, 2.5.5.2).
        (mapped @ IpAddr::V6(_), IpAddr::V4(_)) if bits >= 96 => {
            Subnet { address: mapped.to_canonical(), bits: bits - 96 }
        }
        (address, _) => Subnet { address, bits },
    })
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// The name of a network, or nothing: it stands in announcements and in the log.
pub fn network_name(text: &str) -> Result<String, &'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fits = text.len() <= limits::config::NAME && text.bytes().all(allowed);
    fits.then(|| text.into())
        .ok_or("a name of at most 64 letters, digits, '-', '_' and '.', such as \"home\", or \"\"")
}

/// A node's key.
pub fn node_key(text: &str) -> Result<NodeKey, &'static str> {
    text.parse().map_err(|_| "'ed25519:' and 64 hex digits, as 'neap key' prints them")
}

/// Where another node is reached.
pub fn peer_address(text: &str) -> Result<SocketAddr, &'static str> {
    let expected = "the address and port of a node, such as \"192.168.1.5:8644\"";
    let address = socket(text).map_err(|_| expected)?;
    let usable = address.port() != 0 && !address.ip().is_unspecified();
    usable.then_some(address).ok_or(expected)
}

/// A host as URLs name it, lower case: no scheme, no port, no brackets.
pub fn host(text: &str) -> Result<String, &'static str> {
    let expected = "a host name without scheme and port, such as \"cdn.example.com\"";
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let v6 = bare.parse::<core::net::Ipv6Addr>().is_ok();
    let url = if v6 { format!("http://[{bare}]/") } else { format!("http://{text}/") };
    let url = Url::parse(&url).map_err(|_| expected)?;
    let plain = url.target == "/" && url.host.len() == bare.len();
    if plain { Ok(url.host) } else { Err(expected) }
}

/// A web origin as browsers send it (RFC 6454, 6.1), or `*` for all.
pub fn web_origin(text: &str) -> Result<String, &'static str> {
    if text == "*" {
        return Ok(text.into());
    }
    let expected = "\"*\" or a web origin, such as \"https://tv.example.com\"";
    let url = Url::parse(text).map_err(|_| expected)?;
    let shown = url.to_string();
    if url.target == "/" { Ok(shown.trim_end_matches('/').into()) } else { Err(expected) }
}

/// The name of a query parameter, or `*` for all.
pub fn parameter(text: &str) -> Result<String, &'static str> {
    let fits = !text.is_empty() && text.bytes().all(|b| b > b' ' && !b"=&?#".contains(&b));
    fits.then(|| text.into()).ok_or("the name of a query parameter, such as \"token\", or \"*\"")
}

/// A base URL; its path ends in `/` afterwards.
pub fn base_url(value: &Value<'_>) -> Read<Url> {
    let Some(text) = value.get_ref().as_str() else {
        let expected = "a URL, such as \"https://cdn.example.com/live/\"";
        return Err(vec![Fault::expected(value, expected)]);
    };
    let fault = |why: &dyn Display| vec![Fault::at(value, format!("{}: {why}", shown_url(text)))];
    let mut url = Url::parse(text).map_err(|why| fault(&why))?;
    if text.contains('?') {
        return Err(fault(&"a query does not belong in a base URL"));
    }
    if text.contains('#') {
        return Err(fault(&"a fragment does not belong in a base URL"));
    }
    url.target = without_dots(&url.target);
    if !url.target.ends_with('/') {
        url.target.push('/');
    }
    Ok(url)
}

/// Fields for requests to an origin, in the order of the file.
pub fn headers(value: &Value<'_>) -> Read<Vec<(String, String)>> {
    let Some(table) = value.get_ref().as_table() else {
        let expected = "a table, such as { \"User-Agent\" = \"tv/1\" }";
        return Err(vec![Fault::expected(value, expected)]);
    };
    let mut fields: Vec<_> = table.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| name.span().start);
    let (mut read, mut faults) = (Vec::<(String, String)>::new(), Vec::new());
    for (name, value) in fields {
        let at = name.span().start;
        let name = name.get_ref().to_string();
        let twice = read.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name));
        match field(&name, value) {
            Ok(_) if twice => faults.push(Fault { at, text: format!("'{name}' stands twice") }),
            Ok(content) => read.push((name, content)),
            Err(text) => faults.push(Fault { at, text }),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

/// One field's value (RFC 9110, 5.1 and 5.5); messages never show it, it may be a secret.
fn field(name: &str, value: &Value<'_>) -> Result<String, String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("{name:?} is no field name"));
    }
    if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
        return Err(format!("neap itself sets '{name}'"));
    }
    let Some(text) = value.get_ref().as_str() else {
        return Err(format!("'{name}': expected a string in quotes"));
    };
    let fits = text.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f)) && text.len() <= 4096;
    if !fits || text.trim() != text {
        return Err(format!(
            "'{name}': expected at most 4096 bytes without control characters or spaces around"
        ));
    }
    Ok(text.into())
}

/// A URL for a message: without password, query and overlength.
fn shown_url(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let shown = match text.rsplit_once('@') {
        Some((_, rest)) => format!("...@{rest}"),
        None => text.into(),
    };
    quoted(&shown)
}

/// What stands there, for a message.
fn found(value: &Value<'_>) -> String {
    match value.get_ref() {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => number.to_string().chars().take(SHOWN).collect(),
        DeValue::Float(number) => number.to_string().chars().take(SHOWN).collect(),
        DeValue::Boolean(switch) => switch.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(list) if list.is_empty() => "an empty list".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// A text in quotes, its control characters escaped, cut to a readable length.
pub fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "..." } else { "" };
    format!("\"{}{more}\"", cut.replace(|c: char| c.is_control(), "\u{fffd}"))
}

/// Characters of a wrong value that a message repeats.
const SHOWN: usize = 60;

/// Fields that carry the exchange itself: ours to set, or the player's to ask with.
const OURS: [&str; 15] = [
    "Host",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Content-Length",
    "Upgrade",
    "Expect",
    "Range",
    "If-Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value<'_> {
        Spanned::new(0..0, DeValue::String(value.into()))
    }

    #[test]
    fn a_network_is_a_block_or_one_address() {
        for (written, meant) in [
            ("192.168.1.7/16", Some("192.168.0.0/16")),
            ("10.0.0.1", Some("10.0.0.1/32")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("2001:db8::5/32", Some("2001:db8::/32")),
            ("::/0", Some("::/0")),
            ("::ffff:192.168.7.0/112", Some("192.168.0.0/16")),
            ("192.168.0.0/33", None),
            ("192.168.0.0/+8", None),
            ("192.168.0.0/", None),
            ("192.168/16", None),
            ("", None),
        ] {
            let read = network(written).ok().map(|n| format!("{}/{}", n.address, n.bits));
            assert_eq!(read.as_deref(), meant, "{written}");
        }
    }

    #[test]
    fn a_host_has_no_scheme_port_or_path() {
        for (written, meant) in [
            ("CDN.Example.com", Some("cdn.example.com")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("cdn.example.com:80", None),
            ("cdn.example.com:8080", None),
            ("http://cdn.example.com", None),
            ("cdn/x", None),
            ("*.example.com", None),
            ("[::1", None),
            ("[cdn]", None),
            ("", None),
        ] {
            assert_eq!(host(written).ok().as_deref(), meant, "{written}");
        }
    }

    #[test]
    fn a_base_url_ends_in_a_slash_and_has_no_query() {
        let read =
            |t: &str| base_url(&text(t)).map(|u| u.to_string()).map_err(|f| f[0].text.clone());
        assert_eq!(read("https://A.example/live"), Ok("https://a.example/live/".into()));
        assert_eq!(read("https://a.example"), Ok("https://a.example/".into()));
        assert_eq!(read("https://a.example/x/../y/./"), Ok("https://a.example/y/".into()));
        for (written, fault) in [
            ("https://a/?token=1", "\"https://a/\": a query does not belong in a base URL"),
            ("https://me:pw@a/", "\"...@a/\": a user name or password does not belong in it"),
            ("ftp://a/", "\"ftp://a/\": it does not begin with http:// or https://"),
            ("http://a:0/", "\"http://a:0/\": the port is no number from 1 to 65535"),
            ("http:///", "\"http:///\": the host is empty or holds a forbidden character"),
            ("http://a b/", "\"http://a b/\": it holds a space or a control character"),
        ] {
            assert_eq!(read(written), Err(fault.into()));
        }
    }

    #[test]
    fn rfc_6454_6_1_a_web_origin_has_no_path() {
        assert_eq!(web_origin("*"), Ok("*".into()));
        assert_eq!(web_origin("https://TV.example:443/"), Ok("https://tv.example".into()));
        assert_eq!(web_origin("http://tv:8080"), Ok("http://tv:8080".into()));
        assert!(web_origin("https://tv.example/app").is_err());
        assert!(web_origin("tv.example").is_err());
    }
}
