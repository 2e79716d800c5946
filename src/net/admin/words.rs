//! Figures as people say them, the same on the page and in the terminal.

/// Bytes with a binary unit: `31.5 MiB`, `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    scaled(bytes, 1024, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Bytes a second as what a player calls bandwidth: `8.2 Mbit/s`.
pub fn rate(bytes: u64) -> String {
    bitrate(bytes.saturating_mul(8))
}

/// Bits a second: `8.2 Mbit/s`.
pub fn bitrate(bits: u64) -> String {
    scaled(bits, 1000, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s"])
}

/// A stretch of time by its largest unit, two while that tells more: `45 s`, `3 min`, `5 h 20 min`.
pub fn time(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => pair(hours, "h", minutes % 60, "min"),
        _ => pair(days, if days == 1 { "day" } else { "days" }, hours % 24, "h"),
    }
}

/// How long ago: `now`, `3 min ago`.
pub fn ago(seconds: u64) -> String {
    if seconds < 2 { "now".into() } else { format!("{} ago", time(seconds)) }
}

/// Thousandths as a percentage; never 100 while something is missing.
pub fn share(permille: u16) -> String {
    let nearest = permille.saturating_add(5) / 10;
    format!("{} %", if permille < 1000 { nearest.min(99) } else { nearest })
}

/// A number with its thousands apart: `12 345`, by narrow no-break spaces.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A name in a table (`partial_hits`) as words (`Partial hits`).
pub fn title(name: &str) -> String {
    let text = name.replace('_', " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn pair(large: u64, unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    }
}

/// One decimal below a hundred, none above.
fn scaled(value: u64, step: u64, units: &[&str]) -> String {
    let (mut unit, mut divisor) = (0, 1_u64);
    while unit + 1 < units.len() && value / divisor >= step {
        unit += 1;
        divisor = divisor.saturating_mul(step);
    }
    let tenths = u128::from(value) * 10 / u128::from(divisor);
    if unit == 0 || tenths >= 1000 || tenths % 10 == 0 {
        format!("{} {}", tenths / 10, units[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(48 << 20), "48 MiB");
        assert_eq!(size(u64::MAX), "16777215 TiB");
        assert_eq!(rate(1_025_000), "8.2 Mbit/s");
        assert_eq!(bitrate(999), "999 bit/s");
        assert_eq!(time(59), "59 s");
        assert_eq!(time(3599), "59 min");
        assert_eq!(time(19_200), "5 h 20 min");
        assert_eq!(time(86_400), "1 day");
        assert_eq!(time(266_400), "3 days 2 h");
        assert_eq!(ago(1), "now");
        assert_eq!(ago(61), "1 min ago");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(12), "12");
        assert_eq!(title("partial_hits"), "Partial hits");
    }

    #[test]
    fn a_share_is_whole_only_when_it_is() {
        for (permille, words) in [(0, "0 %"), (4, "0 %"), (935, "94 %"), (999, "99 %")] {
            assert_eq!(share(permille), words);
        }
        assert_eq!(share(1000), "100 %");
    }
}
