//! `neap sign`: what a publisher signs is what devices ask for, block by block.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use neap::base::digest::Digest;
use neap::base::limits;
use neap::base::segment::{SegmentId, resource};
use neap::base::time::Instant;
use neap::daemon::arguments::Sign;
use neap::daemon::check::Outcome;
use neap::daemon::sign::command::sign;
use neap::engine::verify::judge::Verdict;
use neap::engine::verify::signers::Trusted;
use neap::engine::verify::verifier::{Check, From, Verifier};
use neap::host::clock;
use neap::wire::record::Record;
use neap::wire::record_file;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

/// A folder with a key and media, gone at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("neap-sign-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(folder.0.join("media")).unwrap();
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        fs::write(folder.0.join("key"), key.as_ref()).unwrap();
        folder
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.media(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn media(&self, name: &str) -> PathBuf {
        self.0.join("media").join(name)
    }

    /// Signs this below the media folder, which is `/ch1/` at the origin `tv`.
    fn sign(&self, names: &[&str]) -> Outcome {
        let paths = names.iter().map(|name| self.media(name)).collect();
        let (origin, base) = (Some("tv".into()), Some("/ch1/".into()));
        sign(&Sign { key: self.0.join("key"), origin, base, valid: None, paths })
    }

    /// Signs until all have good records: on a coarse clock one may be as old as its file.
    fn settle(&self) {
        let kept = || self.sign(&[""]).out.starts_with("files signed: 0,");
        assert!((0..1000).any(|_| kept()), "signing again keeps what is good");
    }

    fn records(&self, name: &str) -> Option<Vec<Record>> {
        let file = fs::read(self.media(&format!("{name}.neap-record"))).ok()?;
        Some(record_file::parse(&file).expect("a record file"))
    }

    /// Every block of the file is proven by its records, under the name that devices give it.
    #[track_caller]
    fn assert_proven(&self, name: &str, target: &str) {
        let records = self.records(name).unwrap_or_else(|| panic!("{name} has no record"));
        let publishers = vec![records[0].signer];
        let mut verifier = Verifier::new(&Trusted { publishers, ..Trusted::default() });
        let bytes = fs::read(self.media(name)).unwrap();
        assert_eq!(
            records.len(),
            bytes.len().div_ceil(usize::try_from(limits::block::SEGMENT).unwrap())
        );
        for (number, record) in (0..).zip(records) {
            let segment = SegmentId { resource: resource("tv", target), number };
            let date = clock::date();
            assert!(date.is_some(), "the machine that tests has a date");
            let told = verifier.on_record(record, date, Instant::default());
            assert_eq!(told, Verdict::New, "{name}");
            for block in segment.blocks(bytes.len() as u64).iter() {
                let range = segment.block(block, bytes.len() as u64);
                let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
                let digest = Digest::of(&bytes[start..end]);
                let check = verifier.on_block((segment, block), digest, From::Disk);
                assert_eq!(check, Check::Good, "block {block} of {name}");
            }
        }
    }
}

#[track_caller]
fn good(outcome: &Outcome) {
    let others = outcome.err.lines().filter(|line| !line.contains("others may use this key"));
    assert_eq!((outcome.code, others.count()), (0, 0), "{}", outcome.err);
}

#[test]
fn links_to_folders_are_told_and_not_followed() {
    let folder = Folder::new();
    folder.put("a.ts", "one");
    folder.put("b/b.ts", "two");
    std::os::unix::fs::symlink(folder.media("b"), folder.media("link")).unwrap();
    std::os::unix::fs::symlink(folder.media("a.ts"), folder.media("c.ts")).unwrap();
    let outcome = folder.sign(&[""]);
    good(&outcome);
    assert!(outcome.out.starts_with("files signed: 3,"), "{}", outcome.out);
    assert!(outcome.out.contains("links to folders, not followed: 1;"), "{}", outcome.out);
    assert!(!outcome.out.contains("no media"), "{}", outcome.out);
    assert!(folder.records("link/b.ts").is_some(), "by its own name");
    let outcome = folder.sign(&["link"]);
    assert!(outcome.out.starts_with("files signed: 1,"), "{}", outcome.out);
}

#[test]
fn records_that_would_be_over_at_once_are_refused() {
    let folder = Folder::new();
    folder.put("a.ts", "one");
    let paths = vec![folder.media("a.ts")];
    let wanted =
        Sign { key: folder.0.join("key"), origin: Some("tv".into()), paths, ..Sign::default() };
    for (valid, code) in [("0", 78), ("0 s", 78), ("999 ms", 78), ("1 s", 0)] {
        let outcome = sign(&Sign { valid: Some(valid.into()), ..wanted.clone() });
        assert_eq!(outcome.code, code, "{valid}: {}", outcome.err);
        assert_eq!(outcome.err.contains("--valid: such records are over"), code != 0, "{valid}");
        assert_eq!(folder.records("a.ts").is_some(), code == 0, "{valid}");
    }
}

