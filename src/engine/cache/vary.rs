//! Which variant a request gets: `Vary` and the fields that it names (RFC 9111, 4.1).

use crate::base::limits;
use crate::wire::http::fields::{Fields, list};

/// The request fields that chose a response; empty without `Vary`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selecting {
    fields: Vec<Selected>,
    any: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Selected {
    name: String,
    /// Every value of the request that was answered; none where it had no such field.
    values: Vec<String>,
}

/// How the values of a field may differ without another meaning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A list without case whose order means nothing.
    Unordered,
    /// A list without case.
    Ordered,
    /// Nothing is known: each value as it stands.
    Exact,
}

impl Selecting {
    /// What `response` names in `Vary`, as `request` had it.
    pub fn of(request: &Fields, response: &Fields) -> Self {
        let mut found = Self::default();
        for name in response.members("vary") {
            found.any |= name == "*";
            let known = found.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
            if name != "*" && !known {
                let values = request.all(name).map(|value| value.trim().to_owned()).collect();
                found.fields.push(Selected { name: name.to_ascii_lowercase(), values });
            }
        }
        found
    }

    /// The same without fields that no request to the origin bears: they chose nothing.
    #[must_use]
    pub fn without(mut self, is_unsent: impl Fn(&str) -> bool) -> Self {
        self.fields.retain(|field| !is_unsent(&field.name));
        self
    }

    /// Whether the stored response was chosen by such a request (RFC 9111, 4.1).
    pub fn matches(&self, request: &Fields) -> bool {
        !self.any && self.fields.iter().all(|field| field.matches(request))
    }

    /// Whether both were chosen by the same values of the same fields.
    pub fn is_same(&self, other: &Self) -> bool {
        let found = |field: &Selected| {
            let twin = other.fields.iter().find(|twin| twin.name == field.name);
            twin.is_some_and(|twin| field.equals(|| twin.values.iter().map(String::as_str)))
        };
        self.any == other.any
            && self.fields.len() == other.fields.len()
            && self.fields.iter().all(found)
    }

    /// Whether the response named any field in `Vary`.
    pub fn is_selective(&self) -> bool {
        self.any || !self.fields.is_empty()
    }

    /// Bytes that this takes, for accounts of memory.
    pub fn size(&self) -> usize {
        let of =
            |f: &Selected| f.name.len() + f.values.iter().map(|v| v.len() + TEXT).sum::<usize>();
        self.fields.iter().map(|field| of(field) + size_of::<Selected>()).sum()
    }
}

impl Selected {
    fn matches(&self, request: &Fields) -> bool {
        self.equals(|| request.all(&self.name))
    }

    fn equals<'a, I: Iterator<Item = &'a str>>(&self, other: impl Fn() -> I) -> bool {
        // A field that is absent matches only where it is absent too.
        if self.values.is_empty() || other().next().is_none() {
            return self.values.is_empty() && other().next().is_none();
        }
        let mine = || self.values.iter().map(String::as_str);
        match form(&self.name) {
            Form::Exact => mine().eq(other().map(str::trim)),
            Form::Ordered => is_same_list(mine().flat_map(list), other().flat_map(list)),
            Form::Unordered => is_same_set(|| mine().flat_map(list), || other().flat_map(list)),
        }
    }
}

fn form(name: &str) -> Form {
    match name {
        "accept" | "accept-charset" | "accept-encoding" => Form::Unordered,
        "accept-language" | "cache-control" | "connection" | "te" => Form::Ordered,
        _ => Form::Exact,
    }
}

fn is_same_list<'a, 'b>(
    mut a: impl Iterator<Item = &'a str>,
    mut b: impl Iterator<Item = &'b str>,
) -> bool {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if is_same_member(a, b) => {}
            _ => return false,
        }
    }
}

