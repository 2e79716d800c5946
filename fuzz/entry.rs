//! What is done with each fuzzed input; the fuzz targets and tests/corpus.rs share it.

use neap::base::id::OriginId;
use neap::base::limits;
use neap::base::time::{Date, Instant};
use neap::base::url::{Locator, Place, Places, Url};
use neap::engine::timeline::answer::Arrival;
use neap::engine::timeline::follow::Timeline;
use neap::wire::dash::template::{fill, matched};
use neap::wire::plan::{Addressing, Manifest, Plan, Read, Rendition};
use neap::wire::playlist::{Format, read};
use neap::wire::rewrite::{Base, Purpose, Source};

/// An HLS playlist: read from where it was asked for, and behind redirects.
pub(crate) fn hls(data: &[u8]) {
    playlist(Format::Hls, data);
}

/// A DASH manifest: read from where it was asked for, and behind redirects.
pub(crate) fn dash(data: &[u8]) {
    playlist(Format::Dash, data);
}

/// A packed body: what it holds ends as its end says, and no cut of it holds anything else.
pub(crate) fn gzip(data: &[u8]) {
    const MOST: usize = 100_000;
    let Ok(text) = neap::wire::gzip::unpack(data, MOST) else { return };
    assert!(text.len() <= MOST);
    let (body, trailer) = data.split_at(data.len() - 8);
    let [.., a, b, c, d] = *trailer else { unreachable!("eight bytes") };
    assert!(text.len() as u64 >= u64::from(u32::from_le_bytes([a, b, c, d])));
    for cut in 1..body.len() {
        let cut = [&body[..cut], trailer].concat();
        // Bits behind the end of what was deflated say nothing, and of members that are alike one
        // may stand for all.
        if let Ok(less) = neap::wire::gzip::unpack(&cut, MOST) {
            assert!(text.starts_with(&less));
        }
    }
}

/// One reference a line: each leads a player to what the origin meant, and stays there.
pub(crate) fn rewrite(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let (places, asked) = (places(), asked());
    for url in URLS {
        let url = Url::parse(url).expect("a URL of ours");
        let source = Source { url: &url, asked: &asked, places: &places };
        let base = Base::of(&source).expect("a configured origin");
        for line in text.lines().take(64) {
            for purpose in [Purpose::Media, Purpose::Aside] {
                let Ok(led) = base.lead(line, purpose, &places) else { continue };
                let text = led.text.as_deref().unwrap_or(line);
                let meant = url.join(line.split('#').next().unwrap_or_default());
                let exact = !line.contains(WRITTEN_ANEW) && !line.starts_with('#');
                if let (Ok(seen), Ok(meant), true) = (endpoint().join(text), meant, exact) {
                    let reached = (seen.server() == endpoint().server())
                        .then(|| places.locate(&seen.target))
                        .flatten();
                    assert_eq!(reached, led.locator, "{line:?} became {text:?}");
                    if purpose == Purpose::Media && !line.is_empty() {
                        assert_eq!(
                            reached,
                            places.find_from(asked.origin, &meant),
                            "{line:?} became {text:?}"
                        );
                    }
                }
                let Some(text) = &led.text else { continue };
                let again = base_at_endpoint().lead(text, purpose, &endpoint_places());
                assert_eq!(again.map(|led| led.text), Ok(None), "{line:?} became {text:?}");
            }
        }
    }
}

fn playlist(format: Format, data: &[u8]) {
    let (places, asked) = (places(), asked());
    for url in URLS {
        let url = Url::parse(url).expect("a URL of ours");
        let first = read(format, data, &Source { url: &url, asked: &asked, places: &places });
        bounded(&first);
        follow(&asked, first.plan.clone());
        let (Some(text), None) = (&first.text, first.warning) else { continue };
        assert_ne!(text.0, data);
        let (endpoint, places) = (endpoint(), endpoint_places());
        let source = Source { url: &endpoint, asked: &asked, places: &places };
        assert_eq!(read(format, &text.0, &source).text, None, "not idempotent: {text:?}");
    }
}

