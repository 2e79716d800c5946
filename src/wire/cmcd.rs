//! What a player says about itself with each request: Common Media Client Data (CTA-5004).

use core::time::Duration;

use super::http::fields::{Fields, list};
use crate::base::limits;
use crate::base::units::Rate;

/// What one request says; `None` and `false` where it says nothing, or nothing usable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cmcd {
    /// Media that the player holds ahead of its playhead (`bl`).
    pub buffer: Option<Duration>,
    /// From the request until the player has nothing left (`dl`).
    pub deadline: Option<Duration>,
    /// The object is needed at once: start, seek, or an empty buffer (`su`).
    pub startup: bool,
    /// The player ran dry since its last request (`bs`).
    pub starved: bool,
    /// What this object is encoded at (`br`).
    pub bitrate: Option<Rate>,
    /// The highest bitrate that the player could choose (`tb`).
    pub top_bitrate: Option<Rate>,
    /// What the player measured (`mtp`).
    pub throughput: Option<Rate>,
    /// What the player asks to be sent at (`rtp`).
    pub wished_rate: Option<Rate>,
    /// How fast it plays, in thousandths: 1000 as recorded, 0 paused (`pr`).
    pub speed_permille: Option<u32>,
    /// How long this object plays (`d`).
    pub duration: Option<Duration>,
    /// The next object that it will ask for: a reference, to be resolved against this one (`nor`).
    pub next: Option<String>,
    /// The bytes of the next object that it will ask for, such as `12323-48763` (`nrr`).
    pub next_range: Option<String>,
    /// The session (`sid`).
    pub session: Option<String>,
    /// The content (`cid`).
    pub content: Option<String>,
    /// What kind of object this is (`ot`).
    pub object: Option<Object>,
    /// What kind of stream it is of (`st`).
    pub stream: Option<Stream>,
}

/// Kinds of objects (`ot`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A playlist or manifest (`m`).
    Manifest,
    /// Sound (`a`).
    Audio,
    /// Pictures (`v`).
    Video,
    /// Both in one (`av`).
    Muxed,
    /// An init segment (`i`).
    Init,
    /// Subtitles (`c`, and `tt` in an ISO file).
    Text,
    /// A key, a licence or a certificate (`k`).
    Key,
    /// Anything else (`o`).
    Other,
}

/// Kinds of streams (`st`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// All of it is there (`v`).
    Stored,
    /// It goes on (`l`).
    Live,
}

impl Cmcd {
    /// What a request says in its query or its fields; fields win where both say something.
    pub fn of(target: &str, fields: &Fields) -> Self {
        let mut said = Self::default();
        if let Some(text) = in_query(target) {
            said.read(&text);
        }
        for name in FIELDS {
            fields.all(name).for_each(|value| said.read(value));
        }
        said
    }

    /// Reads pairs from one value; those that are malformed or out of bounds are left out, each
    /// for itself.
    pub fn read(&mut self, text: &str) {
        if text.len() > limits::http::CMCD {
            return;
        }
        for pair in list(text).take(limits::http::CMCD_PAIRS) {
            let (key, value) = pair.split_once('=').map_or((pair, None), |(k, v)| (k, Some(v)));
            match value {
                Some(value) => self.pair(key.trim_end(), value.trim_start()),
                None => self.flag(key, true),
            }
        }
    }

    fn pair(&mut self, key: &str, value: &str) {
        match key {
            "bl" => set(&mut self.buffer, time(value)),
            "dl" => set(&mut self.deadline, time(value)),
            "d" => set(&mut self.duration, time(value)),
            "br" => set(&mut self.bitrate, rate(value)),
            "tb" => set(&mut self.top_bitrate, rate(value)),
            "mtp" => set(&mut self.throughput, rate(value)),
            "rtp" => set(&mut self.wished_rate, rate(value)),
            "pr" => set(&mut self.speed_permille, permille(value)),
            "nor" => set(&mut self.next, reference(value)),
            "nrr" => set(&mut self.next_range, range(value)),
            "sid" => set(&mut self.session, identifier(value)),
            "cid" => set(&mut self.content, identifier(value)),
            "ot" => set(&mut self.object, object(value)),
            "st" => set(&mut self.stream, stream(value)),
            "su" | "bs" => match value {
                "true" | "?1" => self.flag(key, true),
                "false" | "?0" => self.flag(key, false),
                _ => {}
            },
            _ => {}
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        match key {
            "su" => self.startup = value,
            "bs" => self.starved = value,
            _ => {}
        }
    }
}

/// The value of the query parameter `CMCD`, without its percent encoding.
fn in_query(target: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("CMCD="))?;
    decoded(value)
}

