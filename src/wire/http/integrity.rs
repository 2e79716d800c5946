//! Digest fields (RFC 9530): what an origin says of the bytes of a representation or a message.

use super::fields::Fields;
use super::structured::{Value, decode, member};
use crate::base::digest::Digest;
use crate::base::limits;

/// The SHA-256 of the whole representation, as it is encoded, where `Repr-Digest` states it
/// (RFC 9530, 3); the same for every range of it.
pub fn representation(fields: &Fields) -> Option<Digest> {
    sha_256(fields, "repr-digest")
}

/// The SHA-256 of the content of this very message, where `Content-Digest` states it
/// (RFC 9530, 2): of a 206 that of its ranges.
pub fn content(fields: &Fields) -> Option<Digest> {
    sha_256(fields, "content-digest")
}

/// What asks an origin for them: name and value (RFC 9530, 4).
pub const WANTED: (&str, &str) = ("Want-Repr-Digest", "sha-256=10");

/// Other algorithms are skipped; a malformed field counts as none (RFC 9651, 4.2).
fn sha_256(fields: &Fields, name: &str) -> Option<Digest> {
    let mut values = fields.all(name);
    let first = values.next()?;
    let rest: Vec<&str> = values.collect();
    let bytes = rest.iter().fold(first.len(), |sum, value| sum + 2 + value.len());
    if bytes > limits::DIGEST_FIELD {
        return None;
    }
    // Lines of one field are one dictionary (RFC 9651, 4.2).
    let joined = core::iter::once(first).chain(rest).collect::<Vec<_>>().join(", ");
    match member(&joined, "sha-256")? {
        Value::Bytes(base64) => decode(base64).map(Digest),
        Value::Other => None,
    }
}

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

    fn of(value: &str) -> Option<Digest> {
        representation(&fields(&[("Repr-Digest", value)]))
    }

    fn hello() -> Option<Digest> {
        Some(Digest::of(b"{\"hello\": \"world\"}\n"))
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
        for value in [
            format!("{sha_512}, {HELLO}"),
            format!("{HELLO},{sha_512}"),
            format!("md5=:AAAAAAAAAAAAAAAAAAAAAA==:, unixsum=30637, {HELLO};x=1"),
        ] {
            assert_eq!(of(&value), hello(), "{value}");
        }
        assert_eq!(of(&sha_512), None);
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
        let long = format!("{HELLO};p=\"{}\"", "x".repeat(limits::DIGEST_FIELD));
        assert_eq!(of(&long), None);
    }
}
