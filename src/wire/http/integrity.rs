//! Digest fields (RFC 9530): what an origin says of the bytes of a representation or a message.

use super::fields::Fields;
use super::structured::{Value, decode, member};
use crate::base::digest::{Digest, Sum};
use crate::base::limits;

/// The sum of the whole representation, as it is encoded; the same for every range of it. In this
/// order: `Repr-Digest` (RFC 9530, 3), `Digest` (RFC 3230, 4.3.2, which came before it), and
/// `x-amz-checksum-sha256` of object stores (the SHA-256 of the object in base64; the checksum of
/// checksums that large uploads get has another length and does not count). SHA-256 goes before
/// SHA-512, since processors of small devices have instructions for it; nothing weaker counts.
pub fn representation(fields: &Fields) -> Option<Sum> {
    structured(fields, "repr-digest").or_else(|| instance(fields)).or_else(|| stored(fields))
}

/// The SHA-256 of the content of this very message, where `Content-Digest` states it
/// (RFC 9530, 2): of a 206 that of its ranges.
pub fn content(fields: &Fields) -> Option<Digest> {
    match structured(fields, "content-digest")? {
        Sum::Sha256(bytes) => Some(Digest(bytes)),
        Sum::Sha512(_) => None,
    }
}

/// What asks an origin for them: names and values (RFC 9530, 4; RFC 3230, 4.3.1).
pub const WANTED: [(&str, &str); 2] =
    [("Want-Repr-Digest", "sha-256=10, sha-512=5"), ("Want-Digest", "sha-256;q=1, sha-512;q=0.5")];

/// A dictionary of byte sequences. Other algorithms are skipped; a malformed field counts as none
/// (RFC 9651, 4.2).
fn structured(fields: &Fields, name: &str) -> Option<Sum> {
    let mut values = fields.all(name);
    let first = values.next()?;
    let rest: Vec<&str> = values.collect();
    let bytes = rest.iter().fold(first.len(), |sum, value| sum + 2 + value.len());
    if bytes > limits::http::DIGEST_FIELD {
        return None;
    }
    // Lines of one field are one dictionary (RFC 9651, 4.2).
    let joined = core::iter::once(first).chain(rest).collect::<Vec<_>>().join(", ");
    let found = |name: &str| match member(&joined, name)? {
        Value::Bytes(base64) => Some(base64),
        Value::Other => None,
    };
    let short = found("sha-256").and_then(decode).map(Sum::Sha256);
    short.or_else(|| found("sha-512").and_then(decode).map(Sum::Sha512))
}

/// `Digest: SHA-256=base64, ...`: names in any case, padding as base64 has it (RFC 5843, 2.2).
fn instance(fields: &Fields) -> Option<Sum> {
    let find = |name: &str| {
        let pairs = fields.members("digest").filter_map(|member| member.split_once('='));
        let mut named = pairs.filter(|(algorithm, _)| algorithm.eq_ignore_ascii_case(name));
        let (_, base64) = named.next().filter(|(_, base64)| base64.len() <= LONGEST)?;
        // Two that differ say nothing.
        named.all(|(_, other)| other == base64).then_some(base64)
    };
    let short = find("sha-256").and_then(decode).map(Sum::Sha256);
    short.or_else(|| find("sha-512").and_then(decode).map(Sum::Sha512))
}

fn stored(fields: &Fields) -> Option<Sum> {
    fields.first("x-amz-checksum-sha256").and_then(decode).map(Sum::Sha256)
}

/// Digits of a SHA-512 in base64, with padding.
const LONGEST: usize = 88;

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `{"hello": "world"}` and a line feed (RFC 9530, appendix B.1).
    const HELLO: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(*name, *value));
        fields
    }

    fn of(value: &str) -> Option<Sum> {
        representation(&fields(&[("Repr-Digest", value)]))
    }

    fn hello() -> Option<Sum> {
        Some(Sum::Sha256(Digest::of(b"{\"hello\": \"world\"}\n").0))
    }

    #[test]
    fn rfc_9530_b_1_a_whole_representation() {
        let both = fields(&[("Content-Type", "application/json"), ("Repr-Digest", HELLO)]);
        assert_eq!((representation(&both), content(&both)), (hello(), None));
    }

    #[test]
    fn rfc_9530_2_and_3_content_and_representation_are_two_things() {
        let part = Digest::of(b"\"hello\"");
        let said = "sha-256=:Wqdirjg/u3J688ejbUlApbjECpiUUtIwT8lY/z81Tno=:";
        let both = fields(&[("repr-digest", HELLO), ("CONTENT-DIGEST", said)]);
        assert_eq!((representation(&both), content(&both)), (hello(), Some(part)));
    }

    #[test]
    fn rfc_9530_5_other_algorithms_are_skipped() {
        let sha_512 = format!("sha-512=:{}==:", "A".repeat(86));
        assert_eq!(of(&sha_512), Some(Sum::Sha512([0; 64])));
        for value in [
            format!("{sha_512}, {HELLO}"),
            format!("{HELLO},{sha_512}"),
            format!("md5=:AAAAAAAAAAAAAAAAAAAAAA==:, unixsum=30637, {HELLO};x=1"),
        ] {
            assert_eq!(of(&value), hello(), "{value}");
        }
        assert_eq!(of("unixsum=:30637:"), None);
    }

    #[test]
    fn rfc_9651_4_2_lines_are_one_dictionary_and_the_last_member_counts() {
        let twice = fields(&[("Repr-Digest", "sha-256=?1"), ("Repr-Digest", HELLO)]);
        assert_eq!(representation(&twice), hello());
        let broken = fields(&[("Repr-Digest", HELLO), ("Repr-Digest", "sha-512=")]);
        assert_eq!(representation(&broken), None);
    }

    #[test]
    fn rfc_9530_3_what_is_no_sha_256_is_no_digest() {
        for value in [
            "",
            "sha-256",
            "sha-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
            "SHA-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8Fa:",
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDgAAAA=:",
            "sha-256=\"RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=\"",
        ] {
            assert_eq!(of(value), None, "{value}");
        }
        let long = format!("{HELLO};p=\"{}\"", "x".repeat(limits::http::DIGEST_FIELD));
        assert_eq!(of(&long), None);
    }

    #[test]
    fn rfc_3230_and_5843_the_field_that_came_before() {
        let of = |value: &str| representation(&fields(&[("Digest", value)]));
        let base64 = HELLO.trim_start_matches("sha-256=:").trim_end_matches(':');
        for value in [format!("SHA-256={base64}"), format!("md5=AAAA, sha-256={base64}")] {
            assert_eq!(of(&value), hello(), "{value}");
        }
        let twice = format!("SHA-256={base64}, sha-256=A{}", &base64[1..]);
        for value in ["SHA-256=", "SHA=AAAA", "sha-256", &twice] {
            assert_eq!(of(value), None, "{value}");
        }
        let long = format!("SHA-512={}==", "A".repeat(86));
        assert_eq!(of(&long), Some(Sum::Sha512([0; 64])));
    }

    #[test]
    fn a_store_states_the_sum_of_an_object_but_not_one_of_sums() {
        let of = |value: &str| representation(&fields(&[("x-amz-checksum-sha256", value)]));
        let base64 = HELLO.trim_start_matches("sha-256=:").trim_end_matches(':');
        assert_eq!(of(base64), hello());
        assert_eq!(of(&format!("{base64}-3")), None);
        assert_eq!(of("AAAA"), None);
    }
}
