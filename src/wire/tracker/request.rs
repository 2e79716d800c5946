//! A tracker asked over HTTP: what stands in the query, and its answer (BEP 3, BEP 7, BEP 23).

use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::announce::{Announce, Answer, Fault, InfoHash};
use super::bencode::{self, Value};
use crate::base::limits;

impl Announce {
    /// The target of the request: the tracker's own, with this announcement in its query.
    ///
    /// What was taken and given is nobody's business and always nothing; something is always
    /// left, so that the tracker names other nodes and not only those that lack something.
    pub fn target(&self, own: &str) -> String {
        let mut target = String::with_capacity(own.len() + 256);
        target.push_str(own);
        target.push(if own.contains('?') { '&' } else { '?' });
        target.push_str("info_hash=");
        escape(&self.hash.0, &mut target);
        target.push_str("&peer_id=");
        escape(&self.name, &mut target);
        let (port, wanted, key) = (self.port, self.wanted, self.key);
        let rest = format_args!(
            "&port={port}&uploaded=0&downloaded=0&left=1&compact=1&numwant={wanted}&key={key:08x}"
        );
        let _ = target.write_fmt(rest);
        if let Some(word) = self.event.word() {
            let _ = write!(target, "&event={word}");
        }
        target
    }
}

impl InfoHash {
    /// As it stands in a query, for the log of a tracker to be compared with.
    pub fn escaped(&self) -> String {
        let mut text = String::new();
        escape(&self.0, &mut text);
        text
    }
}

impl Answer {
    /// Reads the body of a tracker's answer.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        if body.len() > limits::meeting::TRACKER_BODY {
            return Err(Fault::Long);
        }
        let mut answer = Self { interval: USUAL, ..Self::default() };
        let (mut complete, mut incomplete) = (None, None);
        let mut refused = None;
        bencode::dictionary(body, |key, value| {
            match (key, value) {
                (b"failure reason", Value::Bytes(words)) => refused = Some(Fault::refused(words)),
                (b"interval", Value::Number(seconds)) => answer.interval = duration(seconds),
                (b"min interval", Value::Number(seconds)) => answer.least = Some(duration(seconds)),
                (b"complete", Value::Number(count)) => complete = Some(bounded(count)),
                (b"incomplete", Value::Number(count)) => incomplete = Some(bounded(count)),
                (b"peers", Value::Bytes(compact)) => answer.take_v4(compact)?,
                (b"peers6", Value::Bytes(compact)) => answer.take_v6(compact)?,
                (b"peers", Value::List(list)) => answer.take_list(list)?,
                _ => {}
            }
            Ok(())
        })?;
        if complete.is_some() || incomplete.is_some() {
            let sum = complete.unwrap_or(0).saturating_add(incomplete.unwrap_or(0));
            answer.audience = Some(sum);
        }
        refused.map_or(Ok(answer), Err)
    }

    /// The long form of BEP 3: a list of dictionaries. Names in place of addresses are left out,
    /// since nothing that a tracker says is looked up.
    fn take_list(&mut self, list: &[u8]) -> Result<(), Fault> {
        bencode::list(list, |member| {
            let Value::Dictionary(peer) = member else { return Err(Fault::Malformed) };
            let (mut address, mut port) = (None, None);
            bencode::dictionary(peer, |key, value| {
                match (key, value) {
                    (b"ip", Value::Bytes(text)) => {
                        let text = core::str::from_utf8(text).unwrap_or_default();
                        address = text.parse::<IpAddr>().ok();
                    }
                    (b"port", Value::Number(number)) => port = u16::try_from(number).ok(),
                    _ => {}
                }
                Ok(())
            })?;
            if let (Some(address), Some(port)) = (address, port) {
                if self.peers.len() < limits::meeting::TRACKER_PEERS {
                    self.peers.push(SocketAddr::new(address.to_canonical(), port));
                }
            }
            Ok(())
        })
    }
}

