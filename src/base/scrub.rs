//! What must not stand in a log line or a status: addresses, query strings, secrets, control
//! characters.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::borrow::Cow;

/// Takes private matter out of a finished line.
///
/// Addresses keep their first two groups (`192.168.x.x`, `2001:db8:x`) except loopback and the
/// unspecified address; query strings, user names in URLs and values of token parameters go.
/// In doubt it takes too much: a line is for people, the address of a player is for nobody.
pub fn scrub(line: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut kept = 0;
    for (at, word) in words(line) {
        let changed = scrub_word(word);
        if let Cow::Owned(changed) = changed {
            clean.push_str(&line[kept..at]);
            clean.push_str(&changed);
            kept = at + word.len();
        }
    }
    if kept == 0 && clean.is_empty() {
        return Cow::Borrowed(line);
    }
    clean.push_str(&line[kept..]);
    Cow::Owned(clean)
}

/// Escapes what could forge a line or steer a terminal, and cuts after `limit` bytes.
pub fn plain(line: &str, limit: usize) -> Cow<'_, str> {
    if line.len() <= limit && !line.chars().any(unfit) {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len().min(limit));
    for character in line.chars() {
        let before = text.len();
        match character {
            '\n' => text.push_str("\\n"),
            c if unfit(c) => text.extend(c.escape_unicode()),
            c => text.push(c),
        }
        if text.len() > limit.saturating_sub(CUT.len_utf8()) {
            text.truncate(before);
            text.push(CUT);
            break;
        }
    }
    Cow::Owned(text)
}

/// Control characters, line separators, and marks that turn the direction of writing.
fn unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Runs without ASCII whitespace, each with its place. Quotes do not end a word, since a player
/// may send one inside a query.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let start = line.as_ptr().addr();
    line.split_ascii_whitespace().map(move |word| (word.as_ptr().addr() - start, word))
}

fn scrub_word(word: &str) -> Cow<'_, str> {
    let interesting = |c: u8| matches!(c, b'?' | b'%' | b'@' | b'=' | b':' | b'.' | b'/');
    if !word.bytes().any(interesting) {
        return Cow::Borrowed(word);
    }
    let steps =
        [without_query, without_user, without_tokens, without_secrets, without_ipv6, without_ipv4];
    let mut text = Cow::Borrowed(word);
    for step in steps {
        if let Some(changed) = step(&text) {
            text = Cow::Owned(changed);
        }
    }
    text
}

fn without_query(word: &str) -> Option<String> {
    let mark = word.find('?').map(|at| (at, 1));
    let coded = word.to_ascii_lowercase().find("%3f").map(|at| (at, 3));
    let (at, length) = mark.into_iter().chain(coded).min()?;
    let rest = &word[at + length..];
    let tail = &rest[rest.trim_end_matches(closing).len()..];
    // `really?` is a question and no query.
    (tail.len() < rest.len()).then(|| [&word[..at], tail].concat())
}

/// Punctuation that ends a word in a sentence rather than a URL.
fn closing(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '>' | ')' | ']' | '}' | ',' | ';' | ':' | '.' | '!' | '?')
}

fn without_user(word: &str) -> Option<String> {
    let host = word.find("://")? + 3;
    let end = word[host..].find('/').map_or(word.len(), |slash| host + slash);
    let at = word[host..end].rfind('@')? + host;
    Some([&word[..host], "x", &word[at..]].concat())
}

/// Signed URLs carry their token in the path too, as Akamai's `/hdnts=exp=...~hmac=.../`.
fn without_tokens(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let value = |name: &&str| {
        let starts = lower.match_indices(*name).map(|(at, name)| (at, at + name.len()));
        let mut whole = starts.filter(|(at, end)| {
            let before = lower[..*at].bytes().next_back();
            !before.is_some_and(|c| c.is_ascii_alphanumeric()) && lower[*end..].starts_with('=')
        });
        whole.next().map(|(_, end)| end + 1)
    };
    let start = TOKENS.iter().filter_map(value).min()?;
    let end = word[start..].find([',', ';', '&']).map_or(word.len(), |at| start + at);
    let rest = without_tokens(&word[end..]).unwrap_or_else(|| word[end..].to_owned());
    Some([&word[..start], "x", &rest].concat())
}

