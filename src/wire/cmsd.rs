//! What a server tells a player about an answer: Common Media Server Data (CTA-5006).

use core::fmt::{self, Write};
use core::time::Duration;

use super::cmcd::{Object, Stream};
use crate::base::units::Rate;

/// What stays true of an object wherever it is kept: the field `CMSD-Static`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Static {
    /// What it is encoded at (`br`).
    pub bitrate: Option<Rate>,
    /// How long it plays (`d`).
    pub duration: Option<Duration>,
    /// What kind of object it is (`ot`).
    pub object: Option<Object>,
    /// What kind of stream it is of (`st`).
    pub stream: Option<Stream>,
}

/// What holds for this answer alone: one member of the field `CMSD-Dynamic`. Servers on the way
/// add theirs behind those before them, so the last is the nearest to the player.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// What the player can count on when it asks for more of this (`etp`).
    pub throughput: Option<Rate>,
    /// The highest bitrate that the player should choose (`mb`).
    pub most: Option<Rate>,
    /// How long a question and its answer take on the way (`rtt`).
    pub round_trip: Option<Duration>,
    /// The server can hardly do what it is asked (`du`).
    pub duress: bool,
}

impl Static {
    /// The field line with CR LF; empty where there is nothing to say.
    pub fn line(&self) -> String {
        let mut pairs = Vec::new();
        pairs.extend(self.bitrate.map(|rate| format!("br={}", Kilobits(rate))));
        pairs.extend(self.duration.map(|time| format!("d={}", time.as_millis())));
        pairs.extend(self.object.map(|object| format!("ot={}", letter(object))));
        pairs.extend(self.stream.map(|stream| match stream {
            Stream::Stored => "st=v".into(),
            Stream::Live => "st=l".into(),
        }));
        if pairs.is_empty() {
            return String::new();
        }
        format!("CMSD-Static: {}\r\n", pairs.join(","))
    }
}

impl Dynamic {
    /// The field line with CR LF; empty where there is nothing to say.
    pub fn line(&self) -> String {
        let mut line = String::new();
        let mut say = |key: &str, value: &dyn fmt::Display| {
            write!(line, ";{key}={value}").expect("a String takes all");
        };
        if let Some(rate) = self.throughput {
            say("etp", &Kilobits(rate));
        }
        if let Some(rate) = self.most {
            say("mb", &Kilobits(rate));
        }
        if let Some(time) = self.round_trip {
            say("rtt", &time.as_millis());
        }
        if self.duress {
            line.push_str(";du");
        }
        if line.is_empty() { line } else { format!("CMSD-Dynamic: \"neap\"{line}\r\n") }
    }
}

/// A rate in whole thousand bits a second, at least one.
struct Kilobits(Rate);

impl fmt::Display for Kilobits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.0.0 / 1000).max(1))
    }
}

const fn letter(object: Object) -> &'static str {
    match object {
        Object::Manifest => "m",
        Object::Audio => "a",
        Object::Video => "v",
        Object::Muxed => "av",
        Object::Init => "i",
        Object::Text => "c",
        Object::Key => "k",
        Object::Other => "o",
    }
}

#[cfg(test)]
mod tests {
    use super::super::cmcd::Cmcd;
    use super::*;

    #[test]
    fn nothing_known_is_nothing_said() {
        assert_eq!(Static::default().line(), "");
        assert_eq!(Dynamic::default().line(), "");
    }

    #[test]
    fn cta_5006_3_1_what_is_dynamic_names_who_says_it() {
        let mut said = Dynamic { throughput: Some(Rate(76_543_999)), ..Dynamic::default() };
        assert_eq!(said.line(), "CMSD-Dynamic: \"neap\";etp=76543\r\n");
        said.most = Some(Rate(1));
        said.round_trip = Some(Duration::from_micros(8_900));
        said.duress = true;
        assert_eq!(said.line(), "CMSD-Dynamic: \"neap\";etp=76543;mb=1;rtt=8;du\r\n");
    }

    #[test]
    fn what_is_static_reads_as_a_player_would_say_it() {
        let said = Static {
            bitrate: Some(Rate(3_200_000)),
            duration: Some(Duration::from_millis(4004)),
            object: Some(Object::Muxed),
            stream: Some(Stream::Live),
        };
        assert_eq!(said.line(), "CMSD-Static: br=3200,d=4004,ot=av,st=l\r\n");
        let mut read = Cmcd::default();
        read.read("br=3200,d=4004,ot=av,st=l");
        let back = Static {
            bitrate: read.bitrate,
            duration: read.duration,
            object: read.object,
            stream: read.stream,
        };
        assert_eq!(back, said);
    }
}
