//! What is done with fuzzed bytes of links and publishers: frames, messages, records and files of
//! records.

use neap::base::limits;
use neap::wire::frame::{Breach, Header, Kind};
use neap::wire::message::{BlockHead, Message};
use neap::wire::record::Record;
use neap::wire::record_file::{self, Head};
use neap::wire::tracker::announce::Answer;
use neap::wire::tracker::datagram::{Transaction, announced, connected};

/// A stream of frames, as a link reads it: what is said is bounded, and written as it was read.
pub(crate) fn frames(data: &[u8]) {
    let mut rest = data;
    while let Some((header, behind)) = rest.split_first_chunk::<{ Header::SIZE }>() {
        let Ok(header) = Header::parse(header) else { return };
        assert!(header.length <= limits::link::FRAME && header.length <= header.kind.longest());
        assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
        let Some((body, next)) = behind.split_at_checked(header.length) else { return };
        match Message::parse(header.kind, body) {
            Err(breach) => return assert!(!breach.sentence().is_empty()),
            Ok(None) => {}
            Ok(Some(message)) => said(header, body, &message),
        }
        if header.kind == Kind::BLOCK {
            alone(header, body);
        }
        rest = next;
    }
}

/// The message is written as the body began; the rest is a newer version's.
fn said(header: Header, body: &[u8], message: &Message) {
    let mut out = Vec::new();
    message.write(&mut out);
    let (written, again) = out.split_first_chunk().expect("a frame has a header");
    let written = Header::parse(written).expect("a frame of ours");
    assert_eq!(written.kind, header.kind);
    assert!(written.length <= header.length && body.starts_with(again), "{message:?}");
}

/// A block's head says the same before its bytes are here.
fn alone(header: Header, body: &[u8]) {
    let head = body.first_chunk().expect("it was read with its bytes");
    let head = BlockHead::parse(head, header).expect("it was read with its bytes");
    let bytes = usize::try_from(head.length).expect("a block is 64 KiB");
    assert_eq!(BlockHead::SIZE + bytes + head.extra, header.length);
    assert!(
        bytes as u64 <= limits::block::BLOCK
            && u64::from(head.block) < limits::block::SEGMENT_BLOCKS
    );
}

/// A record: bounded, written as it was read, and believed only as it was signed.
pub(crate) fn record(data: &[u8]) {
    let record = match Record::parse(data) {
        Ok(record) => record,
        Err(breach) => return assert_ne!(breach, Breach::Long),
    };
    let mut out = Vec::new();
    record.write(&mut out);
    assert!(data.starts_with(&out) && out.len() <= limits::link::MESSAGE);
    assert_eq!(record.statement.check(), Ok(()));
    if record.holds() {
        assert_eq!(record.signer.short(), "8a88e3dd", "somebody forged the sample's signer");
    }
}

/// A file of records: as many as it says, each where its head says, and written as it was read.
pub(crate) fn record_file(data: &[u8]) {
    let Ok(records) = record_file::parse(data) else { return };
    let head = data.first_chunk().and_then(|head| Head::parse(head).ok()).expect("it was read");
    assert_eq!(u32::try_from(records.len()), Ok(head.count));
    for (number, record) in (0..).zip(&records) {
        let range = head.place(number).expect("there is such a record");
        let start = usize::try_from(range.start).expect("it lies in the file");
        assert_eq!(Record::parse(&data[start..]).as_ref(), Ok(record));
    }
    let again = record_file::write(&records);
    assert_eq!(record_file::parse(&again), Ok(records));
}

/// A tracker's answer, over HTTP and over UDP: bounded, and the same however it is asked.
pub(crate) fn tracker(data: &[u8]) {
    if let Ok(answer) = Answer::parse(data) {
        assert!(
            answer.peers.len() <= limits::meeting::TRACKER_PEERS
                && data.len() <= limits::meeting::TRACKER_BODY
        );
    }
    let asked = data.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let Some(asked) = asked else { return };
    let _ = connected(data, Transaction(asked));
    for is_v6 in [false, true] {
        let Ok(answer) = announced(data, Transaction(asked), is_v6) else { continue };
        let each = if is_v6 { 18 } else { 6 };
        let said = (data.len() - 20) / each;
        assert_eq!(answer.peers.len(), said.min(limits::meeting::TRACKER_PEERS));
        assert!(announced(data, Transaction(!asked), is_v6).is_err(), "a stranger's answer");
    }
}