/// The plan twice into a timeline, a player at its start, and everything that it wants.
fn follow(asked: &Locator, plan: Option<Plan>) {
    let Some(plan) = plan else { return };
    let mut timeline = Timeline::default();
    let mut now = Instant::from_micros(5_000_000);
    let arrival = Arrival { now, date: Some(Date(1_714_521_700)) };
    timeline.on_plan(asked, plan.clone(), arrival);
    for locator in starts(&plan) {
        timeline.on_request(&locator, None, now);
        assert!(timeline.lifetime(&locator).is_some(), "{locator:?} is not known");
    }
    for _ in 0..3 {
        let all = core::iter::from_fn(|| timeline.poll_wanted(now));
        assert!(all.take(10_000).count() < 10_000, "it wants without end");
        now = timeline.poll_timeout().unwrap_or(now).max(now);
    }
    timeline.on_plan(asked, plan, Arrival { now, date: None });
    while timeline.poll_gone(now).is_some() {}
}

/// The first segments of everything that a plan names.
fn starts(plan: &Plan) -> Vec<Locator> {
    let first = |rendition: &Rendition, plan: &Manifest| match &rendition.media {
        Addressing::File(file) => Some(file.clone()),
        Addressing::List(list) => list.first().map(|segment| segment.locator.clone()),
        Addressing::Template(template) => {
            let runs = template.timeline.map(|place| &*plan.timelines[place]);
            let slot = template.after(None, runs, rendition.length)?;
            let target = fill(&template.locator.target, &slot)?;
            let read = matched(&template.locator.target, &target).map(|_| target);
            Some(Locator { origin: template.locator.origin, target: read? })
        }
    };
    match plan {
        Plan::Variants(_) => Vec::new(),
        Plan::Media(plan) => plan.segments.iter().take(3).map(|s| s.locator.clone()).collect(),
        Plan::Manifest(plan) => {
            plan.renditions.iter().take(3).filter_map(|rendition| first(rendition, plan)).collect()
        }
    }
}

fn bounded(read: &Read) {
    match &read.plan {
        Some(Plan::Media(plan)) => assert!(plan.segments.len() <= limits::stream::SEGMENTS),
        Some(Plan::Manifest(plan)) => assert!(plan.renditions.len() <= limits::stream::RENDITIONS),
        Some(Plan::Variants(_)) | None => {}
    }
}

/// The places that tests and targets play with.
fn places() -> Places {
    Places(vec![
        place("tv", &["https://cdn.example/live/"], &["edge.example"]),
        place("b", &["http://b.example:8080/"], &[]),
    ])
}

fn asked() -> Locator {
    Locator { origin: OriginId(0), target: "/ll/index.m3u8?token=t".into() }
}

fn endpoint() -> Url {
    Url::parse("http://127.0.0.1:8642/tv/ll/index.m3u8?token=t").expect("a URL of ours")
}

fn endpoint_places() -> Places {
    let base = |name| format!("http://127.0.0.1:8642/{name}/");
    Places(vec![place("tv", &[&base("tv")], &[]), place("b", &[&base("b")], &[])])
}

fn base_at_endpoint() -> Base {
    let (url, asked, places) = (endpoint(), asked(), endpoint_places());
    Base::of(&Source { url: &url, asked: &asked, places: &places }).expect("a configured origin")
}

fn place(name: &str, bases: &[&str], hosts: &[&str]) -> Place {
    Place {
        name: name.into(),
        bases: bases.iter().map(|base| Url::parse(base).expect("a URL of ours")).collect(),
        hosts: hosts.iter().map(|host| (*host).into()).collect(),
    }
}

/// Characters after which a URL as written and as asked for differ: dots, spaces, beyond ASCII.
const WRITTEN_ANEW: fn(char) -> bool = |c| !c.is_ascii_graphic() || c == '.';

/// Where the playlist was really fetched from: as asked, another folder, another origin, abroad.
const URLS: [&str; 4] = [
    "https://cdn.example/live/ll/index.m3u8?token=t",
    "https://cdn.example/live/moved/deeper/index.m3u8",
    "http://b.example:8080/x/index.m3u8",
    "https://elsewhere.example/y/index.m3u8",
];
