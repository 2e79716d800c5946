//! Playlists made to cost much: what one of a few megabytes takes is bounded, in time and in what
//! it leaves behind. Each of these took minutes or gigabytes where a cost was left out of account;
//! the bound is far above what a slow machine needs.

use core::time::Duration;

use neap::base::id::OriginId;
use neap::base::limits;
use neap::base::map::Map;
use neap::base::time::Instant;
use neap::base::url::{Locator, Place, Places, Url};
use neap::engine::timeline::answer::Arrival;
use neap::engine::timeline::follow::Timeline;
use neap::host::clock;
use neap::wire::plan::{Addressing, Fault, Plan, Read};
use neap::wire::playlist::{Format, read};
use neap::wire::rewrite::Source;

const BOUND: Duration = Duration::from_secs(20);

fn at(target: &str) -> Locator {
    Locator { origin: OriginId(0), target: target.into() }
}

/// What is read of a playlist that stands at `url`, asked for as `/index`.
fn fetched(text: &str, url: &str) -> Read {
    let base = Url::parse("https://cdn.example/live/").expect("a fixture of this test");
    let places = Places(vec![Place { name: "tv".into(), bases: vec![base], hosts: Vec::new() }]);
    let (url, asked) = (Url::parse(url).expect("a fixture of this test"), at("/index"));
    let format = if text.starts_with('<') { Format::Dash } else { Format::Hls };
    assert!(text.len() <= limits::stream::PLAYLIST, "{}", text.len());
    let source = Source { url: &url, asked: &asked, places: &places };
    timed(|| read(format, text.as_bytes(), &source))
}

fn timed<T>(what: impl FnOnce() -> T) -> T {
    let began = clock::now();
    let done = what();
    let took = clock::now() - began;
    assert!(took < BOUND, "it took {took:?}");
    done
}

fn here(text: &str) -> Read {
    fetched(text, "https://cdn.example/live/index")
}

/// A manifest of one period, with what stands in it before and after `<AdaptationSet>`s.
fn period(head: &str, sets: &str) -> String {
    format!("<MPD><Period>{head}{sets}</Period></MPD>")
}

fn names(plan: Option<Plan>) -> usize {
    match plan {
        Some(Plan::Manifest(manifest)) => {
            let of = |media: &Addressing| match media {
                Addressing::List(list) => list.iter().map(|s| s.locator.target.len()).sum(),
                Addressing::Template(template) => template.locator.target.len(),
                Addressing::File(file) => file.target.len(),
            };
            manifest.renditions.iter().map(|one| one.name.len() + of(&one.media)).sum()
        }
        Some(Plan::Media(plan)) => plan.segments.iter().map(|s| s.locator.target.len()).sum(),
        Some(Plan::Variants(plan)) => plan.variants.iter().map(|v| v.locator.target.len()).sum(),
        None => 0,
    }
}

#[test]
fn levels_share_the_references_that_they_inherit() {
    let list = format!("<SegmentList>{}</SegmentList>", "<SegmentURL index=\"a\"/>".repeat(95_000));
    let read = here(&period(&list, &"<AdaptationSet/>".repeat(95_000)));
    assert_eq!((read.text, read.warning), (None, None));
    let sets = "<AdaptationSet><SegmentList/></AdaptationSet>".repeat(40_000);
    let read = here(&period(&list, &sets));
    assert_eq!((read.text, read.warning), (None, None));
}

#[test]
fn levels_share_the_bases_that_they_inherit() {
    for (length, count, sets) in [(2_300_000, 1, 110_000), (8_000, 4, 180_000)] {
        let bases = format!("<BaseURL>{}/</BaseURL>", "a".repeat(length)).repeat(count);
        let read = here(&period(&bases, &"<AdaptationSet/>".repeat(sets)));
        assert_eq!((read.text, read.warning), (None, None));
    }
}

#[test]
fn an_inherited_list_without_urls_counts_for_each_that_inherits_it() {
    let list = "<SegmentURL/>".repeat(90_000);
    let sets = "<Representation/>".repeat(90_000);
    let read = here(&period(
        "",
        &format!("<AdaptationSet><SegmentList>{list}</SegmentList>{sets}</AdaptationSet>"),
    ));
    assert_eq!(read.warning, Some(Fault::Count));
}

#[test]
fn long_names_are_not_multiplied() {
    let (id, base) = ("a".repeat(2_000_000), "b".repeat(8_000));
    let sets = format!("<AdaptationSet>{}</AdaptationSet>", "<Representation/>".repeat(2_000));
    let text = format!("<MPD><Period id=\"{id}\" start=\"PT0S\">{sets}</Period></MPD>");
    let sum = names(here(&text).plan);
    assert!((1..limits::stream::RESOLVED).contains(&sum), "{sum}");
    let filled = "$RepresentationID$".repeat(50_000);
    let head = format!("<SegmentTemplate media=\"{filled}$Number$\" duration=\"1\"/>");
    let sets = format!("<AdaptationSet><Representation id=\"{id}\"/></AdaptationSet>");
    assert_eq!(names(here(&period(&head, &sets)).plan), 0);
    let urls = "<SegmentURL media=\"a\"/>".repeat(20_000);
    let set = format!(
        "<BaseURL>{base}/</BaseURL><AdaptationSet><Representation>\
         <SegmentList>{urls}</SegmentList></Representation></AdaptationSet>"
    );
    let sum = names(here(&period("", &set)).plan);
    assert!(sum < limits::stream::RESOLVED, "{sum}");
}

#[test]
fn a_short_line_is_not_answered_with_a_long_one_for_ever() {
    let abroad = format!("https://elsewhere.example/{}/index", "a".repeat(8_000));
    let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{}", "a\n".repeat(2_000_000));
    let read = fetched(&text, &abroad);
    assert_eq!((read.text, read.plan, read.warning), (None, None, Some(Fault::Count)));
    let read = fetched(&text, "https://elsewhere.example/index");
    assert_eq!(read.warning, Some(Fault::Count));
    let media = "#EXT-X-MEDIA:URI=\"a\"\n".repeat(190_000);
    let Some(Plan::Variants(plan)) = here(&format!("#EXTM3U\n{media}")).plan else { panic!() };
    assert_eq!(plan.variants.len(), limits::stream::RENDITIONS);
}

fn updated(one: &str, other: &str) {
    let mut timeline = Timeline::new(Map::from([(OriginId(0), vec!["token".to_owned()])]));
    for text in [one, other] {
        let plan = here(text).plan.expect("a plan");
        let arrival = Arrival { now: Instant::default(), date: None };
        timed(|| timeline.on_plan(&at("/index"), plan, arrival));
    }
}

fn lines(of: impl Fn(usize) -> String) -> String {
    let lines: String = (0..limits::stream::SEGMENTS).map(of).collect();
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{lines}")
}

#[test]
fn an_update_is_compared_number_by_number() {
    let parts = |name| lines(|n| format!("#EXT-X-PART:DURATION=1,URI=\"{n}?{name}\"\n"));
    updated(&parts("a"), &parts("b"));
    let last = lines(|n| format!("#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:1,\n{n}\n"));
    assert_eq!(here(&last).warning, Some(Fault::Plan));
    let back =
        |name| lines(|n| format!("#EXT-X-MEDIA-SEQUENCE:{}\n#EXTINF:1,\n{n}?{name}\n", 30_000 - n));
    updated(&back("a"), &back("b"));
}
