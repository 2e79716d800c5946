//! The timeline as the machine uses it: plans and requests in, segments to fetch and to drop out.

use core::time::Duration;

use neap::base::id::OriginId;
use neap::base::limits;
use neap::base::map::Map;
use neap::base::range::ByteRange;
use neap::base::time::{Date, Instant};
use neap::base::url::{Locator, Place, Places, Url};
use neap::engine::timeline::answer::{Arrival, Life};
use neap::engine::timeline::follow::Timeline;
use neap::wire::playlist::{Format, read};
use neap::wire::rewrite::Source;

fn at(target: &str) -> Locator {
    Locator { origin: OriginId(0), target: target.into() }
}

fn seconds(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

struct World {
    timeline: Timeline,
    places: Places,
}

impl World {
    fn new() -> Self {
        let ignored = Map::from([(OriginId(0), vec!["token".to_owned()])]);
        let bases = vec![Url::parse("https://cdn.example/live/").expect("a fixture of this test")];
        let places = Places(vec![Place { name: "tv".into(), bases, hosts: Vec::new() }]);
        Self { timeline: Timeline::new(ignored), places }
    }

    fn plan(&mut self, target: &str, text: &str, arrival: Arrival) -> Vec<String> {
        let url = Url::parse(&format!("https://cdn.example/live{target}"))
            .expect("a fixture of this test");
        let format = if text.contains("<MPD") { Format::Dash } else { Format::Hls };
        let asked = at(target);
        let source = Source { url: &url, asked: &asked, places: &self.places };
        let plan = read(format, text.as_bytes(), &source).plan.expect("a plan");
        let repeated = self.timeline.on_plan(&asked, plan, arrival);
        repeated.into_iter().map(|locator| locator.target).collect()
    }

    fn hls(&mut self, target: &str, text: &str, now: u64) -> Vec<String> {
        self.plan(target, text, Arrival { now: seconds(now), date: None })
    }

    fn ask(&mut self, target: &str, now: u64) {
        self.timeline.on_request(&at(target), None, seconds(now));
    }

    fn wanted(&mut self, now: u64) -> Vec<String> {
        let all = core::iter::from_fn(|| self.timeline.poll_wanted(seconds(now)));
        all.map(|wanted| wanted.locator.target).collect()
    }

    fn gone(&mut self, now: u64) -> Vec<String> {
        let all = core::iter::from_fn(|| self.timeline.poll_gone(seconds(now)));
        all.map(|locator| locator.target).collect()
    }
}

/// A playlist of four-second segments numbered `first..end`.
fn window(first: u64, end: u64, ended: bool) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n#EXT-X-MAP:URI=\"init.mp4\"\n"
    );
    for number in first..end {
        text.push_str(&format!("#EXTINF:4,\ns{number}.m4s?token={end}\n"));
    }
    text.push_str(if ended { "#EXT-X-ENDLIST\n" } else { "" });
    text
}

#[test]
fn on_demand_the_next_two_are_fetched_once() {
    let mut world = World::new();
    world.hls("/v.m3u8", &window(0, 9, true), 0);
    assert_eq!(world.wanted(0), [""; 0]);
    world.ask("/s0.m4s?token=9", 1);
    assert_eq!(world.wanted(1), ["/s1.m4s?token=9", "/s2.m4s?token=9"]);
    assert_eq!(world.wanted(1), [""; 0]);
    world.ask("/s1.m4s?token=other", 2);
    assert_eq!(world.wanted(2), ["/s3.m4s?token=9"]);
    world.ask("/s7.m4s", 3);
    assert_eq!(world.wanted(3), ["/s8.m4s?token=9"]);
    world.ask("/s1.m4s", 4);
    assert_eq!(world.wanted(4), [""; 0], "what was handed out lately is not handed out again");
}

