//! Numbers as text without the machinery of `fmt`, which was a seventh of a warm answer's own work.

/// Writes a number in decimal.
pub fn decimal(into: &mut String, number: u64) {
    let (mut digits, mut from, mut left) = ([0; LONGEST], LONGEST, number);
    loop {
        from -= 1;
        digits[from] = DIGITS[usize::from((left % 10) as u8)];
        left /= 10;
        if left == 0 {
            return into.push_str(core::str::from_utf8(&digits[from..]).unwrap_or_default());
        }
    }
}

/// Writes a number in hexadecimal, lower case, with at least eight digits.
pub fn hexadecimal(into: &mut String, number: u64) {
    let (mut digits, mut from, mut left) = ([0; LONGEST], LONGEST, number);
    while left > 0 || LONGEST - from < 8 {
        from -= 1;
        digits[from] = DIGITS[usize::from((left % 16) as u8)];
        left /= 16;
    }
    into.push_str(core::str::from_utf8(&digits[from..]).unwrap_or_default());
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

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
            hexadecimal(&mut hex, number);
            assert_eq!((text, hex), (format!("{number}"), format!("{number:08x}")));
        }
    }
}