fn duration(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn bounded(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

/// RFC 3986, 2.1 and 2.3.
fn escape(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// What is waited where a tracker does not say how long.
const USUAL: Duration = Duration::from_secs(1800);

#[cfg(test)]
mod tests {
    use super::super::announce::Event;
    use super::*;

    fn announce() -> Announce {
        Announce {
            hash: InfoHash([0xab; 20]),
            name: *b"-NP0100-abcdefghijkl",
            key: 0x0102_0304,
            port: 8644,
            wanted: 20,
            event: Event::Started,
        }
    }

    /// As opentracker (Debian, 0.0~git20210823) answers a second node.
    const OPENTRACKER: &[u8] =
        b"d8:completei0e10:downloadedi0e10:incompletei2e8:intervali1733e12:min intervali866e\
          5:peers12:\xcb\x00\x71\x07\x21\xc4\xc6\x33\x64\x02\x21\xc4e";

    #[test]
    fn bep_3_the_query_says_what_is_due_and_no_more() {
        let target = announce().target("/announce?pass=x");
        let hash = "%AB".repeat(20);
        assert_eq!(
            target,
            format!(
                "/announce?pass=x&info_hash={hash}&peer_id=-NP0100-abcdefghijkl&port=8644\
                 &uploaded=0&downloaded=0&left=1&compact=1&numwant=20&key=01020304&event=started"
            )
        );
        let going = Announce { event: Event::Going, ..announce() }.target("/a");
        assert!(going.starts_with("/a?info_hash=") && !going.contains("event"));
    }

    #[test]
    fn bep_23_and_7_addresses_come_in_six_and_eighteen_bytes() {
        let answer = Answer::parse(OPENTRACKER).expect("an answer");
        assert_eq!(answer.interval, Duration::from_secs(1733));
        assert_eq!(answer.least, Some(Duration::from_secs(866)));
        assert_eq!(answer.audience, Some(2));
        let expected: Vec<SocketAddr> = ["203.0.113.7:8644", "198.51.100.2:8644"]
            .map(|at| at.parse().expect("an address"))
            .to_vec();
        assert_eq!(answer.peers, expected);
        let six = b"d8:intervali60e6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x21\xc4e";
        let answer = Answer::parse(six).expect("an answer");
        assert_eq!(answer.peers, ["[2001:db8::1]:8644".parse().expect("an address")]);
        assert_eq!(answer.audience, None);
    }

    #[test]
    fn bep_3_the_long_form_is_read_and_names_are_left_out() {
        let long = b"d8:intervali60e5:peersld2:ip9:192.0.2.17:peer id1:x4:porti99eed2:ip\
                     9:localhost4:porti1eed2:ip3:::14:porti70000eeee";
        let answer = Answer::parse(long).expect("an answer");
        assert_eq!(answer.peers, ["192.0.2.1:99".parse().expect("an address")]);
    }

    #[test]
    fn a_refusal_is_told_in_the_trackers_words() {
        let refused = Answer::parse(b"d14:failure reason9:not\nhere!e");
        assert_eq!(refused, Err(Fault::Refused("not here!".into())));
    }

    #[test]
    fn every_prefix_is_no_answer() {
        for end in 0..OPENTRACKER.len() {
            let read = Answer::parse(&OPENTRACKER[..end]);
            assert_eq!(read, Err(Fault::Malformed), "{end} bytes");
        }
    }

    #[test]
    fn a_liar_is_bounded() {
        let many = [b"d5:peers6000:".as_slice(), &[7; 6000], b"e"].concat();
        let answer = Answer::parse(&many).expect("an answer");
        assert_eq!(answer.peers.len(), limits::meeting::TRACKER_PEERS);
        let endless = [b"d5:peers60000:".as_slice(), &[7; 60_000], b"e"].concat();
        assert_eq!(Answer::parse(&endless), Err(Fault::Long));
        assert_eq!(Answer::parse(b"d5:peers7:1234567e"), Err(Fault::Malformed));
        let odd = Answer::parse(b"d8:completei-5e8:intervali-1ee").expect("an answer");
        assert_eq!((odd.audience, odd.interval), (Some(0), Duration::ZERO));
    }
}