#[test]
fn new_live_segments_are_wanted_as_soon_as_they_are_listed() {
    let mut world = World::new();
    world.hls("/v.m3u8", &window(10, 16, false), 0);
    world.ask("/s13.m4s", 0);
    assert_eq!(world.wanted(0), ["/s14.m4s?token=16", "/s15.m4s?token=16"]);
    world.hls("/v.m3u8", &window(11, 17, false), 4);
    assert_eq!(world.wanted(4), ["/s16.m4s?token=17"]);
    world.hls("/v.m3u8", &window(12, 18, false), 8);
    assert_eq!(world.wanted(8), [""; 0], "never more than three ahead");
    world.ask("/s14.m4s", 8);
    assert_eq!(world.wanted(8), ["/s17.m4s?token=18"]);
}

#[test]
fn who_hangs_up_plays_something_else_until_it_asks_for_more() {
    let mut world = World::new();
    world.hls("/v.m3u8", &window(0, 9, true), 0);
    world.ask("/s0.m4s", 0);
    world.timeline.on_hung_up(&at("/s0.m4s"), None);
    assert_eq!(world.wanted(0), [""; 0]);
    assert!(world.timeline.is_left(&at("/s1.m4s"), None));
    world.ask("/s1.m4s", 1);
    assert_eq!(world.wanted(1), ["/s2.m4s?token=9", "/s3.m4s?token=9"]);
}

#[test]
fn segments_that_every_reload_names_otherwise_are_left_to_the_player() {
    let mut world = World::new();
    // A parameter that the configuration does not name.
    let list = |first, end| window(first, end, false).replace("token", "session");
    world.hls("/v.m3u8", &list(10, 16), 0);
    world.ask("/s11.m4s?session=16", 0);
    assert_eq!(world.wanted(0).len(), 3);
    world.hls("/v.m3u8", &list(11, 17), 4);
    world.ask("/s12.m4s?session=17", 4);
    assert_eq!(world.wanted(4), ["/s15.m4s?session=17"], "once may be chance");
    world.hls("/v.m3u8", &list(12, 18), 8);
    world.ask("/s13.m4s?session=18", 8);
    assert_eq!(world.wanted(8), [""; 0]);
    world.hls("/v.m3u8", &list(13, 18), 12);
    assert_eq!(world.wanted(12), ["/s16.m4s?session=18"]);
}

#[test]
fn what_was_wanted_before_a_seek_is_left() {
    let mut world = World::new();
    world.hls("/v.m3u8", &window(0, 99, true), 0);
    world.ask("/s0.m4s", 0);
    assert_eq!(world.wanted(0), ["/s1.m4s?token=99", "/s2.m4s?token=99"]);
    world.ask("/s1.m4s", 4);
    assert_eq!(world.wanted(4), ["/s3.m4s?token=99"]);
    assert!(!world.timeline.is_left(&at("/s3.m4s"), None));
    world.ask("/s50.m4s", 5);
    assert_eq!(world.wanted(5), ["/s51.m4s?token=99", "/s52.m4s?token=99"]);
    for (segment, left) in [("/s2.m4s", true), ("/s3.m4s", true), ("/s51.m4s", false)] {
        assert_eq!(world.timeline.is_left(&at(segment), None), left, "{segment}");
    }
    // One leaves out a segment, and another player goes on where the first one was.
    world.ask("/s52.m4s", 6);
    world.ask("/s2.m4s", 6);
    assert_eq!(world.wanted(6), ["/s4.m4s?token=99"]);
    for segment in ["/s51.m4s", "/s52.m4s", "/s4.m4s"] {
        assert!(!world.timeline.is_left(&at(segment), None), "{segment}");
    }
}

#[test]
fn a_rendition_that_nobody_asks_for_is_let_go() {
    let mut world = World::new();
    world.hls("/v.m3u8", &window(10, 16, false), 0);
    world.ask("/s15.m4s", 0);
    world.hls("/v.m3u8", &window(12, 18, false), 13);
    assert_eq!(world.wanted(13), [""; 0]);
    assert_eq!(world.timeline.poll_timeout(), None);
    world.ask("/s15.m4s", 14);
    assert_eq!(world.wanted(14), ["/s16.m4s?token=18", "/s17.m4s?token=18"]);
}

