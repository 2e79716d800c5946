//! Playlists and manifests in the style of real packagers: what is planned and what is rewritten.

use core::time::Duration;

use neap::base::id::OriginId;
use neap::base::range::ByteRange;
use neap::base::url::{Locator, Place, Places, Url};
use neap::wire::plan::{
    Addressing, Fault, Kind, Manifest, MediaPlan, Plan, Read, Run, Segment, Text, Variants,
};
use neap::wire::playlist::{Format, read};
use neap::wire::rewrite::Source;

const HERE: &str = "https://cdn.example/live/ll/index";
const MOVED: &str = "https://cdn.example/live/moved/index";
const ABROAD: &str = "https://elsewhere.example/y/index";

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/", $name))
    };
}

fn at(target: &str) -> Locator {
    Locator { origin: OriginId(0), target: target.into() }
}

fn tv() -> Places {
    let bases = vec![Url::parse("https://cdn.example/live/").expect("a fixture of this test")];
    Places(vec![Place { name: "tv".into(), bases, hosts: Vec::new() }])
}

fn fetched(format: Format, text: &str, url: &str) -> Read {
    let (url, asked, places) =
        (Url::parse(url).expect("a fixture of this test"), at("/ll/index"), tv());
    read(format, text.as_bytes(), &Source { url: &url, asked: &asked, places: &places })
}

fn hls(text: &str) -> Read {
    fetched(Format::Hls, text, HERE)
}

fn dash(text: &str) -> Read {
    fetched(Format::Dash, text, HERE)
}

fn media(read: Read) -> MediaPlan {
    let Some(Plan::Media(plan)) = read.plan else { panic!("no media plan: {read:?}") };
    plan
}

fn variants(read: Read) -> Variants {
    let Some(Plan::Variants(plan)) = read.plan else { panic!("no variants: {read:?}") };
    plan
}

fn manifest(read: Read) -> Manifest {
    let Some(Plan::Manifest(plan)) = read.plan else { panic!("no manifest: {read:?}") };
    plan
}

/// Every line that was changed, as it is now.
fn changed(before: &str, read: &Read) -> Vec<String> {
    let Some(after) = &read.text else { return Vec::new() };
    let after = core::str::from_utf8(&after.0).expect("text");
    assert_eq!(before.split('\n').count(), after.split('\n').count());
    let pairs = before.split('\n').zip(after.split('\n'));
    pairs.filter(|(a, b)| a != b).map(|(_, after)| after.to_owned()).collect()
}

fn targets(segments: &[Segment], kind: Kind) -> Vec<&str> {
    segments.iter().filter(|s| s.kind == kind).map(|s| &*s.locator.target).collect()
}

#[test]
fn a_multivariant_playlist_leads_players_to_us() {
    let text = sample!("hls/apple_multivariant.m3u8");
    let read = hls(text);
    assert_eq!(
        changed(text, &read),
        [
            r#"#EXT-X-SESSION-DATA:DATA-ID="com.example.lyrics",URI="/tv/lyrics.json""#,
            r#"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="English, stereo",DEFAULT=YES,URI="/tv/audio/en.m3u8?token=a,b""#,
            r#"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,URI="/tv/iframe.m3u8""#,
            "/tv/v7/prog_index.m3u8",
            "/tv/v8/prog_index.m3u8",
        ]
    );
    let plan = variants(read);
    let found: Vec<_> =
        plan.variants.iter().map(|variant| (&*variant.locator.target, variant.bitrate)).collect();
    assert_eq!(
        found,
        [
            ("/audio/en.m3u8?token=a,b", None),
            ("/ll/subs/de.m3u8", None),
            ("/iframe.m3u8", Some(200_000)),
            ("/ll/v5/prog_index.m3u8", Some(2_000_000)),
            ("/v7/prog_index.m3u8", Some(6_312_875)),
            ("/v8/prog_index.m3u8", Some(9_312_875)),
        ]
    );
    assert_eq!(plan.keys, [at("/ll/keys/session.key")]);
}

