//! Numbers as text without the machinery of `fmt`, which was a seventh of a warm answer's own work.

/// Writes a number in decimal.
pub fn decimal(into: &mut String, number: u64) {
    digits(into, number, (10, 1));
}

/// Writes a number in hexadecimal, lower case, with at least `least` digits.
pub fn hexadecimal(into: &mut String, number: u64, least: usize) {
    digits(into, number, (16, least));
}

fn digits(into: &mut String, number: u64, (base, least): (u64, usize)) {
    let (mut digits, mut from, mut left) = ([b'0'; LONGEST], LONGEST, number);
    while left > 0 {
        from -= 1;
        let digit = b"0123456789abcdef".get(usize::try_from(left % base).unwrap_or_default());
        digits[from] = digit.copied().unwrap_or_default();
        left /= base;
    }
    let from = from.min(LONGEST.saturating_sub(least));
    into.extend(digits[from..].iter().map(|digit| char::from(*digit)));
}

/// Digits of the largest number.
const LONGEST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_as_fmt_writes_them() {
        for number in [0, 1, 9, 10, 255, 65_536, 0xdead_beef, u64::MAX] {
            let (mut text, mut hex) = (String::new(), String::new());
            decimal(&mut text, number);
            hexadecimal(&mut hex, number, 8);
            assert_eq!((text, hex), (format!("{number}"), format!("{number:08x}")));
        }
    }
}