/// CDNs sign paths by names of their own too, or by a piece that is a bare token.
fn without_secrets(word: &str) -> Option<String> {
    if !word.contains('/') {
        return None;
    }
    replace_runs(word, &|c| !matches!(c, '/' | '~' | '(') && !closing(c) || c == '.', &|run, _| {
        let start = run.trim_end_matches('=').find('=').map_or(0, |equals| equals + 1);
        let (least, mixed) = if start > 0 { (16, 8) } else { (32, 13) };
        let value = &run[start..];
        (value.len() >= least && is_secret(value, mixed)).then(|| [&run[..start], "x"].concat())
    })
}

/// Whether a piece of a path has so many letters and digits on end as neither words, times nor the
/// groups of a UUID have, and is no file's name.
fn is_secret(piece: &str, mixed: usize) -> bool {
    let extension = piece.rsplit_once('.').is_some_and(|(_, end)| (1..=5).contains(&end.len()));
    let is_mixed = |run: &[u8]| {
        let letters = run.iter().filter(|c| c.is_ascii_alphabetic()).count();
        run.len() >= mixed && letters > 2 && letters < run.len()
    };
    !extension && piece.as_bytes().split(|c| !c.is_ascii_alphanumeric()).any(is_mixed)
}

fn without_ipv4(word: &str) -> Option<String> {
    replace_runs(word, &|c| c.is_ascii_digit() || c == '.', &|run, _| {
        let parts: Vec<&str> = run.trim_matches('.').split('.').collect();
        let byte = |part: &&str| part.trim_start_matches('0').len() <= 3 && octet(part).is_some();
        let address = parts.windows(4).any(|four| four.iter().all(byte));
        if !address || open(run) {
            return None;
        }
        let lead = &run[..run.len() - run.trim_start_matches('.').len()];
        let tail = &run[run.trim_end_matches('.').len()..];
        Some(format!("{lead}{}.{}.x.x{tail}", parts[0], parts[1]))
    })
}

fn octet(part: &str) -> Option<u8> {
    part.parse().ok()
}

/// Addresses that tell nothing: loopback and the unspecified one.
fn open(run: &str) -> bool {
    run.trim_matches('.').parse::<Ipv4Addr>().is_ok_and(|a| a.is_loopback() || a.is_unspecified())
}

fn without_ipv6(word: &str) -> Option<String> {
    let member = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    replace_runs(word, &member, &|run, glued| {
        let colons = run.bytes().filter(|c| *c == b':').count();
        // `cache::decide` is a path in the program, not an address.
        let path = glued && !run.bytes().any(|c| c.is_ascii_digit());
        if colons < 2 || path { None } else { mask_groups(run) }
    })
}

/// Masks the first address in a run of groups, the longest that reads as one, and what follows.
fn mask_groups(run: &str) -> Option<String> {
    let starts = (0..run.len()).filter(|at| {
        *at == 0
            || run.as_bytes()[at - 1] == b':' && run.as_bytes()[*at] != b':'
            || run[*at..].starts_with("::")
    });
    for start in starts {
        let ends = |end: &usize| matches!(run.as_bytes().get(*end), None | Some(b':' | b'.'));
        let longest = (start + 2..=run.len().min(start + LONGEST)).rev().filter(ends);
        for end in longest {
            let Some(masked) = mask(&run[start..end]) else { continue };
            let rest = &run[end..];
            let rest = mask_groups(rest).unwrap_or_else(|| rest.to_owned());
            return Some([&run[..start], &masked, &rest].concat());
        }
    }
    None
}

fn mask(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split(':').collect();
    if groups.len() == 6 && groups.iter().all(|group| group.len() == 2) && !text.contains('.') {
        return Some(format!("{}:{}:x", groups[0], groups[1]));
    }
    let address: Ipv6Addr = text.parse().ok()?;
    match address.to_canonical() {
        IpAddr::V4(mapped) if mapped.is_loopback() => None,
        IpAddr::V4(mapped) => {
            let [a, b, ..] = mapped.octets();
            Some(format!("{a}.{b}.x.x"))
        }
        IpAddr::V6(a) if a.is_loopback() || a.is_unspecified() => None,
        IpAddr::V6(a) => Some(format!("{:x}:{:x}:x", a.segments()[0], a.segments()[1])),
    }
}

/// Replaces runs of `member` characters; the step also learns whether letters touch the run.
fn replace_runs(
    word: &str,
    member: &dyn Fn(char) -> bool,
    step: &dyn Fn(&str, bool) -> Option<String>,
) -> Option<String> {
    let mut text = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(start) = word[at..].find(member).map(|offset| at + offset) {
        let end = word[start..].find(|c| !member(c)).map_or(word.len(), |offset| start + offset);
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        let glued = word[..start].ends_with(letter) || word[end..].starts_with(letter);
        if let Some(changed) = step(&word[start..end], glued) {
            text.push_str(&word[kept..start]);
            text.push_str(&changed);
            kept = end;
        }
        at = end;
    }
    (kept > 0).then(|| text + &word[kept..])
}

