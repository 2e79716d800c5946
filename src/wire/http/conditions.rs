//! Validators and conditional requests (RFC 9110, 8.8 and 13), and the dates that they need.

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

use super::fields::Fields;
use crate::base::time::Date;

/// An entity tag (RFC 9110, 8.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Whether it names representations that are merely equivalent.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: &'a str,
}

impl<'a> EntityTag<'a> {
    /// Reads one tag and nothing else.
    pub fn parse(text: &'a str) -> Option<Self> {
        split_tag(text.trim()).and_then(|(tag, rest)| rest.is_empty().then_some(tag))
    }

    /// The tag of a response; none where it is malformed or there are several.
    pub fn of(response: &'a Fields) -> Option<Self> {
        Self::parse(only(response, "etag")?)
    }

    /// Equal byte for byte, so that ranges may be joined (RFC 9110, 8.8.3.2).
    pub fn is_same_strongly(self, other: EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Whether it is the weak form of a strong one.
    pub fn weakens(self, other: EntityTag<'_>) -> bool {
        self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Equal enough for a 304 (RFC 9110, 8.8.3.2).
    pub fn is_same_weakly(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// Reads an HTTP-date in any of its three forms (RFC 9110, 5.6.7).
pub fn parse_date(text: &str) -> Option<Date> {
    let parsed = text.trim().parse::<HttpDate>().ok()?;
    let since = SystemTime::from(parsed).duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(Date)
}

/// Writes an IMF-fixdate; a date outside 1970 to 9999 is moved to the nearest one inside.
pub fn format_date(date: Date) -> String {
    let seconds = date.0.clamp(0, LAST_SECOND).unsigned_abs();
    HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// The date in a field that may stand once; none where it is malformed or there are several.
pub fn date_of(fields: &Fields, name: &str) -> Option<Date> {
    parse_date(only(fields, name)?)
}

/// Whether a GET or HEAD that `stored` would answer is answered with a 304.
///
/// `If-None-Match` decides alone where it stands (RFC 9110, 13.2.2). Without `Last-Modified`,
/// `If-Modified-Since` is compared with `Date` (RFC 9111, 4.3.2).
pub fn is_not_modified(request: &Fields, stored: &Fields) -> bool {
    if request.has("if-none-match") {
        let tag = EntityTag::of(stored);
        return request.all("if-none-match").any(|value| matches_any(value, tag));
    }
    let Some(known) = date_of(request, "if-modified-since") else { return false };
    let modified = if stored.has("last-modified") { "last-modified" } else { "date" };
    date_of(stored, modified).is_some_and(|modified| modified <= known)
}

/// Whether the request carries conditions that only the origin may judge (RFC 9111, 4.3.2).
pub fn is_for_origin(request: &Fields) -> bool {
    request.has("if-match") || request.has("if-unmodified-since")
}

/// Whether `Range` counts against `stored`, as `If-Range` demands (RFC 9110, 13.1.5).
pub fn does_range_apply(request: &Fields, stored: &Fields) -> bool {
    if !request.has("if-range") {
        return true;
    }
    let Some(condition) = only(request, "if-range") else { return false };
    if let Some(wanted) = EntityTag::parse(condition) {
        return EntityTag::of(stored).is_some_and(|tag| tag.is_same_strongly(wanted));
    }
    let wanted = parse_date(condition);
    wanted.is_some() && wanted == strong_date(stored)
}

/// `Last-Modified` where it is strong: a second or more before `Date` (RFC 9110, 8.8.2.2).
pub fn strong_date(response: &Fields) -> Option<Date> {
    let modified = date_of(response, "last-modified")?;
    let sent = date_of(response, "date")?;
    (sent > modified).then_some(modified)
}

/// Whether the parts of two responses are of one representation (RFC 9110, 15.3.7.3).
pub fn are_parts_of_one(stored: &Fields, received: &Fields) -> bool {
    match (EntityTag::of(stored), EntityTag::of(received)) {
        (Some(a), Some(b)) => a.is_same_strongly(b),
        (None, None) if !stored.has("etag") && !received.has("etag") => {
            let date = strong_date(stored);
            date.is_some() && date == strong_date(received)
        }
        _ => false,
    }
}

/// Whether a response can be validated at all (RFC 9111, 4.3.1).
pub fn has_validator(response: &Fields) -> bool {
    EntityTag::of(response).is_some() || date_of(response, "last-modified").is_some()
}

/// Replaces the conditions of a request to the origin by those that validate `stored`.
pub fn validate(request: &mut Fields, stored: &Fields) {
    CONDITIONS.iter().for_each(|name| request.remove(name));
    if EntityTag::of(stored).is_some() {
        request.set("If-None-Match", only(stored, "etag").unwrap_or_default());
    }
    if date_of(stored, "last-modified").is_some() {
        request.set("If-Modified-Since", only(stored, "last-modified").unwrap_or_default());
    }
}

fn matches_any(list: &str, stored: Option<EntityTag<'_>>) -> bool {
    let mut rest = list.trim();
    if rest == "*" {
        return true;
    }
    let Some(stored) = stored else { return false };
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((tag, behind)) = split_tag(rest) else { return false };
        if tag.is_same_weakly(stored) {
            return true;
        }
        rest = behind;
    }
}

/// The tag at the front of `text` and what follows; a backslash in it is no escape.
fn split_tag(text: &str) -> Option<(EntityTag<'_>, &str)> {
    let strong = text.strip_prefix("W/");
    let (opaque, rest) = strong.unwrap_or(text).strip_prefix('"')?.split_once('"')?;
    let sound = opaque.bytes().all(|b| b > b' ' && b != 0x7f);
    sound.then_some((EntityTag { weak: strong.is_some(), opaque }, rest))
}

fn only<'a>(fields: &'a Fields, name: &'a str) -> Option<&'a str> {
    let mut values = fields.all(name);
    values.next().filter(|_| values.next().is_none())
}

/// Every conditional field (RFC 9110, 13.1).
const CONDITIONS: [&str; 5] =
    ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"];

/// 9999-12-31 23:59:59, the last date that has four digits for its year.
const LAST_SECOND: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn fields(fields: &[(&str, &str)]) -> Fields {
        fields.iter().copied().collect()
    }

    #[test]
    fn rfc_9110_5_6_7_three_forms_of_one_date() {
        for text in [THEN, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse_date(text), Some(Date(784_111_777)), "{text}");
        }
        assert_eq!(format_date(Date(784_111_777)), THEN);
        assert_eq!(parse_date("0"), None);
        assert_eq!(format_date(Date(i64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(format_date(Date(-5)), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn rfc_9110_8_8_3_2_the_table_of_comparisons() {
        for (a, b, strong, weak) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ] {
            let (a, b) = (EntityTag::parse(a).expect("a tag"), EntityTag::parse(b).expect("a tag"));
            assert_eq!((a.is_same_strongly(b), a.is_same_weakly(b)), (strong, weak));
        }
    }

    #[test]
    fn rfc_9110_8_8_3_what_is_no_tag() {
        for text in ["", "1", r#""1"#, r#"w/"1""#, r#""1"x"#, r#""a b""#, r#"W/ "1""#, "W/"] {
            assert_eq!(EntityTag::parse(text), None, "{text}");
        }
        assert!(EntityTag::parse(r#""""#).is_some(), "an empty tag is one");
    }

    #[test]
    fn rfc_9110_13_1_2_if_none_match_compares_weakly_with_every_tag() {
        let stored = fields(&[("ETag", r#""b,\""#)]);
        for (asked, same) in [
            (r#""b,\""#, true),
            (r#""a\", W/"b,\""#, true),
            (r#""a",, "b""#, false),
            ("*", true),
            ("b,", false),
        ] {
            assert_eq!(is_not_modified(&fields(&[("If-None-Match", asked)]), &stored), same);
        }
        assert!(is_not_modified(&fields(&[("If-None-Match", "*")]), &Fields::new()));
    }

    #[test]
    fn rfc_9110_13_2_2_if_none_match_decides_before_if_modified_since() {
        let stored = fields(&[("ETag", r#""1""#), ("Last-Modified", THEN)]);
        let asked = fields(&[("If-None-Match", r#""2""#), ("If-Modified-Since", THEN)]);
        assert!(!is_not_modified(&asked, &stored));
    }

    #[test]
    fn rfc_9110_13_1_3_if_modified_since_and_bad_dates() {
        let stored = fields(&[("Last-Modified", THEN)]);
        for (asked, same) in [(THEN, true), (LATER, true), (BEFORE, false), ("yesterday", false)] {
            assert_eq!(is_not_modified(&fields(&[("If-Modified-Since", asked)]), &stored), same);
        }
    }

    #[test]
    fn rfc_9111_4_3_2_date_stands_in_for_last_modified() {
        let stored = fields(&[("Date", THEN)]);
        assert!(is_not_modified(&fields(&[("If-Modified-Since", THEN)]), &stored));
        assert!(!is_not_modified(&fields(&[("If-Modified-Since", BEFORE)]), &stored));
    }

    #[test]
    fn rfc_9111_4_3_2_conditions_on_writing_are_the_origins() {
        assert!(is_for_origin(&fields(&[("If-Match", "*")])));
        assert!(is_for_origin(&fields(&[("If-Unmodified-Since", THEN)])));
        assert!(!is_for_origin(&fields(&[("If-None-Match", "*")])));
    }

    #[test]
    fn rfc_9110_13_1_5_if_range_wants_a_strong_validator() {
        let weak = fields(&[("ETag", r#"W/"1""#)]);
        let strong = fields(&[("ETag", r#""1""#), ("Last-Modified", THEN), ("Date", LATER)]);
        let at_once = fields(&[("Last-Modified", THEN), ("Date", THEN)]);
        for (condition, stored, applies) in [
            (r#""1""#, &strong, true),
            (r#""2""#, &strong, false),
            (r#"W/"1""#, &strong, false),
            (r#""1""#, &weak, false),
            (THEN, &strong, true),
            (LATER, &strong, false),
            (THEN, &at_once, false),
            ("soon", &strong, false),
        ] {
            assert_eq!(does_range_apply(&fields(&[("If-Range", condition)]), stored), applies);
        }
        assert!(does_range_apply(&Fields::new(), &weak));
    }

    #[test]
    fn rfc_9110_15_3_7_3_only_parts_with_one_strong_validator_join() {
        let tag = |tag| fields(&[("ETag", tag)]);
        let date = |sent| fields(&[("Last-Modified", THEN), ("Date", sent)]);
        assert!(are_parts_of_one(&tag(r#""1""#), &tag(r#""1""#)));
        assert!(!are_parts_of_one(&tag(r#""1""#), &tag(r#""2""#)));
        assert!(!are_parts_of_one(&tag(r#"W/"1""#), &tag(r#"W/"1""#)));
        assert!(are_parts_of_one(&date(LATER), &date(LATER)));
        assert!(!are_parts_of_one(&date(THEN), &date(LATER)));
        assert!(!are_parts_of_one(&Fields::new(), &Fields::new()));
    }

    #[test]
    fn rfc_9111_4_3_1_a_validating_request_names_the_stored_validators() {
        let stored = fields(&[("ETag", r#"W/"1""#), ("Last-Modified", THEN)]);
        let mut request = fields(&[("If-None-Match", r#""x""#), ("If-Range", r#""x""#)]);
        validate(&mut request, &stored);
        let wanted = [("If-None-Match", r#"W/"1""#), ("If-Modified-Since", THEN)];
        assert_eq!(request.iter().collect::<Vec<_>>(), wanted);
    }
}
