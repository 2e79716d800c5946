//! Structured fields (RFC 9651): dictionaries, read in full and strictly, for their byte sequences.

use crate::base::limits;

/// A member's value, as far as anybody here wants to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A byte sequence, still in base64.
    Bytes(&'a str),
    /// Anything else that is well-formed.
    Other,
}

/// The value of one key of a dictionary; the last one counts (RFC 9651, 4.2.2). None where the
/// dictionary is malformed anywhere, for then all of it is ignored (RFC 9651, 4.2).
pub(super) fn member<'a>(dictionary: &'a str, wanted: &str) -> Option<Value<'a>> {
    let mut text = Text(dictionary.trim_matches(' '));
    let mut found = None;
    for count in 0.. {
        if count == limits::http::MEMBERS {
            return None;
        }
        let key = text.key()?;
        let value = if text.take('=') { text.value()? } else { Value::Other };
        text.parameters()?;
        if key == wanted {
            found = Some(value);
        }
        text.skip(&[' ', '\t']);
        if text.0.is_empty() {
            break;
        }
        text.expect(',')?;
        text.skip(&[' ', '\t']);
    }
    found
}

/// The bytes of a sequence (RFC 9651, 4.2.7): padding may be missing, and bits that are left over
/// are not looked at. None where it is no base64 (RFC 4648, 4) or has another length.
pub(super) fn decode<const N: usize>(base64: &str) -> Option<[u8; N]> {
    let digits = base64.trim_end_matches('=');
    let padding = base64.len() - digits.len();
    if padding > 2 || digits.len() != (N * 8).div_ceil(6) {
        return None;
    }
    let (mut out, mut held, mut bits, mut place) = ([0; N], 0_u32, 0, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(value)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            *out.get_mut(place)? = u8::try_from(held >> bits & 0xff).ok()?;
            place += 1;
        }
    }
    Some(out)
}