#[test]
fn parts_are_left_to_the_player() {
    let mut world = World::new();
    let text = include_str!("samples/hls/apple_low_latency.m3u8");
    world.hls("/ll/index.m3u8", text, 0);
    world.ask("/ll/filePart269.b.mp4", 0);
    let next = text.replace("SEQUENCE:266", "SEQUENCE:267").replacen(
        "#EXTINF:4.00008,\nfileSequence266.mp4\n",
        "",
        1,
    );
    world.hls("/ll/index.m3u8?_HLS_msn=270&_HLS_part=1", &next, 1);
    assert_eq!(world.wanted(1), [""; 0]);
    let age = Some(Duration::from_secs_f64(0.33334) / 2);
    let life = world.timeline.lifetime(&at("/ll/index.m3u8?_HLS_msn=271"));
    assert_eq!(life, Some(Life::Playlist { live: true, max_age: age }));
    assert_eq!(world.timeline.streams().count(), 1, "a blocking reload is the same playlist");
    let life = world.timeline.lifetime(&at("/ll/filePart269.a.mp4"));
    assert_eq!(life, Some(Life::Segment { live: true, gone_at: None }));
}

#[test]
fn rfc_8216_6_2_2_a_segment_is_gone_a_window_after_it_left() {
    let mut world = World::new();
    world.hls("/v.m3u8", &window(10, 16, false), 0);
    world.hls("/v.m3u8", &window(12, 18, false), 8);
    let gone_at = Some(seconds(8 + 24 + 4));
    let life = world.timeline.lifetime(&at("/s10.m4s?token=16"));
    assert_eq!(life, Some(Life::Segment { live: true, gone_at }));
    assert_eq!(world.gone(35), [""; 0]);
    assert_eq!(world.gone(36), ["/s10.m4s?token=16", "/s11.m4s?token=16"]);
    assert_eq!(world.gone(99), [""; 0], "the init segment and the rest are still listed");
}

#[test]
fn an_edge_that_lags_behind_takes_nothing_away() {
    let mut world = World::new();
    let plain = |first, end| window(first, end, false).replace("?token", "?x=1&token");
    world.hls("/v.m3u8", &plain(10, 16), 0);
    world.ask("/s15.m4s?x=1", 0);
    world.hls("/v.m3u8", &plain(9, 15), 1);
    world.hls("/v.m3u8", &plain(11, 17), 2);
    assert_eq!(world.wanted(2), ["/s16.m4s?x=1&token=17"]);
    assert!(!world.gone(1000).contains(&"/s15.m4s?x=1&token=16".to_owned()));
}

#[test]
fn a_stream_that_begins_anew_is_played_anew() {
    let mut world = World::new();
    world.hls("/v.m3u8", &window(1000, 1006, false), 0);
    world.ask("/s1005.m4s", 0);
    world.hls("/v.m3u8", &window(0, 6, false), 4);
    assert_eq!(world.wanted(4), [""; 0]);
    world.ask("/s4.m4s", 5);
    assert_eq!(world.wanted(5), ["/s5.m4s?token=6"]);
}

/// A playlist of two-second segments numbered `first..end`, whose names are `names` by number.
fn ring(first: u64, end: u64, names: impl Fn(u64) -> String) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-MAP:URI=\"i\"\n"
    );
    (first..end).for_each(|number| text.push_str(&format!("#EXTINF:2,\n{}\n", names(number))));
    text
}