#[test]
fn a_low_latency_playlist_tells_its_parts_and_its_server() {
    let text = sample!("hls/apple_low_latency.m3u8");
    let read = hls(text);
    assert_eq!(
        changed(text, &read),
        [
            r#"#EXT-X-PART:DURATION=0.33334,URI="/tv/ll/filePart270.a.mp4",INDEPENDENT=YES"#,
            r#"#EXT-X-PRELOAD-HINT:TYPE=PART,URI="/tv/ll/filePart270.d.mp4""#,
        ]
    );
    let plan = media(read);
    assert!(plan.live && plan.can_block_reload);
    assert_eq!((plan.target, plan.first), (Duration::from_secs(4), 266));
    assert_eq!(plan.part_hold_back, Some(Duration::from_secs(1)));
    assert_eq!(plan.part_target, Some(Duration::from_secs_f64(0.33334)));
    let parts: Vec<_> = plan.segments.iter().filter(|s| s.kind == Kind::Part).collect();
    let found: Vec<_> = parts.iter().map(|part| (part.sequence, part.range)).collect();
    let ranges = [Some(ByteRange::new(0, 1000)), Some(ByteRange::new(1000, 1500))];
    assert_eq!(found, [(269, None), (269, None), (270, None), (270, ranges[0]), (270, ranges[1])]);
    assert_eq!(targets(&plan.segments, Kind::Init), ["/ll/init.mp4"]);
}

#[test]
fn a_stored_playlist_keeps_its_line_endings_and_spaces() {
    let text = sample!("hls/ffmpeg_stored.m3u8");
    let read = hls(text);
    let first = "https://cdn.example/live/movie0.ts \r\n";
    assert_eq!(read.text, Some(Text(text.replace(first, "/tv/movie0.ts \r\n").into())));
    let plan = media(read);
    assert!(!plan.live);
    assert_eq!(
        targets(&plan.segments, Kind::Media),
        ["/movie0.ts", "/ll/movie1.ts", "/ll/movie%202.ts?x=1"]
    );
    assert_eq!(plan.segments[2].duration, Duration::from_millis(3003));
    assert_eq!(
        plan.segments.iter().map(|s| s.discontinuity).collect::<Vec<_>>(),
        [false, false, true]
    );
}

#[test]
fn rfc_8216_4_3_2_2_byte_ranges_follow_each_other() {
    let read = hls(sample!("hls/shaka_byterange.m3u8"));
    assert_eq!(read.text, None);
    let plan = media(read);
    let ranges: Vec<_> = plan.segments.iter().filter_map(|segment| segment.range).collect();
    let meant = [(0, 822), (890, 400_890), (400_890, 810_890), (810_890, 1_020_890)];
    assert_eq!(ranges, meant.map(|(start, end)| ByteRange::new(start, end)));
    assert_eq!(targets(&plan.segments, Kind::Media), ["/ll/video.mp4"; 3]);
    assert_eq!(plan.bitrate, Some(1_500_000));
}

#[test]
fn keys_of_a_live_playlist_stay_where_they_are() {
    let text = sample!("hls/encrypted_live.m3u8");
    let read = hls(text);
    assert_eq!(
        changed(text, &read),
        [
            "/tv/fileSequence52-B.ts",
            "/tv/fileSequence54-A.ts",
            "https://cdn.example/elsewhere/fileSequence55-A.ts",
            "https://cdn.example/climbs/fileSequence56-A.ts",
        ]
    );
    let plan = media(read);
    assert!(plan.live);
    assert_eq!(targets(&plan.segments, Kind::Key), ["/ll/key53.bin"]);
    let numbers = plan.segments.iter().filter(|s| s.kind == Kind::Media).map(|s| s.sequence);
    assert_eq!(numbers.collect::<Vec<_>>(), [7795, 7796, 7797, 7800]);
}

#[test]
fn behind_a_redirect_every_reference_still_works() {
    let text = sample!("hls/encrypted_live.m3u8");
    let moved = fetched(Format::Hls, text, MOVED);
    let lines = changed(text, &moved);
    assert!(lines.contains(&"/tv/moved/fileSequence53-A.ts".to_owned()));
    let key = r#"#EXT-X-KEY:METHOD=AES-128,URI="https://cdn.example/live/moved/key53.bin""#;
    assert!(lines.contains(&key.to_owned()));
    let abroad = fetched(Format::Hls, text, ABROAD);
    let lines = changed(text, &abroad);
    assert!(lines.contains(&"https://elsewhere.example/y/fileSequence53-A.ts".to_owned()));
    assert_eq!(targets(&media(abroad).segments, Kind::Media), ["/fileSequence52-B.ts"]);
}

