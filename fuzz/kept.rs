//! What is done with fuzzed text and bytes that neap keeps or is given by its owner: URLs, units,
//! the configuration, and the files of the disk tier.

use core::fmt::{Debug, Display};
use core::str::FromStr;
use core::time::Duration;
use std::path::Path;

use neap::base::digest::Digest;
use neap::base::limits;
use neap::base::units::{self, PerDay, Rate, Share, Size};
use neap::base::url::{Place, Places, Url, has_scheme, identity, without_dots, without_query};
use neap::config::file::Text;
use neap::config::keys::key::Sources;
use neap::config::merge::Merge;
use neap::config::model::{Config, Origin};
use neap::config::problem::Problem;
use neap::config::show;
use neap::daemon::check;
use neap::store::sheet::{FIXED, Head};
use neap::wire::cmcd::Cmcd;
use neap::wire::http::fields::Fields;

/// One URL or reference a line: what is read is written so, and joined it stays in its place.
pub(crate) fn url(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let places = places();
    let base = &places.0[0].bases[0];
    for line in text.lines().take(LINES) {
        if let Ok(read) = Url::parse(line) {
            assert_eq!(Url::parse(&read.to_string()), Ok(read.clone()), "{line:?}");
            if let Some(found) = places.find(&read) {
                let again = places.url_of(&found).and_then(|url| places.find(&url));
                assert_eq!(again, Some(found), "{line:?}");
            }
        }
        if let Ok(joined) = base.join(line) {
            assert!(joined.target.starts_with('/') && !joined.target.contains(['#', ' ']));
            assert_eq!(base.join(&joined.to_string()), Ok(joined.clone()), "{line:?}");
            let reference = line.split('#').next().unwrap_or_default();
            if !has_scheme(reference) && !reference.starts_with("//") {
                assert_eq!(joined.server(), base.server());
                undotted(without_query(&joined.target));
            }
        }
        let plain = without_dots(line);
        undotted(&plain);
        assert_eq!(without_dots(&plain), plain);
        let ignored = ["token".to_owned(), "CMCD".to_owned()];
        let kept = identity(line, &ignored);
        assert_eq!(identity(&kept, &ignored), kept);
        assert_eq!(without_query(&kept), without_query(line));
        assert_eq!(identity(line, &["*".to_owned()]), without_query(line));
        if let Some(found) = places.locate(line) {
            let path = places.path_of(&found).expect("a place of ours");
            assert_eq!(places.locate(&path), Some(found), "{line:?}");
        }
    }
}

/// One value with its unit a line: what is read reads back as it is shown.
pub(crate) fn units(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    for line in text.lines().take(LINES) {
        reads_back::<Size>(line, |size| size.0 < SHOWABLE);
        reads_back::<Rate>(line, |rate| rate.0 < SHOWABLE);
        reads_back::<PerDay>(line, |volume| volume.0.0 < SHOWABLE);
        reads_back::<Share>(line, |share| {
            assert!(share.0 <= 1000, "more than all of it");
            true
        });
        let Ok(duration) = units::duration(line) else { continue };
        if duration < Duration::from_millis(SHOWABLE) {
            let shown = units::plain(duration).to_string();
            assert_eq!(units::duration(&shown), Ok(duration), "{line:?} as {shown:?}");
        }
    }
}

/// What a player says about itself, one request a line: what is read is within its bounds, and
/// the next object stays at its origin.
pub(crate) fn cmcd(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let base = &places().0[0].bases[0];
    for line in text.lines().take(LINES) {
        let fields = [("CMCD-Request", line)].into_iter().collect();
        for said in [Cmcd::of(line, &Fields::new()), Cmcd::of("/", &fields)] {
            let times = [said.buffer, said.deadline, said.duration];
            assert!(
                times.into_iter().flatten().all(|time| time <= limits::http::CMCD_TIME),
                "{line:?}"
            );
            let rates = [said.bitrate, said.top_bitrate, said.throughput, said.wished_rate];
            let bounded = |rate: Rate| rate.0 > 0 && rate <= limits::http::CMCD_RATE;
            assert!(rates.into_iter().flatten().all(bounded), "{line:?}");
            let names = [said.session, said.content].into_iter().flatten();
            assert!(names.map(|name| name.len()).all(|bytes| bytes <= limits::http::CMCD_NAME));
            if let Some(next) = said.next {
                let led = base.join(&next).expect("a reference");
                assert_eq!(led.server(), base.server(), "{line:?}");
            }
        }
    }
}