#[test]
fn names_that_come_back_for_other_segments_are_told() {
    let mut world = World::new();
    let of_six = |number| format!("r{}.ts", number % 6);
    let at_once = |world: &mut World, first, now| {
        let text = ring(first, first + 3, of_six);
        let repeated = world.hls("/v.m3u8", &text, now);
        let repeats = world.timeline.listed(&at("/r0.ts"), None).map(|listed| listed.repeats);
        (repeated, repeats)
    };
    for first in 10..13 {
        let (repeated, repeats) = at_once(&mut world, first, 2 * first);
        assert!(repeated.is_empty() && repeats != Some(true), "{first}: {repeated:?}");
    }
    assert_eq!(world.timeline.window(&at("/r0.ts")), Some(Duration::from_secs(6)));
    // Number 16 has the name that 10 had.
    let (repeated, _) = at_once(&mut world, 14, 28);
    assert_eq!(repeated, ["/r4.ts", "/i"]);
    let (_, repeats) = at_once(&mut world, 18, 36);
    assert_eq!(repeats, Some(true));
    // A server that begins anew with the numbers that it had, segment by segment.
    let run = |first, end| ring(first, end, |number| format!("s{number}.ts"));
    for first in 0..4 {
        assert!(world.hls("/short", &run(first, first + 3), 30 + 2 * first).is_empty());
    }
    assert_eq!(world.hls("/short", &run(0, 1), 38), ["/s0.ts", "/i"]);
    assert_eq!(world.hls("/short", &run(0, 2), 39), ["/s1.ts"]);
    // One that begins anew, and repeats nothing for long.
    assert_eq!(world.hls("/v.m3u8", &ring(0, 3, of_six), 40), ["/r0.ts", "/r1.ts", "/r2.ts", "/i"]);
    world.hls("/v.m3u8", &ring(500, 503, |number| format!("s{number}.ts")), 341);
    let listed = world.timeline.listed(&at("/s500.ts"), None).map(|listed| listed.repeats);
    assert_eq!(listed, Some(false));
}

#[test]
fn names_that_stand_for_the_same_are_no_repetition() {
    let mut world = World::new();
    let none: [&str; 0] = [];
    // One name at several places: a slate.
    let slate = |number| if number < 20 { "slate.ts".into() } else { format!("s{number}.ts") };
    for first in 10..16 {
        assert_eq!(world.hls("/slate", &ring(first, first + 4, slate), first), none);
    }
    // A server that lags behind, and one that numbers nothing.
    let plain = |number| format!("p{number}.ts");
    for first in [10, 9, 11, 10, 12] {
        assert_eq!(world.hls("/lag", &ring(first, first + 3, plain), 20), none);
    }
    for first in 10..16 {
        let text = ring(first, first + 3, |number| format!("n{number}.ts"));
        let text = text.replace(&format!("#EXT-X-MEDIA-SEQUENCE:{first}\n"), "");
        assert_eq!(world.hls("/no", &text, 20 + first), none);
    }
}

#[test]
fn a_delta_update_leaves_what_it_skips_in_place() {
    let mut world = World::new();
    let text = include_str!("samples/hls/apple_low_latency.m3u8");
    world.hls("/ll/index.m3u8", text, 0);
    world.hls("/ll/index.m3u8?_HLS_skip=YES", include_str!("samples/hls/delta_update.m3u8"), 4);
    for listed in ["/ll/fileSequence267.mp4", "/ll/fileSequence271.mp4"] {
        let life = world.timeline.lifetime(&at(listed));
        assert_eq!(life, Some(Life::Segment { live: true, gone_at: None }), "{listed}");
    }
    let gone = world.timeline.lifetime(&at("/ll/fileSequence266.mp4"));
    assert!(matches!(gone, Some(Life::Segment { gone_at: Some(_), .. })));
}

#[test]
fn init_segments_that_change_come_along_and_keys_never_do() {
    let mut world = World::new();
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.m4s\n#EXT-X-DISCONTINUITY\n\
                #EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n#EXT-X-MAP:URI=\"init2.mp4\"\n\
                #EXTINF:4,\nb.m4s\n#EXT-X-ENDLIST\n";
    world.hls("/v.m3u8", text, 0);
    world.ask("/a.m4s", 0);
    assert_eq!(world.wanted(0), ["/init2.mp4", "/b.m4s"]);
    assert_eq!(world.timeline.lifetime(&at("/key")), Some(Life::Key));
}