#[test]
fn variables_of_the_players_stay_and_lead_through_us_unless_they_may_name_the_host() {
    let text = sample!("hls/variables.m3u8");
    let read = hls(text);
    let led = ["a", "b", "d"].map(|name| format!("/tv/{name}.ts?token={{$token}}"));
    assert_eq!(changed(text, &read), [&led[..], &["/tv/c.ts".into()]].concat());
    assert_eq!(targets(&media(read).segments, Kind::Media), ["/c.ts"]);
}

#[test]
fn a_delta_update_counts_what_it_skips() {
    let plan = media(hls(sample!("hls/delta_update.m3u8")));
    assert_eq!((plan.first, plan.skipped), (267, 3));
    assert_eq!(plan.segments.iter().map(|s| s.sequence).collect::<Vec<_>>(), [270, 271]);
}

#[test]
fn a_list_of_channels_is_rewritten_but_is_no_plan() {
    let text = sample!("hls/channels.m3u");
    let read = hls(text);
    assert_eq!(changed(text, &read), ["/tv/one/index.m3u8"]);
    assert_eq!(read.plan, None);
}

#[test]
fn broken_playlists_pass_untouched_with_a_warning() {
    for (text, fault) in [("<html>", Fault::Start), ("#EXTINF:1,\na.ts", Fault::Start)] {
        assert_eq!(hls(text), Read::untouched(fault), "{text}");
    }
    let deep = "<MPD>".to_owned() + &"<x>".repeat(40) + &"</x>".repeat(40) + "</MPD>";
    let base = "<BaseURL>https://cdn.example/live/</BaseURL>";
    for (text, fault) in [
        ("", Fault::Start),
        ("<html></html>", Fault::Start),
        ("<!DOCTYPE x [<!ENTITY e \"e\">]><MPD></MPD>", Fault::DocumentType),
        ("<MPD><Period></MPD>", Fault::Xml),
        ("<MPD><Period>", Fault::Xml),
        ("<MPD><BaseURL>&e;</BaseURL></MPD>", Fault::Xml),
        (&deep, Fault::Depth),
        (&format!("<MPD><Period/>{base}</MPD>"), Fault::Order),
        (&"<MPD/>".repeat(300_000), Fault::Count),
    ] {
        assert_eq!(dash(text), Read::untouched(fault), "{}", &text[..text.len().min(80)]);
    }
    let large = vec![b'a'; neap::base::limits::stream::PLAYLIST + 1];
    let (url, asked, places) =
        (Url::parse(HERE).expect("a fixture of this test"), at("/ll/index"), tv());
    let source = Source { url: &url, asked: &asked, places: &places };
    assert_eq!(read(Format::Hls, &large, &source), Read::untouched(Fault::Size));
    assert_eq!(read(Format::Dash, b"<MPD/>\n\xff", &source), Read::untouched(Fault::Encoding));
}

#[test]
fn a_value_that_cannot_be_read_costs_the_plan_and_no_url() {
    for tag in ["TARGETDURATION:4,", "TARGETDURATION:x", "MEDIA-SEQUENCE:-1", "SKIP:S=1"] {
        let text = format!("#EXTM3U\n#EXT-X-{tag}\n#EXTINF:4,\n/live/a.ts\n");
        let read = hls(&text);
        assert_eq!(changed(&text, &read), ["/tv/a.ts"], "{tag}");
        assert_eq!((read.plan, read.warning), (None, Some(Fault::Plan)), "{tag}");
    }
}

