//! Bencode (BEP 3) as far as an answer needs it: one dictionary, read front to back without
//! recursion, so that no nesting costs stack.

use super::announce::Fault;

/// A value of the dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A whole number.
    Number(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list, as it is written, `l` and `e` included.
    List(&'a [u8]),
    /// A dictionary, as it is written.
    Dictionary(&'a [u8]),
}

/// The pairs of a dictionary, in the order in which they stand. What follows behind it is a
/// fault, as are keys that are no bytes.
pub fn dictionary<'a>(
    text: &'a [u8],
    mut pair: impl FnMut(&'a [u8], Value<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut rest = text.strip_prefix(b"d").ok_or(Fault::Malformed)?;
    loop {
        if let Some(behind) = rest.strip_prefix(b"e") {
            return if behind.is_empty() { Ok(()) } else { Err(Fault::Malformed) };
        }
        let (key, behind) = bytes(rest)?;
        let (value, behind) = value(behind)?;
        pair(key, value)?;
        rest = behind;
    }
}

/// The members of a list.
pub fn list<'a>(
    text: &'a [u8],
    mut member: impl FnMut(Value<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut rest = text.strip_prefix(b"l").ok_or(Fault::Malformed)?;
    loop {
        if let Some(behind) = rest.strip_prefix(b"e") {
            return if behind.is_empty() { Ok(()) } else { Err(Fault::Malformed) };
        }
        let (value, behind) = value(rest)?;
        member(value)?;
        rest = behind;
    }
}

/// The value that the text begins with, and what follows.
fn value(text: &[u8]) -> Result<(Value<'_>, &[u8]), Fault> {
    match text.first() {
        Some(b'i') => number(text).map(|(number, rest)| (Value::Number(number), rest)),
        Some(b'0'..=b'9') => bytes(text).map(|(bytes, rest)| (Value::Bytes(bytes), rest)),
        Some(b'l') => nested(text).map(|(list, rest)| (Value::List(list), rest)),
        Some(b'd') => nested(text).map(|(dict, rest)| (Value::Dictionary(dict), rest)),
        _ => Err(Fault::Malformed),
    }
}

/// A list or dictionary as it is written: how deep it is, is counted and not walked.
fn nested(text: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let mut rest = text;
    let mut depth = 0_usize;
    loop {
        rest = match rest.first() {
            Some(b'l' | b'd') => {
                depth += 1;
                &rest[1..]
            }
            Some(b'e') => {
                depth = depth.checked_sub(1).ok_or(Fault::Malformed)?;
                &rest[1..]
            }
            Some(b'i') => number(rest)?.1,
            _ => bytes(rest)?.1,
        };
        if depth == 0 {
            return Ok(text.split_at(text.len() - rest.len()));
        }
    }
}

/// `i`, an optional minus, digits, `e`.
fn number(text: &[u8]) -> Result<(i64, &[u8]), Fault> {
    let text = text.strip_prefix(b"i").ok_or(Fault::Malformed)?;
    let end = text.iter().take(NUMBER).position(|b| *b == b'e').ok_or(Fault::Malformed)?;
    let digits = text[..end].strip_prefix(b"-").unwrap_or(&text[..end]);
    let zeros = digits.len() > 1 && digits.first() == Some(&b'0');
    if digits.is_empty() || zeros || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Malformed);
    }
    let written = core::str::from_utf8(&text[..end]).map_err(|_| Fault::Malformed)?;
    let number = written.parse().map_err(|_| Fault::Malformed)?;
    Ok((number, &text[end + 1..]))
}

/// Digits, a colon, so many bytes.
fn bytes(text: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let end = text.iter().take(LENGTH).position(|b| *b == b':').ok_or(Fault::Malformed)?;
    let digits = &text[..end];
    let zeros = digits.len() > 1 && digits.first() == Some(&b'0');
    if digits.is_empty() || zeros || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Malformed);
    }
    let length = digits.iter().fold(0_usize, |sum, b| sum * 10 + usize::from(b - b'0'));
    text[end + 1..].split_at_checked(length).ok_or(Fault::Malformed)
}

/// Characters of a number: what fits into 64 bits, with its sign and its `e`.
const NUMBER: usize = 21;

/// Characters of a length with its colon: an answer is far shorter than 10 million bytes.
const LENGTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[u8]) -> Result<Vec<(Vec<u8>, String)>, Fault> {
        let mut found = Vec::new();
        dictionary(text, |key, value| {
            found.push((key.to_vec(), format!("{value:?}")));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn bep_3_a_dictionary_is_its_pairs() {
        let read = pairs(b"d3:inti-7e1:lli1el1:aee1:sd1:k0:e4:text2:e:e").expect("a dictionary");
        let keys: Vec<_> = read.iter().map(|(key, _)| &key[..]).collect();
        assert_eq!(keys, [b"int".as_slice(), b"l", b"s", b"text"]);
        assert_eq!(read[0].1, "Number(-7)");
        let mut members = 0;
        list(b"li1e0:ldeee", |_| {
            members += 1;
            Ok(())
        })
        .expect("a list");
        assert_eq!(members, 3);
    }

    #[test]
    fn what_is_not_written_so_is_no_bencode() {
        for wrong in [
            b"".as_slice(),
            b"d",
            b"de ",
            b"dee",
            b"d1:ae",
            b"di1ei1ee",
            b"d1:ai01ee",
            b"d1:ai-e",
            b"d1:aiee",
            b"d1:ai1",
            b"d1:a01:xe",
            b"d1:a-1:xe",
            b"d1:a5:xe",
            b"d1:a99999999:xe",
            b"d1:ai99999999999999999999ee",
            b"d1:ale",
            b"d1:aleee",
            b"l",
            b"i1e",
        ] {
            assert_eq!(pairs(wrong), Err(Fault::Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = [b"d1:z".as_slice(), &[b'l'; 100_000], &[b'e'; 100_000], b"e"].concat();
        assert_eq!(pairs(&deep).map(|pairs| pairs.len()), Ok(1));
        assert_eq!(pairs(&deep[..100_000]), Err(Fault::Malformed));
    }
}