/// Bytes of the longest IPv6 address as text (RFC 4291, 2.2, with an IPv4 tail).
const LONGEST: usize = 45;

/// What stands where a line was cut.
const CUT: char = '…';

/// Parameters whose values open doors, as CDNs and players name them.
const TOKENS: [&str; 14] = [
    "token",
    "signature",
    "sig",
    "hmac",
    "hdnts",
    "hdnea",
    "hdntl",
    "policy",
    "password",
    "secret",
    "cookie",
    "authorization",
    "session",
    "jsessionid",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_two_groups_only() {
        for (line, clean) in [
            ("player 192.168.1.23 left", "player 192.168.x.x left"),
            ("player 192.168.1.23:51234 left", "player 192.168.x.x:51234 left"),
            ("from=10.0.0.7,10.1.2.3", "from=10.0.x.x,10.1.x.x"),
            ("ends with 10.0.0.7.", "ends with 10.0.x.x."),
            ("(8.8.8.8)", "(8.8.x.x)"),
            ("peer8.8.4.4x", "peer8.8.x.xx"),
            ("010.001.002.003", "010.001.x.x"),
            ("1.2.3.4.5", "1.2.x.x"),
            ("http://203.0.113.9/a/b.m4s", "http://203.0.x.x/a/b.m4s"),
            ("[2001:db8::1]:443", "[2001:db8:x]:443"),
            ("2001:DB8:1:2:3:4:5:6 said", "2001:db8:x said"),
            ("connect to 2001:db8::7: refused", "connect to 2001:db8:x: refused"),
            ("fe80::1%eth0", "fe80:0:x%eth0"),
            ("[fe80::aa:bb%3]:80", "[fe80:0:x%3]:80"),
            ("::ffff:192.168.1.5", "192.168.x.x"),
            ("[::ffff:192.168.1.5]:8642", "[192.168.x.x]:8642"),
            ("64:ff9b::8.8.8.8", "64:ff9b:x"),
            ("addr:2001:db8::1,2001:db8::2", "addr:2001:db8:x,2001:db8:x"),
            ("peer:2001:db8:0:0:1::", "peer:2001:db8:x"),
            ("de:ad:be:ef:00:01", "de:ad:x"),
        ] {
            assert_eq!(scrub(line), clean, "{line}");
        }
    }

    #[test]
    fn what_is_no_private_address_stays() {
        for line in [
            "listening on 127.0.0.1:8642",
            "listening on 0.0.0.0:8642 and [::]:8642",
            "listening on [::1]:8642",
            "neap 0.1.0 starts",
            "took 1.25 s at 12:34:56",
            "cache::decide and fetch::feed",
            "std::io::Error",
            "kept 3.5 MiB: really? yes",
            "GET /live/video/seg_00123.m4s 200",
            "http://127.0.0.1:8642/live/a.m3u8",
            "",
            "::",
            "a:b",
            "50 % of 4 MiB @ 2 Mbit/s = ok",
            "key origin.0.url: expected a URL",
            "300.1.2.3 is none",
        ] {
            assert!(matches!(scrub(line), Cow::Borrowed(same) if same == line), "{line}");
        }
    }

    #[test]
    fn queries_are_cut_off() {
        for (line, clean) in [
            ("GET /a/b.ts?token=abc HTTP/1.1", "GET /a/b.ts HTTP/1.1"),
            ("\"https://cdn.example/a?x=1&y=2\" failed", "\"https://cdn.example/a\" failed"),
            ("/a?x=1: refused", "/a: refused"),
            ("(/a?x=1), then", "(/a), then"),
            ("/a?x=\"secret\"&y=more end", "/a end"),
            ("/p/https%3A%2F%2Fh%2Fa%3Ftoken%3Dabc end", "/p/https%3A%2F%2Fh%2Fa end"),
            ("/a%3fx?y", "/a"),
            ("/a??x", "/a"),
            ("?x=1", ""),
            ("what? /a?b", "what? /a"),
            ("/ä?ö=ü end", "/ä end"),
        ] {
            assert_eq!(scrub(line), clean, "{line}");
        }
    }

    #[test]
    fn names_and_tokens_outside_of_the_query_go_too() {
        for (line, clean) in [
            ("https://joe:pw@cdn.example/a", "https://x@cdn.example/a"),
            ("https://a@b@cdn.example:8443", "https://x@cdn.example:8443"),
            ("/hdnts=exp=1~acl=/*~hmac=0a1b/seg.ts", "/hdnts=x"),
            ("access_token=abc;b=2", "access_token=x;b=2"),
            ("Cookie=abc,token=def", "Cookie=x,token=x"),
            ("/a;jsessionid=77/b", "/a;jsessionid=x"),
        ] {
            assert_eq!(scrub(line), clean, "{line}");
        }
        assert_eq!(scrub("tokens=3 design=good"), "tokens=3 design=good");
    }

    #[test]
    fn secrets_in_a_path_go_and_what_names_a_film_or_segment_stays() {
        let hex = "0123456789abcdef0123456789abcdef";
        let word = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MTIzNDU2Nzh9.dBjftJeZ4CVPmB92K27uhbUJU1p1r";
        for (line, clean) in [
            (format!("/live/{hex}/seg_1.ts failed"), "/live/x/seg_1.ts failed"),
            (
                format!("\"https://cdn.example/{hex}\": refused"),
                "\"https://cdn.example/x\": refused",
            ),
            (format!("/a/{hex}."), "/a/x"),
            (format!("/t/{word}/a.m3u8"), "/t/x/a.m3u8"),
            ("/a/Zk3_q7LmPq8rStUvWxYz-0123456789ABCdeFgh4==/b.ts".into(), "/a/x/b.ts"),
            ("/st=q7LmPq8rStUvWxYz01-_aB,e=1712345678/b.ts".into(), "/st=x,e=1712345678/b.ts"),
            ("/exp=1712345678~hash=0a1b2c3d4e5f60718/b.ts".into(), "/exp=1712345678~hash=x/b.ts"),
        ] {
            assert_eq!(scrub(&line), clean, "{line}");
        }
        for line in [
            "/3f2504e0-4f89-11d3-9a0c-0305e82c3301/seg_00001.m4s",
            "/the-lord-of-the-rings-extended-2003-1080p-hevc/audio_eng_128k/",
            "/Fragments(video=20241130123456000000)",
            "/chunk-stream0-0123456789abcdef0123456789abcdef0.m4s",
            "/live/20241130T120000Z-20241130T130000Z/init.mp4",
            "of 0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(scrub(line), line);
        }
    }

    #[test]
    fn scrubbing_twice_changes_nothing_more() {
        for line in [
            "player 192.168.1.23:51234 at [2001:db8::1]:443 asked /a?b=c",
            "https://joe:pw@10.0.0.1/hdnts=1/x?y",
            "::ffff:192.168.1.5 and 1.2.3.4.5.6",
        ] {
            let once = scrub(line).into_owned();
            assert_eq!(scrub(&once), once);
        }
    }

    #[test]
    fn no_address_survives_whatever_stands_around_it() {
        let glue = ["", " ", ":", ",", "/", "[", "=", "\"", "'", "(", "<", "|", "@", "-", "ü"];
        for before in glue {
            for after in glue {
                for (address, hidden) in [
                    ("198.51.100.77", "100.77"),
                    ("2001:db8:55:66::77", "55:66"),
                    ("fe80::5555:6666", "5555"),
                ] {
                    let line = format!("a{before}{address}{after} b");
                    assert!(!scrub(&line).contains(hidden), "{line}");
                }
            }
        }
    }

    #[test]
    fn a_long_line_of_groups_is_scrubbed_in_good_time() {
        let line = "a:".repeat(4096) + &"1.".repeat(4096) + &"?%3f@=".repeat(512);
        assert!(scrub(&line).len() <= line.len());
        let tokens = "token=,".repeat(1000);
        assert_eq!(scrub(&tokens).matches('x').count(), 1000);
    }

    #[test]
    fn nobody_forges_a_line_or_steers_a_terminal() {
        assert_eq!(plain("a\nERROR b", 100), "a\\nERROR b");
        assert_eq!(plain("a\x1b[31m\r", 100), "a\\u{1b}[31m\\u{d}");
        assert_eq!(plain("a\u{202e}b", 100), "a\\u{202e}b");
        assert_eq!(plain("grün", 100), "grün");
    }

    #[test]
    fn a_line_ends_at_its_limit_between_characters() {
        for limit in 4..40 {
            let text = plain("üüüüüüüüüüüüüüüüüüüü\n", limit);
            assert!(text.len() <= limit, "{limit}");
            assert!(text.ends_with('…') || limit >= 40);
        }
    }
}
