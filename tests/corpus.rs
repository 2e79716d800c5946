//! Every file of the fuzz corpus and every sample, and every prefix of each, through the entries.

#[path = "../fuzz/entry.rs"]
mod entry;

use std::fs;
use std::path::Path;

type Entry = fn(&[u8]);

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
    }
}

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