/// A text without its percent encoding (RFC 3986, 2.1); what is no UTF-8 then is nothing.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let escaped = (*first == b'%').then(|| behind.get(..2).and_then(hex)).flatten();
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(digits.first()?)? << 4 | digit(digits.get(1)?)?)
}

fn set<T>(place: &mut Option<T>, read: Option<T>) {
    if read.is_some() {
        *place = read;
    }
}

/// The first member of a list in parentheses, without its parameters, as version 2 writes rates
/// and references of several renditions; any other value as it is.
fn single(value: &str) -> &str {
    let Some(inner) = value.strip_prefix('(') else { return value };
    let inner = inner.trim_start();
    let end = match inner.strip_prefix('"') {
        Some(text) => text.find('"').map_or(inner.len(), |at| at + 2),
        None => inner.find([' ', ';', ')']).unwrap_or(inner.len()),
    };
    &inner[..end]
}

fn number(value: &str) -> Option<u64> {
    let value = single(value);
    let fits = (1..=15).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|_| fits)
}

/// Milliseconds; more than a day is no buffer and no deadline.
fn time(value: &str) -> Option<Duration> {
    number(value).map(Duration::from_millis).filter(|time| *time <= limits::http::CMCD_TIME)
}

/// Thousand bits a second; nothing plays at none, and none plays above the bound.
fn rate(value: &str) -> Option<Rate> {
    let rate = Rate(number(value)?.saturating_mul(1000));
    (rate.0 > 0 && rate <= limits::http::CMCD_RATE).then_some(rate)
}

/// A decimal number with at most three places, from 0 to 100.
fn permille(value: &str) -> Option<u32> {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || part.len() > 3 || !digits(whole) || !digits(part) {
        return None;
    }
    let permille = whole.parse::<u32>().ok()? * 1000 + format!("{part:0<3}").parse::<u32>().ok()?;
    (permille <= 100_000).then_some(permille)
}

/// A string in quotes, its escapes taken off (RFC 8941, 3.3.3).
fn text(value: &str) -> Option<String> {
    let inner = single(value).strip_prefix('"')?.strip_suffix('"')?;
    let (mut text, mut escaped) = (String::with_capacity(inner.len()), false);
    for c in inner.chars() {
        match c {
            _ if c.is_control() => return None,
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return None,
            c => {
                text.push(c);
                escaped = false;
            }
        }
    }
    (!escaped && !text.is_empty()).then_some(text)
}

/// A reference relative to the request; one with a scheme or host would lead elsewhere.
fn reference(value: &str) -> Option<String> {
    let read = decoded(&text(value)?)?;
    let elsewhere = crate::base::url::has_scheme(&read) || read.starts_with("//");
    let clean = read.bytes().all(|b| b > b' ' && b != 0x7f && b != b'\\');
    (clean && !elsewhere && !read.is_empty() && read.len() <= limits::http::TARGET).then_some(read)
}

fn range(value: &str) -> Option<String> {
    let read = text(value)?;
    let fits = read.len() <= 40 && read.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    (fits && read.contains('-')).then_some(read)
}

fn identifier(value: &str) -> Option<String> {
    text(value).filter(|text| text.len() <= limits::http::CMCD_NAME)
}

fn object(value: &str) -> Option<Object> {
    Some(match value {
        "m" => Object::Manifest,
        "a" => Object::Audio,
        "v" => Object::Video,
        "av" => Object::Muxed,
        "i" => Object::Init,
        "c" | "tt" => Object::Text,
        "k" => Object::Key,
        "o" => Object::Other,
        _ => return None,
    })
}

fn stream(value: &str) -> Option<Stream> {
    match value {
        "v" => Some(Stream::Stored),
        "l" => Some(Stream::Live),
        _ => None,
    }
}

/// The fields that carry it where the query does not.
const FIELDS: [&str; 4] = ["cmcd-session", "cmcd-object", "cmcd-status", "cmcd-request"];