#[test]
fn what_a_playlist_lists_is_signed() {
    let folder = Folder::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/media");
    let names = ["index.m3u8", "init.mp4", "s0.m4s", "s1.m4s", "s2.m4s", "s3.m4s", "s4.m4s"];
    for name in names.into_iter().chain(["s5.m4s"]) {
        folder.put(name, fs::read(sample.join(name)).unwrap());
    }
    folder.put("other.ts", "not listed");
    let outcome = folder.sign(&["index.m3u8"]);
    good(&outcome);
    assert!(
        outcome.out.starts_with("files signed: 7, records made: 7, files with good records: 0\n")
    );
    assert!(outcome.out.contains("\nsigner: ed25519:"), "{}", outcome.out);
    for name in names.into_iter().skip(1) {
        folder.assert_proven(name, &format!("/ch1/{name}"));
    }
    assert_eq!(folder.records("s0.m4s").unwrap()[0].statement.content_type, "video/iso.segment");
    assert!(folder.records("index.m3u8").is_none() && folder.records("other.ts").is_none());
}

#[test]
fn a_folder_is_signed_with_what_lies_below() {
    let folder = Folder::new();
    let large =
        vec![7; usize::try_from(limits::block::SEGMENT + limits::block::BLOCK + 5).unwrap()];
    folder.put("film.mp4", large);
    folder.put("720p/seg 1.ts", "one");
    folder.put("poster.jpg", "no media");
    folder.put("key.bin", "0123456789abcdef");
    folder.put("index.m3u8", "#EXTM3U\n");
    folder.put(".hidden.ts", "being written");
    let outcome = folder.sign(&[""]);
    good(&outcome);
    assert!(outcome.out.starts_with("files signed: 2, records made: 3,"), "{}", outcome.out);
    assert!(outcome.out.contains("files left out, no media by their names: 2;"), "{}", outcome.out);
    folder.assert_proven("film.mp4", "/ch1/film.mp4");
    folder.assert_proven("720p/seg 1.ts", "/ch1/720p/seg%201.ts");
    assert!(folder.records("key.bin").is_none());
    let left = fs::read_dir(folder.media("720p")).unwrap().count();
    assert_eq!(left, 2, "nothing but the segment and its record");
}

#[test]
fn what_has_a_good_record_keeps_it() {
    let folder = Folder::new();
    folder.put("a.ts", "a");
    folder.put("b.ts", "b");
    folder.settle();
    let before = folder.records("a.ts");
    assert!(
        folder
            .sign(&[""])
            .out
            .starts_with("files signed: 0, records made: 0, files with good records: 2")
    );
    assert_eq!(folder.records("a.ts"), before);
    folder.put("b.ts", "longer");
    fs::write(folder.media("a.ts.neap-record"), "damaged").unwrap();
    assert!(folder.sign(&[""]).out.starts_with("files signed: 2,"));
    folder.assert_proven("a.ts", "/ch1/a.ts");
    folder.assert_proven("b.ts", "/ch1/b.ts");
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    fs::write(folder.0.join("key"), key.as_ref()).unwrap();
    assert!(folder.sign(&["a.ts"]).out.starts_with("files signed: 1,"), "another key signs anew");
}

fn date(path: &Path, when: SystemTime) {
    fs::File::options().append(true).open(path).unwrap().set_modified(when).unwrap();
}

#[test]
fn what_took_a_files_place_is_signed_whatever_its_date() {
    let folder = Folder::new();
    folder.put("a.ts", "one");
    folder.settle();
    folder.put(".a.new", "two");
    date(&folder.media(".a.new"), SystemTime::UNIX_EPOCH);
    fs::rename(folder.media(".a.new"), folder.media("a.ts")).unwrap();
    assert!(folder.sign(&[""]).out.starts_with("files signed: 1,"));
    folder.assert_proven("a.ts", "/ch1/a.ts");
    folder.settle();
    // The clock was a day ahead when this record was made.
    let record = folder.media("a.ts.neap-record");
    let ahead = fs::metadata(&record).unwrap().modified().unwrap() + Duration::from_secs(86_400);
    date(&record, ahead);
    folder.put("a.ts", "six");
    assert!(folder.sign(&[""]).out.starts_with("files signed: 1,"));
    folder.assert_proven("a.ts", "/ch1/a.ts");
}