#[test]
fn byte_ranges_of_one_file_follow_each_other() {
    let mut world = World::new();
    world.hls("/ll/v.m3u8", include_str!("samples/hls/shaka_byterange.m3u8"), 0);
    let range = Some(ByteRange::new(890, 400_890));
    world.timeline.on_request(&at("/ll/video.mp4"), range, seconds(0));
    let next = core::iter::from_fn(|| world.timeline.poll_wanted(seconds(0)));
    let ranges: Vec<_> = next.filter_map(|wanted| wanted.range).collect();
    assert_eq!(ranges, [ByteRange::new(400_890, 810_890), ByteRange::new(810_890, 1_020_890)]);
}

#[test]
fn a_file_in_parts_is_told_from_a_segment_with_parts() {
    let mut world = World::new();
    world.hls("/ll/v.m3u8", include_str!("samples/hls/shaka_byterange.m3u8"), 0);
    assert!(world.timeline.is_in_parts(&at("/ll/video.mp4")), "ranges of one file");
    let live = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=2\n\
                #EXT-X-PART:DURATION=2,URI=\"a.m4s\",BYTERANGE=\"100@0\"\n\
                #EXT-X-PART:DURATION=2,URI=\"a.m4s\",BYTERANGE=\"100@100\"\n#EXTINF:4,\na.m4s\n";
    world.hls("/live.m3u8", live, 0);
    assert!(world.timeline.listed(&at("/a.m4s"), None).is_some());
    assert!(!world.timeline.is_in_parts(&at("/a.m4s")), "a segment whose parts are ranges of it");
    assert!(!world.timeline.is_in_parts(&at("/unknown")));
}

#[test]
fn a_live_playlist_holds_half_a_target_duration() {
    let mut world = World::new();
    let half = Some(Duration::from_secs(2));
    world.hls("/v.m3u8", &window(0, 3, false), 0);
    let live = world.timeline.lifetime(&at("/v.m3u8?token=x"));
    assert_eq!(live, Some(Life::Playlist { live: true, max_age: half }));
    world.hls("/v.m3u8", &window(0, 3, true), 4);
    let ended = world.timeline.lifetime(&at("/v.m3u8"));
    assert_eq!(ended, Some(Life::Playlist { live: false, max_age: None }));
    assert_eq!(world.timeline.lifetime(&at("/unknown")), None);
}

#[test]
fn live_templates_are_counted_by_the_origins_date() {
    let mut world = World::new();
    // The origin's calendar says 1000 s, our clock 50 s: segment n is there at 2 (n + 1).
    let arrival = Arrival { now: seconds(50), date: Some(Date(1000)) };
    world.plan("/live.mpd", include_str!("samples/dash/number_live.mpd"), arrival);
    world.ask("/ch1/v1/497.m4s", 50);
    assert_eq!(world.wanted(50), ["/ch1/v1/498.m4s", "/ch1/v1/499.m4s"]);
    assert_eq!(world.timeline.poll_timeout(), Some(seconds(52)));
    assert_eq!(world.wanted(51), [""; 0]);
    assert_eq!(world.wanted(52), ["/ch1/v1/500.m4s"]);
    assert_eq!(world.timeline.poll_timeout(), None, "three ahead are enough");
    world.ask("/ch1/v1/498.m4s", 53);
    assert_eq!(world.timeline.poll_timeout(), Some(seconds(54)));
    // The player is gone: the timer fires once more and then never again.
    assert_eq!(world.wanted(70), [""; 0]);
    assert_eq!(world.timeline.poll_timeout(), None);
    let life = world.timeline.lifetime(&at("/ch1/v1/497.m4s"));
    let gone_at = Some(seconds(50 + 996 - 1000 + 30 + 2));
    assert_eq!(life, Some(Life::Segment { live: true, gone_at }));
    assert_eq!(world.gone(78), ["/ch1/v1/497.m4s"]);
}