#[test]
fn urls_are_put_right_whatever_else_is_no_utf_8() {
    let text = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,caf\xe9 \xf0\x9f\x98 \xc3\xa9\n\
                 /live/a.ts\n#EXTINF:4,\nb\xe9.ts\n#EXTINF:4,\n/live/c.ts\n";
    let meant = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,caf\xe9 \xf0\x9f\x98 \xc3\xa9\n\
                  /tv/a.ts\n#EXTINF:4,\nb\xe9.ts\n#EXTINF:4,\n/tv/c.ts\n";
    let (url, asked, places) =
        (Url::parse(HERE).expect("a fixture of this test"), at("/ll/index"), tv());
    let source = Source { url: &url, asked: &asked, places: &places };
    let read = read(Format::Hls, text, &source);
    assert_eq!((&read.text, read.warning), (&Some(Text(meant.to_vec())), None));
    assert_eq!(targets(&media(read).segments, Kind::Media), ["/a.ts", "/c.ts"]);
}

#[test]
fn behind_a_redirect_a_byte_order_mark_is_no_url() {
    let text = "\u{feff}#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n";
    let read = fetched(Format::Hls, text, MOVED);
    assert_eq!(changed(text, &read), ["/tv/moved/a.ts"]);
    let plan = media(read);
    assert_eq!(targets(&plan.segments, Kind::Media), ["/moved/a.ts"]);
    assert_eq!(plan.segments[0].sequence, 0);
}

#[test]
fn rfc_8216bis_4_3_variables_that_are_defined_here_are_put_in() {
    let text = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"base\",VALUE=\"/live/ch1\"\n\
                #EXT-X-DEFINE:NAME=\"host\",VALUE=\"https://cdn.example/live\"\n\
                #EXT-X-DEFINE:NAME=\"folder\",VALUE=\"x\"\n#EXT-X-DEFINE:QUERYPARAM=\"t\"\n\
                #EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=AES-128,URI=\"{$base}/key\"\n\
                #EXT-X-MAP:URI=\"{$base}/init.mp4\"\n#EXTINF:4,\n{$base}/1.ts#f\n\
                #EXTINF:4,\n{$host}/2.ts\n#EXTINF:4,\n{$folder}/3.ts\n\
                #EXTINF:4,\n{$base}/4.ts?t={$t}\n#EXTINF:4,\n{$unknown}/5.ts\n";
    let read = hls(text);
    assert_eq!(
        changed(text, &read),
        [
            "#EXT-X-KEY:METHOD=AES-128,URI=\"https://cdn.example/live/ch1/key\"",
            "#EXT-X-MAP:URI=\"/tv/ch1/init.mp4\"",
            "/tv/ch1/1.ts#f",
            "/tv/2.ts",
            "/tv/ch1/4.ts?t={$t}",
        ]
    );
    let plan = media(read);
    assert_eq!(targets(&plan.segments, Kind::Media), ["/ch1/1.ts", "/2.ts", "/ll/x/3.ts"]);
}

#[test]
fn what_is_announced_and_what_is_shown_between_leads_where_it_was_meant() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DATERANGE:ID=\"a\",\
                X-ASSET-URI=\"/live/ad.m3u8\",X-ASSET-LIST=\"../../ads.json\"\n\
                #EXT-X-DATERANGE:ID=\"b\",X-ASSET-URI=\"ad.m3u8\"\n#EXT-X-PREFETCH:/live/p.ts\n\
                #EXT-X-PREFETCH:q.ts\n";
    assert_eq!(
        changed(text, &hls(text)),
        [
            "#EXT-X-DATERANGE:ID=\"a\",X-ASSET-URI=\"https://cdn.example/live/ad.m3u8\",\
             X-ASSET-LIST=\"https://cdn.example/ads.json\"",
            "#EXT-X-PREFETCH:/tv/p.ts",
        ]
    );
}

#[test]
fn one_file_a_rendition_is_planned_by_its_init_range() {
    let text = sample!("dash/shaka_on_demand.mpd");
    let read = dash(text);
    let lines = changed(text, &read);
    assert_eq!(lines, ["        <BaseURL>/tv/video_1080p.mp4?a=1&amp;b=2</BaseURL>"]);
    let plan = manifest(read);
    assert!(!plan.live);
    let files: Vec<_> = plan.renditions.iter().map(|rendition| &rendition.media).collect();
    let file = |target| Addressing::File(at(target));
    let meant =
        [file("/ll/video_720p.mp4"), file("/video_1080p.mp4?a=1&b=2"), file("/ll/text_en.vtt")];
    assert_eq!(files, meant.each_ref());
    let init = plan.renditions[1].init.as_ref().map(|init| (&*init.locator.target, init.range));
    assert_eq!(init, Some(("/video_1080p.mp4?a=1&b=2", Some(ByteRange::new(0, 823)))));
}

