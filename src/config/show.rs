//! Values as TOML writes them (TOML 1.0), on one line.

use core::fmt::{Display, Write};

/// A basic string: quotes, backslashes and control characters are escaped.
pub fn text(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                write!(out, "\\u{:04X}", u32::from(c)).expect("a String takes all");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An array of strings.
pub fn list<T: Display>(values: &[T]) -> String {
    let values: Vec<_> = values.iter().map(|value| text(&value.to_string())).collect();
    format!("[{}]", values.join(", "))
}

/// An inline table of strings.
pub fn table(pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return "{}".into();
    }
    let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{} = {}", text(k), text(v))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A value or, where there is none, the empty string.
pub fn maybe<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| text(""), |value| text(&value.to_string()))
}

/// Whether a field's value is a secret that pages, logs and listings leave out.
pub fn secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|word| name.contains(word))
}

/// Parts of field names whose values give access: `Authorization`, `Cookie`, `X-Api-Key`.
const SECRETS: [&str; 8] =
    ["authorization", "cookie", "token", "key", "secret", "password", "credential", "signature"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for value in ["", "plain", "a\"b\\c", "tab\tline\nend\r\u{7f}\u{85}", "ä😀"] {
            let toml = format!("v = {}", text(value));
            let read = toml::from_str::<std::collections::BTreeMap<String, String>>(&toml);
            assert_eq!(read.expect("valid TOML")["v"], value);
        }
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in ["Authorization", "proxy-authorization", "Cookie", "X-Api-Key", "x-TOKEN"] {
            assert!(secret(name), "{name}");
        }
        assert!(!secret("User-Agent"));
    }
}
