//! Variables of an HLS playlist (RFC 8216bis, 4.3), as far as it says itself what they stand for.

use std::borrow::Cow;

use crate::base::limits;

/// What `EXT-X-DEFINE` names and gives a value. What a playlist takes from the one above it, or
/// from its own query, the player alone knows.
#[derive(Debug, Default)]
pub(super) struct Variables(Vec<(String, String)>);

impl Variables {
    /// Notes a variable; its value may hold others.
    pub(super) fn define(&mut self, name: &str, value: &str) {
        if self.0.len() < limits::stream::VARIABLES && value.len() <= limits::http::TARGET {
            let value = self.expand(value).into_owned();
            self.0.push((name.into(), value));
        }
    }

    /// The text with what its variables stand for; one that is not known stays as it is, and so
    /// does all of a text that would be longer than any URL.
    pub(super) fn expand<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() || !text.contains("{$") {
            return Cow::Borrowed(text);
        }
        let mut parts = text.split("{$");
        let mut out = String::from(parts.next().unwrap_or_default());
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or(("", part));
            let known = self.0.iter().find(|(known, _)| known == name);
            let (value, rest) = known.map_or(("{$", part), |(_, value)| (value, rest));
            out.push_str(value);
            out.push_str(rest);
            if out.len() > limits::http::TARGET {
                return Cow::Borrowed(text);
            }
        }
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_defined_is_put_in_and_the_rest_stays() {
        let mut variables = Variables::default();
        assert_eq!(variables.expand("{$a}/x"), "{$a}/x");
        variables.define("a", "/live");
        variables.define("b", "{$a}/ch1");
        for (text, meant) in [
            ("{$a}/x{$b}", "/live/x/live/ch1"),
            ("x{$c}{$a}", "x{$c}/live"),
            ("{$a", "{$a"),
            ("{$}{$a}", "{$}/live"),
            ("plain", "plain"),
        ] {
            assert_eq!(variables.expand(text), meant, "{text}");
        }
    }

    #[test]
    fn variables_of_variables_take_bounded_room() {
        let mut variables = Variables::default();
        variables.define("0", "0123456789");
        for number in 1..1000 {
            variables.define(&number.to_string(), &format!("{{${0}}}{{${0}}}", number - 1));
        }
        let bytes: usize = variables.0.iter().map(|(_, value)| value.len()).sum();
        let bound = limits::stream::VARIABLES * limits::http::TARGET;
        assert!(variables.0.len() == limits::stream::VARIABLES && bytes <= bound);
        let long = "{$9}".repeat(10_000);
        assert_eq!(variables.expand(&long), long);
    }
}
