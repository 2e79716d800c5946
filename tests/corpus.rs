//! Every file of the fuzz corpus and every sample, and every prefix of each, through the entries.

#[path = "../fuzz/caps.rs"]
mod caps;
#[path = "../fuzz/entry.rs"]
mod entry;
#[path = "../fuzz/http.rs"]
mod http;
#[path = "../fuzz/kept.rs"]
mod kept;
#[path = "../fuzz/link.rs"]
mod link;
#[path = "../fuzz/reach.rs"]
mod reach;

use std::fs;
use std::path::Path;

use neap::base::rng::Rng;

type Entry = fn(&[u8]);

/// Every prefix of every file, bytes of it flipped, then seeded changes to it.
fn replay(folder: &str, entry: Entry) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(&folder)
        .expect("a fixture of this test")
        .map(|file| file.expect("a fixture of this test").path());
    let files: Vec<_> = files.filter(|path| path.is_file()).collect();
    assert!(!files.is_empty(), "{} holds no sample", folder.display());
    for file in files {
        let data = fs::read(&file).expect("a fixture of this test");
        for end in 0..=data.len() {
            entry(&data[..end]);
        }
        for at in (0..data.len()).step_by(1 + data.len() / PLACES) {
            for mask in MASKS {
                let mut flipped = data.clone();
                flipped[at] ^= mask;
                entry(&flipped);
            }
        }
        for seed in 0..ROUNDS {
            entry(&changed(&data, seed));
        }
    }
}

/// The bytes with up to four pieces moved, doubled, cut or overwritten.
fn changed(data: &[u8], seed: u64) -> Vec<u8> {
    let (mut rng, mut data) = (Rng::new(seed), data.to_vec());
    let mut below = |bound: usize| usize::try_from(rng.below(bound as u64 + 1)).unwrap_or(0);
    for _ in 0..=below(3) {
        let start = below(data.len());
        let end = (start + below(40)).min(data.len());
        let to = below(data.len());
        let piece = match below(3) {
            0 => Vec::new(),
            1 => PIECES[below(PIECES.len() - 1)].to_vec(),
            _ => data[start..end].to_vec(),
        };
        let cut = if below(1) == 0 { to } else { (to + below(20)).min(data.len()) };
        data.splice(to..cut, piece);
    }
    data
}

/// Bytes of a file that are flipped, spread over its length.
const PLACES: usize = 256;

/// How a byte is flipped: to a neighbour, to the other case or a digit, and beyond ASCII.
const MASKS: [u8; 3] = [0x01, 0x20, 0x80];

/// Changes tried for each file; raise it for a long run.
const ROUNDS: u64 = 100;

const PIECES: [&[u8]; 20] = [
    b"../",
    b"/",
    b"//",
    b"https://cdn.example/live/",
    b"https://elsewhere.example/",
    b"#",
    b"?",
    b"&amp;",
    b"18446744073709551615",
    b"-1",
    b"\"",
    b"$Time$",
    b"<BaseURL>x/</BaseURL>",
    b"\xc3\xbc ",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b", ",
    b": ",
];

#[test]
fn every_prefix_of_the_hls_corpus_is_borne() {
    replay("fuzz/corpus/hls", entry::hls);
    replay("tests/samples/hls", entry::hls);
}

#[test]
fn every_prefix_of_the_dash_corpus_is_borne() {
    replay("fuzz/corpus/dash", entry::dash);
    replay("tests/samples/dash", entry::dash);
}

#[test]
fn every_prefix_of_the_rewrite_corpus_is_borne() {
    replay("fuzz/corpus/rewrite", entry::rewrite);
}

macro_rules! corpora {
    ($($test:ident: $folder:literal, $entry:path;)*) => {
        $(#[test]
        fn $test() {
            replay(concat!("fuzz/corpus/", $folder), $entry);
        })*
    };
}

corpora! {
    a_packed_body_is_what_its_sum_says: "gzip", entry::gzip;
    a_request_is_read_and_sent_on_as_one: "request", http::request;
    a_response_is_read_and_passed_on_as_one: "response", http::response;
    chunks_are_the_same_in_any_pieces: "chunked", http::chunked;
    ranges_read_as_they_are_written: "range", http::range;
    directives_never_lose_a_prohibition: "cache_control", http::cache_control;
    what_is_stored_is_valid_against_itself: "conditions", http::conditions;
    a_list_is_its_members: "lists", http::lists;
    any_word_of_a_player_is_borne: "cmcd", kept::cmcd;
    a_digest_is_found_among_others: "integrity", http::integrity;
    any_note_beside_a_slice_is_borne: "memo", http::memo;
    urls_stay_in_their_place: "url", kept::url;
    units_read_as_they_are_shown: "units", kept::units;
    any_configuration_is_listed_or_named_wrong: "config", kept::config;
    any_head_of_a_slice_file_is_borne: "sheet", kept::sheet;
    what_a_link_says_is_written_as_it_is_read: "frames", link::frames;
    no_record_is_believed_but_as_it_was_signed: "record", link::record;
    a_stun_datagram_reads_as_it_is_written: "stun", reach::stun;
    a_router_s_answer_is_ours_or_none: "pcp", reach::pcp;
    a_gateway_names_no_place_but_its_own: "igd", reach::igd;
    a_tracker_is_bounded_whatever_it_answers: "tracker", link::tracker;
    what_is_noted_of_the_caps_is_read_as_it_was: "caps_page", caps::caps_page;
    hours_read_as_they_are_shown: "schedule", caps::schedule;
    a_record_file_has_each_record_in_its_place: "record_file", link::record_file;
}