/// A configuration file: mistakes are one line each, and what holds is listed so that it reads
/// back.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let mut flags = Merge::default();
    flags.origin_flag(text.lines().next().unwrap_or_default());
    let _ = flags.finish();
    let (config, sources) = match read(text) {
        Ok(read) => read,
        Err(problems) => {
            assert!(!problems.is_empty() && problems.len() <= limits::config::PROBLEMS);
            for problem in problems {
                let line = problem.to_string();
                assert!(!line.contains(char::is_control), "{line:?}");
                assert!(problem.source.line() <= text.matches('\n').count() + 1, "{line:?}");
            }
            return;
        }
    };
    let listed = check::listing(&config, &sources);
    let secret = |origin: &Origin| origin.headers.iter().any(|(name, _)| show::secret(name));
    if !config.origins.iter().any(secret) {
        let again = read(&listed).map(|(config, _)| config);
        assert_eq!(again.as_ref().ok(), Some(&config), "{listed}");
    }
}

/// The head of a slice file, as it is and under a seal that fits it.
pub(crate) fn sheet(data: &[u8]) {
    sheet_as_is(data);
    if let Some((sealed, _)) = data.split_last_chunk::<32>() {
        sheet_as_is(&[sealed, &Digest::of(sealed).0].concat());
    }
}

fn sheet_as_is(data: &[u8]) {
    if let Some(length) = data.first_chunk::<FIXED>().and_then(|fixed| Head::length(fixed).ok()) {
        let most = FIXED + limits::cache::SHEET_HEADER + 17 * 32;
        assert!(length <= most, "{length} bytes would be read for one head");
    }
    let Ok(head) = Head::parse(data) else { return };
    assert!((1..=limits::block::SLICE).contains(&u64::from(head.payload)));
    assert_eq!(head.digests.len() as u64, u64::from(head.payload).div_ceil(limits::block::BLOCK));
    let again = Head::parse(&head.to_bytes());
    assert_eq!(again, Ok(head));
}

fn reads_back<T>(line: &str, showable: impl Fn(&T) -> bool)
where
    T: FromStr + Display + Debug + PartialEq,
{
    let Ok(read) = line.parse::<T>() else { return };
    if showable(&read) {
        let again = read.to_string().parse::<T>();
        assert_eq!(again.ok().as_ref(), Some(&read), "{line:?} as {read}");
    }
}

fn undotted(path: &str) {
    assert!(path.starts_with('/'), "{path:?}");
    assert!(!path.split('/').any(|part| matches!(part, "." | "..")), "{path:?}");
}

fn read(text: &str) -> Result<(Config, Sources), Vec<Problem>> {
    let mut merge = Merge::default();
    merge.file(&Text::new(Path::new("neap.toml"), text.into()));
    merge.finish()
}

fn places() -> Places {
    let place = |name: &str, base: &str, hosts: &[&str]| Place {
        name: name.into(),
        bases: vec![Url::parse(base).expect("a URL of ours")],
        hosts: hosts.iter().map(|host| (*host).into()).collect(),
    };
    Places(vec![
        place("tv", "https://cdn.example/live/", &["edge.example"]),
        place("b", "http://b.example:8080/", &[]),
    ])
}

/// Lines of one input that are read.
const LINES: usize = 64;

/// Numbers of more than 18 digits are not read, so that what is shown must have fewer.
const SHOWABLE: u64 = 1_000_000_000_000_000_000;