/// Compares without order where the lists are short, and as lists where a sender made them
/// so long that this would cost.
fn is_same_set<'a, 'b, A, B>(a: impl Fn() -> A, b: impl Fn() -> B) -> bool
where
    A: Iterator<Item = &'a str>,
    B: Iterator<Item = &'b str>,
{
    let length = a().take(limits::http::MEMBERS).count();
    if length == limits::http::MEMBERS {
        return is_same_list(a(), b());
    }
    let count = |of: &str| a().filter(|member| is_same_member(member, of)).count();
    let twins = |of: &str| b().filter(|member| is_same_member(member, of)).count();
    b().take(limits::http::MEMBERS).count() == length && a().all(|of| count(of) == twins(of))
}

/// Equal without case and without white space, which `;q=` allows (RFC 9110, 12.4.2).
fn is_same_member(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || bare(a).eq(bare(b))
}

fn bare(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().filter(|b| !b.is_ascii_whitespace()).map(|b| b.to_ascii_lowercase())
}

/// A `String` beside its bytes.
const TEXT: usize = size_of::<String>();

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Fields {
        fields.iter().copied().collect()
    }

    fn does_match(vary: &str, first: &[(&str, &str)], later: &[(&str, &str)]) -> bool {
        Selecting::of(&fields(first), &fields(&[("Vary", vary)])).matches(&fields(later))
    }

    #[test]
    fn rfc_9111_4_1_every_nominated_field_must_match() {
        let first = [("Origin", "https://a"), ("Accept-Language", "de")];
        let vary = "origin, Accept-Language";
        assert!(does_match(vary, &first, &first));
        assert!(!does_match(vary, &first, &[("Origin", "https://a"), ("Accept-Language", "en")]));
        assert!(!does_match(vary, &first, &[("Accept-Language", "de")]));
        assert!(does_match("Origin", &first, &[("Origin", "https://a"), ("X", "y")]));
    }

    #[test]
    fn rfc_9111_4_1_an_absent_field_matches_only_an_absent_one() {
        assert!(does_match("Origin", &[], &[]));
        assert!(!does_match("Origin", &[], &[("Origin", "")]));
        assert!(!does_match("Origin", &[("Origin", "")], &[]));
    }

    #[test]
    fn rfc_9111_4_1_a_star_never_matches() {
        assert!(!does_match("*", &[], &[]));
        assert!(!does_match("Origin, *", &[], &[]));
    }

    #[test]
    fn rfc_9111_4_1_normalised_by_what_is_known_of_the_field() {
        let encodings = [("Accept-Encoding", "gzip, deflate;q=0.5, br")];
        for (later, same) in [
            ("br,GZIP,deflate; q=0.5", true),
            ("gzip, deflate, br", false),
            ("gzip, br", false),
            ("gzip, gzip, br", false),
        ] {
            assert_eq!(
                does_match("accept-encoding", &encodings, &[("Accept-Encoding", later)]),
                same,
                "{later}"
            );
        }
        let split = [("Accept-Encoding", "br, gzip"), ("Accept-Encoding", "deflate;q=0.5")];
        assert!(does_match("accept-encoding", &encodings, &split));
        let order = [("Accept-Language", "de, en")];
        assert!(does_match("Accept-Language", &order, &[("Accept-Language", "DE,en")]));
        assert!(!does_match("Accept-Language", &order, &[("Accept-Language", "en, de")]));
    }

    #[test]
    fn rfc_9111_4_1_unknown_fields_are_compared_as_they_stand() {
        let first = [("User-Agent", "TV (a, b)")];
        assert!(does_match("User-Agent", &first, &[("User-Agent", " TV (a, b) ")]));
        assert!(!does_match("User-Agent", &first, &[("User-Agent", "TV (a,b)")]));
        assert!(!does_match("User-Agent", &first, &[("User-Agent", "tv (a, b)")]));
    }

    #[test]
    fn one_variant_is_the_same_however_its_fields_were_written() {
        let response = |vary| fields(&[("Vary", vary)]);
        let one = fields(&[("A", "1"), ("Accept", "x, y")]);
        let two = fields(&[("A", "1"), ("Accept", "y,x")]);
        let first = Selecting::of(&one, &response("A, Accept, a"));
        assert!(first.is_same(&Selecting::of(&two, &response("accept, a"))));
        assert!(!first.is_same(&Selecting::of(&two, &response("accept"))));
    }
}
