//! A tracker asked over UDP: datagrams of two questions and their answers (BEP 15).

use core::time::Duration;

use super::announce::{Announce, Answer, Fault};
use crate::base::limits;

/// A question to a tracker: what its answer must repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction(pub u32);

/// What a tracker lets an asker use for a minute, so that nobody asks in another one's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection(pub u64);

/// Asks for a connection.
pub fn connect(transaction: Transaction) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&PROTOCOL.to_be_bytes());
    out[8..12].copy_from_slice(&CONNECT.to_be_bytes());
    out[12..].copy_from_slice(&transaction.0.to_be_bytes());
    out
}

/// Reads the answer to [`connect`].
pub fn connected(datagram: &[u8], transaction: Transaction) -> Result<Connection, Fault> {
    let body = body(datagram, CONNECT, transaction)?;
    let connection = body.first_chunk::<8>().ok_or(Fault::Malformed)?;
    Ok(Connection(u64::from_be_bytes(*connection)))
}

/// Announces over a connection; `target` is the path of the tracker's URL (BEP 41), `/` for none.
pub fn announce(
    say: &Announce,
    (connection, transaction): (Connection, Transaction),
    target: &str,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(98);
    out.extend(connection.0.to_be_bytes());
    out.extend(ANNOUNCE.to_be_bytes());
    out.extend(transaction.0.to_be_bytes());
    out.extend(say.hash.0);
    out.extend(say.name);
    // Downloaded, left, uploaded: see [`Announce::target`].
    out.extend(0_u64.to_be_bytes());
    out.extend(1_u64.to_be_bytes());
    out.extend(0_u64.to_be_bytes());
    out.extend(say.event.number().to_be_bytes());
    // The address is the one that the datagram comes from.
    out.extend([0; 4]);
    out.extend(say.key.to_be_bytes());
    out.extend(u32::from(say.wanted).to_be_bytes());
    out.extend(say.port.to_be_bytes());
    if target.len() > 1 {
        for part in target.as_bytes().chunks(255) {
            out.extend([URL_DATA, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
            out.extend(part);
        }
        out.push(0);
    }
    out
}

/// Reads the answer to [`announce`]; whether addresses are of six bytes or of eighteen depends
/// on how the tracker was reached.
pub fn announced(datagram: &[u8], transaction: Transaction, is_v6: bool) -> Result<Answer, Fault> {
    let body = body(datagram, ANNOUNCE, transaction)?;
    let (head, peers) = body.split_first_chunk::<12>().ok_or(Fault::Malformed)?;
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let mut answer = Answer {
        interval: Duration::from_secs(word(0).into()),
        audience: Some(word(4).saturating_add(word(8))),
        ..Answer::default()
    };
    if is_v6 {
        answer.take_v6(peers)?;
    } else {
        answer.take_v4(peers)?;
    }
    Ok(answer)
}

/// How long an answer is waited for before the n-th question is asked again.
pub fn patience(asked: u32) -> Duration {
    FIRST * 2_u32.saturating_pow(asked.min(LAST))
}

/// What stands behind the head of an answer, which must be of this kind and to this question.
fn body(datagram: &[u8], action: u32, transaction: Transaction) -> Result<&[u8], Fault> {
    if datagram.len() > limits::meeting::TRACKER_DATAGRAM {
        return Err(Fault::Long);
    }
    let (head, body) = datagram.split_first_chunk::<8>().ok_or(Fault::Malformed)?;
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    match (word(0), word(4)) {
        (_, other) if other != transaction.0 => Err(Fault::Foreign),
        (ERROR, _) => Err(Fault::refused(body)),
        (kind, _) if kind == action => Ok(body),
        _ => Err(Fault::Foreign),
    }
}

/// The number that stands for BEP 15 itself.
const PROTOCOL: u64 = 0x0417_2710_1980;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const ERROR: u32 = 3;

/// The option of BEP 41 for a part of the URL.
const URL_DATA: u8 = 2;

/// 15 * 2^n seconds, n from 0 to 8.
const FIRST: Duration = Duration::from_secs(15);
const LAST: u32 = 8;

#[cfg(test)]
mod tests {
    use super::super::announce::{Event, InfoHash};
    use super::*;

    const ASKED: Transaction = Transaction(0xdead_beef);

    fn say() -> Announce {
        Announce {
            hash: InfoHash([0xab; 20]),
            name: [0xcd; 20],
            key: 0x0102_0304,
            port: 8644,
            wanted: 20,
            event: Event::Stopped,
        }
    }

    fn answer(peers: &[u8]) -> Vec<u8> {
        let mut out = vec![0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef];
        out.extend([0, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 3]);
        out.extend(peers);
        out
    }

    #[test]
    fn bep_15_a_connection_comes_first() {
        let asked = connect(ASKED);
        assert_eq!(asked[..8], [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80]);
        assert_eq!(asked[8..], [0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef]);
        let told = [0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(connected(&told, ASKED), Ok(Connection(0x0102_0304_0506_0708)));
        for end in 0..told.len() {
            assert_eq!(connected(&told[..end], ASKED), Err(Fault::Malformed), "{end}");
        }
        assert_eq!(connected(&told, Transaction(1)), Err(Fault::Foreign));
        assert_eq!(connected(&answer(&[]), ASKED), Err(Fault::Foreign));
    }

    #[test]
    fn bep_15_an_announcement_has_its_98_bytes() {
        let out = announce(&say(), (Connection(7), ASKED), "/");
        assert_eq!(out.len(), 98);
        assert_eq!(out[..16], [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef]);
        assert_eq!((out[16], out[36], out[71], out[83]), (0xab, 0xcd, 1, 3));
        assert_eq!(out[88..], [1, 2, 3, 4, 0, 0, 0, 20, 0x21, 0xc4]);
        let long = announce(&say(), (Connection(7), ASKED), "/announce?x");
        assert_eq!(long[98..], [&[2, 11], b"/announce?x".as_slice(), &[0]].concat());
    }

    #[test]
    fn bep_15_the_answer_is_read_as_the_way_it_came() {
        let four =
            announced(&answer(&[203, 0, 113, 7, 0x21, 0xc4]), ASKED, false).expect("an answer");
        assert_eq!(four.peers, ["203.0.113.7:8644".parse().expect("an address")]);
        assert_eq!((four.interval, four.audience), (Duration::from_secs(1800), Some(5)));
        let mut address = vec![0x20, 1, 0x0d, 0xb8];
        address.extend([0; 11]);
        address.extend([9, 0x21, 0xc4]);
        let six = announced(&answer(&address), ASKED, true).expect("an answer");
        assert_eq!(six.peers, ["[2001:db8::9]:8644".parse().expect("an address")]);
        assert_eq!(announced(&answer(&address[..17]), ASKED, true), Err(Fault::Malformed));
    }

    #[test]
    fn every_prefix_of_an_answer_is_refused_or_shorter() {
        let whole = answer(&[203, 0, 113, 7, 0x21, 0xc4]);
        for end in 0..whole.len() {
            let read = announced(&whole[..end], ASKED, false);
            assert!(read == Err(Fault::Malformed) || (end == 20 && read.is_ok()), "{end}");
        }
        let endless = answer(&[7; 60_000]);
        assert_eq!(announced(&endless, ASKED, false), Err(Fault::Long));
    }

    #[test]
    fn an_error_is_told_in_the_trackers_words() {
        let error = [&[0, 0, 0, 3, 0xde, 0xad, 0xbe, 0xef], b"go away".as_slice()].concat();
        assert_eq!(connected(&error, ASKED), Err(Fault::Refused("go away".into())));
    }

    #[test]
    fn bep_15_questions_are_asked_again_after_15_seconds_doubled_each_time() {
        let waits: Vec<u64> = (0..4).map(|asked| patience(asked).as_secs()).collect();
        assert_eq!(waits, [15, 30, 60, 120]);
        assert_eq!(patience(u32::MAX).as_secs(), 3840);
    }
}