#[test]
fn templates_are_rewritten_where_their_base_misses_the_origin() {
    let text = sample!("dash/gpac_template.mpd");
    let read = dash(text);
    let lines = changed(text, &read);
    assert_eq!(
        lines,
        [concat!(
            r#"   <SegmentTemplate media="https://cdn.example/abs/$Bandwidth$/$Number$.m4s" "#,
            "initialization='https://cdn.example/out/init.mp4' timescale=\"1\" duration=\"4\"/>"
        )]
    );
    let plan = manifest(read);
    let names: Vec<_> = plan.renditions.iter().map(|rendition| &*rendition.name).collect();
    assert_eq!(names, ["@0/1/hd", "@0/1/sd"]);
    let Addressing::Template(template) = &plan.renditions[0].media else { panic!() };
    assert_eq!(template.locator, at("/ll/v_hd_$Number%05d$.m4s"));
    let last =
        template.after(Some(2), None, plan.renditions[0].length).expect("a fixture of this test");
    assert_eq!((last.number, last.time), (3, 122_880));
    assert_eq!(template.after(Some(3), None, plan.renditions[0].length), None);
}

#[test]
fn a_live_timeline_lists_runs_of_segments() {
    let text = sample!("dash/ffmpeg_live.mpd");
    let read = dash(text);
    assert_eq!(read.text, None);
    let plan = manifest(read);
    assert_eq!((plan.live, plan.starts_ms), (true, Some(1_714_521_600_000)));
    assert_eq!(
        (plan.window, plan.update),
        (Some(Duration::from_secs(20)), Some(Duration::from_secs(2)))
    );
    let run = |time, duration, count| Run { time, duration, count: Some(count) };
    let runs = [run(200_000, 2000, 3), run(206_000, 1960, 1), run(207_960, 2000, 2)];
    assert_eq!(plan.timelines, [runs]);
    let Addressing::Template(template) = &plan.renditions[0].media else { panic!() };
    let mut slots = Vec::new();
    let mut behind = None;
    while let Some(slot) = template.after(behind, Some(&runs), None) {
        behind = Some(slot.number);
        slots.push((slot.number, slot.time));
    }
    let times = [200_000, 202_000, 204_000, 206_000, 207_960, 209_960];
    assert_eq!(slots, (100..).zip(times).collect::<Vec<_>>());
}

#[test]
fn periods_of_several_places_keep_their_own_bases() {
    let text = sample!("dash/aws_multi_period.mpd");
    let read = dash(text);
    let rewritten = text
        .replace("https://cdn.example/live/session/1/master.mpd", "/tv/session/1/master.mpd")
        .replace("https://cdn.example/live/out/v1/", "/tv/out/v1/");
    assert_eq!(read.text, Some(Text(rewritten.into())));
    let plan = manifest(read);
    let names: Vec<_> = plan.renditions.iter().map(|rendition| &*rendition.name).collect();
    assert_eq!(names, ["prog-1/1/1", "prog-1/1/2", "prog-2/1/1"]);
    let Addressing::Template(low) = &plan.renditions[1].media else { panic!() };
    assert_eq!(low.locator, at("/out/v1/low/seg_2_$Time%01d$.mp4"));
    // r="-1" reaches to the period's end: 30 s of 6 s segments.
    let (runs, length) = (&plan.timelines[0], plan.renditions[1].length);
    assert_eq!(length, Some(Duration::from_secs(30)));
    let fifth =
        low.after(Some(900_000 + 3 * 540_000), Some(runs), length).expect("a fixture of this test");
    assert_eq!((fifth.time, fifth.listed), (900_000 + 4 * 540_000, false));
    assert_eq!(low.after(Some(fifth.time), Some(runs), length), None);
}

