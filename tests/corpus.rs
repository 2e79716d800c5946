//! Every file of the fuzz corpus and every sample, and every prefix of each, through the entries.

#[path = "../fuzz/entry.rs"]
mod entry;

use std::fs;
use std::path::Path;

use neap::base::rng::Rng;

type Entry = fn(&[u8]);

/// Every prefix of every file, then seeded changes to it.
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

/// Changes tried for each file; raise it for a long run.
const ROUNDS: u64 = 100;

const PIECES: [&[u8]; 14] = [
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