#[test]
fn without_a_date_nothing_is_guessed() {
    let mut world = World::new();
    world.hls("/live.mpd", include_str!("samples/dash/number_live.mpd"), 50);
    world.ask("/ch1/v1/497.m4s", 50);
    assert_eq!(world.wanted(50), [""; 0]);
    assert_eq!(world.timeline.poll_timeout(), None);
}

#[test]
fn one_rendition_of_a_set_is_in_use_at_a_time() {
    let mut world = World::new();
    let arrival = Arrival { now: seconds(50), date: Some(Date(1000)) };
    world.plan("/live.mpd", include_str!("samples/dash/number_live.mpd"), arrival);
    world.ask("/ch1/v1/490.m4s", 50);
    world.ask("/ch1/v2/491.m4s", 50);
    let names: Vec<_> = (492..495).map(|number| format!("/ch1/v2/{number}.m4s")).collect();
    assert_eq!(world.wanted(50), names);
    let bitrates: Vec<_> = world.timeline.streams().map(|stream| stream.bitrate).collect();
    assert_eq!(bitrates, [Some(3_000_000)]);
}

#[test]
fn an_updated_timeline_goes_on_where_the_player_is() {
    let mut world = World::new();
    let text = include_str!("samples/dash/ffmpeg_live.mpd");
    world.hls("/x.mpd", text, 0);
    world.ask("/init-stream0.m4s", 0);
    world.ask("/chunk-stream0-00104.m4s", 0);
    assert_eq!(world.wanted(0), ["/chunk-stream0-00105.m4s"]);
    let next = text.replace("startNumber=\"100\"", "startNumber=\"102\"");
    world.hls("/x.mpd", &next, 2);
    assert_eq!(world.wanted(2), ["/chunk-stream0-00106.m4s", "/chunk-stream0-00107.m4s"]);
    let life = world.timeline.lifetime(&at("/x.mpd"));
    assert_eq!(life, Some(Life::Playlist { live: true, max_age: Some(Duration::from_secs(1)) }));
}

#[test]
fn a_segment_list_is_fetched_ahead_on_demand() {
    let mut world = World::new();
    world.hls("/x.mpd", include_str!("samples/dash/segment_list.mpd"), 0);
    world.ask("/s0.m4s", 0);
    assert_eq!(world.wanted(0), ["/s1.m4s?a=1&b=2", "/s2.m4s"]);
}

#[test]
fn the_status_knows_the_bitrate_of_a_variant() {
    let mut world = World::new();
    world.hls("/m.m3u8", include_str!("samples/hls/apple_multivariant.m3u8"), 0);
    world.hls("/v5/prog_index.m3u8", &window(0, 3, true), 5);
    let playing: Vec<_> = world.timeline.streams().map(|s| (s.bitrate, s.asked)).collect();
    assert_eq!(playing, [(Some(2_000_000), seconds(5))]);
    assert_eq!(world.timeline.lifetime(&at("/keys/session.key")), Some(Life::Key));
}

#[test]
fn unused_streams_are_forgotten_and_the_rest_is_bounded() {
    let mut world = World::new();
    for number in 0..100 {
        world.hls(&format!("/{number}/v.m3u8"), &window(0, 900, false), number);
    }
    assert!(world.timeline.streams().count() <= limits::stream::STREAMS);
    assert!(world.timeline.lifetime(&at("/0/s1.m4s")).is_none());
    assert!(world.timeline.lifetime(&at("/99/s1.m4s")).is_some());
    let later = 101 + limits::stream::FORGET.as_secs();
    world.hls("/last/v.m3u8", &window(0, 3, true), later);
    assert_eq!(world.timeline.streams().count(), 1);
    assert!(world.gone(later + 901 * 4).len() <= limits::stream::LEAVING);
    assert_eq!(world.timeline.lifetime(&at("/99/s1.m4s")), None);
}