#[test]
fn a_segment_list_names_each_segment() {
    let text = sample!("dash/segment_list.mpd");
    let read = dash(text);
    let lines: Vec<_> = changed(text, &read).iter().map(|line| line.trim().to_owned()).collect();
    assert_eq!(
        lines,
        [
            r#"<RepresentationIndex sourceURL="/tv/index.sidx"/>"#,
            r#"<SegmentURL media="s0.m4s" index="/tv/s0.sidx"/>"#,
            r#"<SegmentURL media="/tv/s1.m4s?a=1&amp;b=2"/>"#,
            r#"<SegmentURL media="/tv/s2.m4s" mediaRange="100-199"/>"#,
        ]
    );
    let plan = manifest(read);
    let Addressing::List(segments) = &plan.renditions[0].media else { panic!() };
    let targets = targets(segments, Kind::Media);
    assert_eq!(targets, ["/ll/s0.m4s", "/s1.m4s?a=1&b=2", "/s2.m4s"]);
    assert_eq!(segments[2].range, Some(ByteRange::new(100, 200)));
    assert_eq!((segments[2].sequence, segments[2].duration), (2, Duration::from_secs(4)));
}

#[test]
fn licences_steering_events_and_clocks_are_left_alone() {
    let text = sample!("dash/number_live.mpd");
    let read = dash(text);
    let lines = changed(text, &read);
    assert_eq!(lines, ["  <BaseURL serviceLocation=\"a\">/tv/ch1/</BaseURL>"]);
    let plan = manifest(read);
    assert_eq!(plan.renditions.len(), 2);
    let Addressing::Template(template) = &plan.renditions[1].media else { panic!() };
    assert_eq!(template.locator, at("/ch1/v2/$Number%01d$.m4s"));
}

#[test]
fn a_manifest_behind_a_redirect_is_put_right() {
    let template = sample!("dash/ffmpeg_live.mpd");
    let read = fetched(Format::Dash, template, MOVED);
    let rewritten = template
        .replace("\"init-stream", "\"/tv/moved/init-stream")
        .replace("\"chunk-stream", "\"/tv/moved/chunk-stream");
    assert_eq!(read.text, Some(Text(rewritten.into())));
    let text = sample!("dash/shaka_on_demand.mpd");
    let lines = changed(text, &fetched(Format::Dash, text, ABROAD));
    assert!(lines[0].contains("<BaseURL>https://elsewhere.example/y/video_720p.mp4</BaseURL>"));
}

#[test]
fn a_template_that_its_heirs_understand_differently_stays() {
    let text = concat!(
        "<MPD><Period><AdaptationSet><SegmentTemplate media=\"../../a/$Number$\" duration=\"1\"/>",
        "<Representation id=\"1\"/>",
        "<Representation id=\"2\"><BaseURL>x/y/z/</BaseURL></Representation>",
        "</AdaptationSet></Period></MPD>"
    );
    let read = dash(text);
    assert_eq!((read.text, read.warning), (None, Some(Fault::Ambiguous)));
}

#[test]
fn cdata_is_written_without_escapes() {
    let read = dash("<MPD><BaseURL><![CDATA[https://cdn.example/live/a?b&c]]></BaseURL></MPD>");
    let meant = "<MPD><BaseURL><![CDATA[/tv/a?b&c]]></BaseURL></MPD>";
    assert_eq!(read.text, Some(Text(meant.into())));
}

#[test]
fn relative_playlists_stay_byte_for_byte_whatever_is_configured() {
    let relative = [
        (Format::Hls, sample!("hls/shaka_byterange.m3u8")),
        (Format::Hls, sample!("hls/delta_update.m3u8")),
        (Format::Dash, sample!("dash/ffmpeg_live.mpd")),
    ];
    for (format, text) in relative {
        for marked in [text.to_owned(), format!("\u{feff}{text}"), text.replace('\n', "\r\n")] {
            let read = fetched(format, &marked, HERE);
            assert_eq!((read.text, read.warning), (None, None));
            assert!(read.plan.is_some());
        }
    }
}