#[test]
fn a_multivariant_playlist_leads_to_its_segments_and_never_to_keys() {
    let folder = Folder::new();
    let variants = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nlow/i.m3u8\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=2000\nhigh/i.m3u8\n";
    folder.put("all.m3u8", variants);
    for name in ["low", "high"] {
        let list = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI=\"k.ts\"\n\
                    #EXTINF:2,\na.ts\n#EXTINF:2,\n#EXT-X-BYTERANGE:10@0\nb.ts\n#EXTINF:2,\n\
                    #EXT-X-BYTERANGE:10@10\nb.ts\n#EXT-X-ENDLIST\n";
        folder.put(&format!("{name}/i.m3u8"), list);
        folder.put(&format!("{name}/k.ts"), "0123456789abcdef");
        folder.put(&format!("{name}/a.ts"), name);
        folder.put(&format!("{name}/b.ts"), "twenty bytes of both");
    }
    let outcome = folder.sign(&["all.m3u8"]);
    good(&outcome);
    assert!(outcome.out.starts_with("files signed: 4,"), "{}", outcome.out);
    folder.assert_proven("low/a.ts", "/ch1/low/a.ts");
    folder.assert_proven("high/b.ts", "/ch1/high/b.ts");
    assert!(folder.records("low/k.ts").is_none(), "a key never travels");
}

#[test]
fn a_manifest_leads_to_what_its_templates_name() {
    let folder = Folder::new();
    let manifest = "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
        type=\"static\" mediaPresentationDuration=\"PT6S\"><Period><AdaptationSet \
        mimeType=\"video/mp4\"><SegmentTemplate timescale=\"1\" duration=\"2\" startNumber=\"1\" \
        initialization=\"$RepresentationID$/i.mp4\" media=\"$RepresentationID$/$Number$.m4s\"/>\
        <Representation id=\"v1\" bandwidth=\"1000\"/></AdaptationSet></Period></MPD>";
    folder.put("m.mpd", manifest);
    for name in ["v1/i.mp4", "v1/1.m4s", "v1/2.m4s", "v1/x.m4s", "v2/1.m4s"] {
        folder.put(name, name);
    }
    let outcome = folder.sign(&["m.mpd"]);
    good(&outcome);
    assert!(outcome.out.starts_with("files signed: 3,"), "{}", outcome.out);
    folder.assert_proven("v1/i.mp4", "/ch1/v1/i.mp4");
    folder.assert_proven("v1/2.m4s", "/ch1/v1/2.m4s");
    assert!(folder.records("v1/x.m4s").is_none() && folder.records("v2/1.m4s").is_none());
}

#[test]
fn what_cannot_be_signed_is_named_and_the_rest_is_signed() {
    let folder = Folder::new();
    folder
        .put("i.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\ngone.ts\n#EXTINF:2,\na.ts\n");
    folder.put("a.ts", "a");
    folder.put("empty.ts", "");
    let outcome = folder.sign(&["i.m3u8", "empty.ts", "nowhere"]);
    assert_eq!(outcome.code, 78);
    for part in ["gone.ts: is listed by ", "empty.ts: is empty", "nowhere: cannot be looked at"] {
        assert!(outcome.err.contains(part), "{part}: {}", outcome.err);
    }
    folder.assert_proven("a.ts", "/ch1/a.ts");
}

#[test]
fn a_key_of_openssl_signs_too() {
    let folder = Folder::new();
    folder.put("a.ts", "a");
    // RFC 8410, 7: version 1, without the public key.
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    fs::write(folder.0.join("key"), [head.as_slice(), &[7; 32]].concat()).unwrap();
    good(&folder.sign(&["a.ts"]));
    folder.assert_proven("a.ts", "/ch1/a.ts");
}

#[test]
fn a_file_that_is_no_key_says_how_to_get_one() {
    let folder = Folder::new();
    folder.put("a.ts", "a");
    fs::write(folder.0.join("key"), "no key").unwrap();
    let outcome = folder.sign(&["a.ts"]);
    assert_eq!(outcome.code, 78);
    assert!(outcome.err.contains("make one with 'neap key'"), "{}", outcome.err);
    fs::remove_file(folder.0.join("key")).unwrap();
    assert!(folder.sign(&["a.ts"]).err.contains("the key cannot be read"));
    let bare = Sign { key: folder.0.join("key"), paths: vec!["x".into()], ..Sign::default() };
    assert!(sign(&bare).err.contains("add --origin NAME"));
}