#[cfg(test)]
mod tests {
    use super::*;

    fn query(value: &str) -> Cmcd {
        Cmcd::of(&format!("/tv/seg.ts?a=1&CMCD={value}&b=2"), &Fields::new())
    }

    fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn cta_5004_3_2_fields_say_it_together() {
        let fields: Fields = [
            ("CMCD-Request", r#"mtp=25400,dl=1500,su,nor="..%2F300kbps%2Ftrack.m4v",nrr="0-99""#),
            ("CMCD-Object", "br=3200,d=4004,ot=v,tb=6000"),
            ("CMCD-Status", "bs,rtp=15000"),
            ("CMCD-Session", r#"sid="6e2fb550-c457",cid="faec5fc2",st=l,pr=1.08,v=1,bl=21300"#),
        ]
        .into_iter()
        .collect();
        let expected = Cmcd {
            buffer: ms(21300),
            deadline: ms(1500),
            startup: true,
            starved: true,
            bitrate: Some(Rate(3_200_000)),
            top_bitrate: Some(Rate(6_000_000)),
            throughput: Some(Rate(25_400_000)),
            wished_rate: Some(Rate(15_000_000)),
            speed_permille: Some(1080),
            duration: ms(4004),
            next: Some("../300kbps/track.m4v".into()),
            next_range: Some("0-99".into()),
            session: Some("6e2fb550-c457".into()),
            content: Some("faec5fc2".into()),
            object: Some(Object::Video),
            stream: Some(Stream::Live),
        };
        assert_eq!(Cmcd::of("/tv/seg.ts", &fields), expected);
    }

    #[test]
    fn cta_5004_3_3_the_query_says_it_encoded() {
        let said = query("bl%3D21300%2Cbr%3D3200%2Cnor%3D%22..%252Fa%252Cb.m4v%22%2Csu");
        assert_eq!((said.buffer, said.bitrate), (ms(21300), Some(Rate(3_200_000))));
        assert_eq!(said.next.as_deref(), Some("../a,b.m4v"));
        assert!(said.startup);
        assert_eq!(Cmcd::of("/tv/seg.ts?XCMCD=bl%3D1", &Fields::new()), Cmcd::default());
        assert_eq!(Cmcd::of("/tv/seg.ts", &Fields::new()), Cmcd::default());
    }

    #[test]
    fn a_bad_pair_is_left_out_alone() {
        let odd = "bl=-1,dl=,br=1.5,tb=0,mtp=99999999999999999999,pr=x,d=86400001,ot=q,st=,\
                   sid=bare,cid=\"open,nor=\"https://x/\"";
        assert_eq!(query(odd), Cmcd::default());
        for odd in
            ["bl=-1", "=", ",,", "sid=\"a\"b\"c\"", "com.example-x=1", "su=no", "nor=\"//x/\""]
        {
            let said = query(&format!("{odd},dl=700"));
            assert_eq!(said, Cmcd { deadline: ms(700), ..Cmcd::default() }, "{odd}");
        }
        let long = "x".repeat(limits::http::CMCD_NAME + 1);
        assert_eq!(query(&format!("sid=\"{long}\"")), Cmcd::default());
    }

    #[test]
    fn a_later_pair_wins_where_it_is_good() {
        assert_eq!(query("bl=100,bl=200,bl=x").buffer, ms(200));
        assert!(!query("su,su=false").startup);
        assert!(query("su=?1").startup);
    }

    #[test]
    fn version_2_lists_answer_their_first_member() {
        let said = query("br=(3200;v 128;a),bl=(4000),nor=(\"a.m4v\" \"b.m4a\";r=\"0-9\"),v=2");
        assert_eq!((said.bitrate, said.buffer), (Some(Rate(3_200_000)), ms(4000)));
        assert_eq!(said.next.as_deref(), Some("a.m4v"));
    }

    #[test]
    fn it_is_bounded() {
        let pairs = "bl=1,".repeat(limits::http::CMCD_PAIRS);
        assert_eq!(query(&format!("{pairs}dl=1")).deadline, None);
        assert_eq!(query(&format!("bl=1,{}", "x".repeat(limits::http::CMCD))), Cmcd::default());
    }
}