/// What is still to be read.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn take(&mut self, wanted: char) -> bool {
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.take(wanted).then_some(())
    }

    fn skip(&mut self, spaces: &[char]) {
        self.0 = self.0.trim_start_matches(spaces);
    }

    /// As many characters as are allowed.
    fn run(&mut self, allowed: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !allowed(c)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    /// RFC 9651, 4.2.3.3.
    fn key(&mut self) -> Option<&'a str> {
        if !self.0.starts_with(|c: char| c.is_ascii_lowercase() || c == '*') {
            return None;
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        Some(self.run(|c| allowed(c) || "_-.*".contains(c)))
    }

    /// An item or inner list, without its parameters (RFC 9651, 4.2.1.1).
    fn value(&mut self) -> Option<Value<'a>> {
        if !self.take('(') {
            return self.bare();
        }
        loop {
            self.skip(&[' ']);
            if self.take(')') {
                return Some(Value::Other);
            }
            self.bare()?;
            self.parameters()?;
            if !self.0.starts_with([' ', ')']) {
                return None;
            }
        }
    }

    /// RFC 9651, 4.2.3.2.
    fn parameters(&mut self) -> Option<()> {
        while self.take(';') {
            self.skip(&[' ']);
            self.key()?;
            if self.take('=') {
                self.bare()?;
            }
        }
        Some(())
    }

    /// RFC 9651, 4.2.3.1.
    fn bare(&mut self) -> Option<Value<'a>> {
        match self.0.chars().next()? {
            ':' => return self.bytes(),
            '"' => self.string()?,
            '%' => self.display()?,
            '?' => {
                self.expect('?')?;
                self.0 = self.0.strip_prefix(['0', '1'])?;
            }
            '@' => {
                self.expect('@')?;
                self.number(false)?;
            }
            c if c == '-' || c.is_ascii_digit() => self.number(true)?,
            c if c == '*' || c.is_ascii_alphabetic() => {
                let mark = |c| "!#$%&'*+-.^_`|~:/".contains(c);
                self.run(|c| c.is_ascii_alphanumeric() || mark(c));
            }
            _ => return None,
        }
        Some(Value::Other)
    }

    /// RFC 9651, 4.2.7.
    fn bytes(&mut self) -> Option<Value<'a>> {
        self.expect(':')?;
        let base64 = self.run(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
        self.expect(':')?;
        Some(Value::Bytes(base64))
    }

    /// RFC 9651, 4.2.4.
    fn number(&mut self, decimal: bool) -> Option<()> {
        self.take('-');
        let whole = self.run(|c| c.is_ascii_digit()).len();
        let is_decimal = decimal && self.take('.');
        let part = if is_decimal { self.run(|c| c.is_ascii_digit()).len() } else { 0 };
        let fits = if is_decimal { whole <= 12 && (1..=3).contains(&part) } else { whole <= 15 };
        (whole > 0 && fits).then_some(())
    }

    /// RFC 9651, 4.2.5.
    fn string(&mut self) -> Option<()> {
        self.expect('"')?;
        loop {
            self.run(|c| (c == ' ' || c.is_ascii_graphic()) && !"\"\\".contains(c));
            if self.take('"') {
                return Some(());
            }
            self.expect('\\')?;
            self.0 = self.0.strip_prefix(['"', '\\'])?;
        }
    }

    /// RFC 9651, 4.2.10.
    fn display(&mut self) -> Option<()> {
        self.0 = self.0.strip_prefix("%\"")?;
        let mut text = Vec::new();
        loop {
            let plain = self.run(|c| (c == ' ' || c.is_ascii_graphic()) && !"\"%".contains(c));
            text.extend_from_slice(plain.as_bytes());
            if self.take('"') {
                return core::str::from_utf8(&text).is_ok().then_some(());
            }
            self.expect('%')?;
            let (digits, rest) = self.0.split_at_checked(2)?;
            let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if !digits.bytes().all(lower) {
                return None;
            }
            text.push(u8::from_str_radix(digits, 16).ok()?);
            self.0 = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9651_3_2_a_member_is_found_among_all_kinds() {
        for dictionary in [
            "x=:YQ==:",
            " x=:YQ==: ",
            "a=1, x=:YQ==:",
            "x=?0,\tx=:YQ==:;p=1",
            "a=\"x=:no:, \\\" \\\\\", b=tok/en:*, c=-1.5, d=?1, e, f;g;h=\"i\",x=:YQ==:",
            "l=(1 \"two\" three;p=:cQ==: ), m=(), x=:YQ==:, n=@-1659578233, o=%\"f%c3%bc\"",
        ] {
            assert_eq!(member(dictionary, "x"), Some(Value::Bytes("YQ==")), "{dictionary}");
        }
        assert_eq!(member("x=1", "x"), Some(Value::Other));
        assert_eq!(member("x", "x"), Some(Value::Other));
        assert_eq!(member("y=1", "x"), None);
    }

    #[test]
    fn rfc_9651_4_2_what_is_malformed_anywhere_is_ignored_as_a_whole() {
        for rest in [
            ",",
            ", ,a",
            ", A=1",
            ", a=",
            ", a=:YQ",
            ", a=\"",
            ", a=\"\\x\"",
            ", a=(1",
            ", a=(1,2)",
            ", a=(1\"b\")",
            ", a=1.",
            ", a=1.2345",
            ", a=1234567890123456",
            ", a=-",
            ", a=?2",
            ", a=@1.5",
            ", a=%\"%C3%BC\"",
            ", a=%\"%c3\"",
            ", a=\u{fc}",
            ";",
            ";=1",
            " b",
            ";a=(1)",
            ", a=:Y*==:",
            ", a=#",
        ] {
            let dictionary = format!("x=:YQ==:{rest}");
            assert_eq!(member(&dictionary, "x"), None, "{dictionary}");
        }
        assert_eq!(member("", "x"), None);
        let many = ["x=:YQ==:"; limits::http::MEMBERS + 1].join(", ");
        assert_eq!(member(&many, "x"), None, "more members than are looked at");
    }

    #[test]
    fn rfc_4648_10_base64_is_decoded() {
        assert_eq!(decode::<6>("Zm9vYmFy"), Some(*b"foobar"));
        assert_eq!(decode::<5>("Zm9vYmE="), Some(*b"fooba"));
        assert_eq!(decode::<4>("Zm9vYg=="), Some(*b"foob"));
        assert_eq!(decode::<4>("Zm9vYg"), Some(*b"foob"), "padding may be missing");
        for wrong in ["Zm9vYg===", "Zm9v", "Zm9vY=g=", "Zm9v-_==", "Zm9vYmFy"] {
            assert_eq!(decode::<4>(wrong), None, "{wrong}");
        }
    }
}
