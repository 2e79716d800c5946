//! Hours of the week at which other caps hold: `"mon-fri 08:00-18:00 upload-wan=0"`.

use core::fmt;

use crate::base::units::Rate;

/// Hours on some days, and the rates that hold then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Bit 0 is Monday.
    pub days: u8,
    /// Minutes since midnight at which it begins, and at which it ends; an end at or before the
    /// beginning lies on the next day.
    pub from: u16,
    /// See `from`; 1440 for midnight at the end of the day.
    pub to: u16,
    /// What holds in these hours.
    pub rates: Vec<(Scheduled, Rate)>,
}

/// A rate that hours may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheduled {
    /// `upload`
    Upload,
    /// `upload-home`
    UploadHome,
    /// `upload-isp`
    UploadIsp,
    /// `upload-wan`
    UploadWan,
    /// `download`
    Download,
    /// `download-home`
    DownloadHome,
    /// `download-isp`
    DownloadIsp,
    /// `download-wan`
    DownloadWan,
}

impl Scheduled {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Upload, "upload"),
        (Self::UploadHome, "upload-home"),
        (Self::UploadIsp, "upload-isp"),
        (Self::UploadWan, "upload-wan"),
        (Self::Download, "download"),
        (Self::DownloadHome, "download-home"),
        (Self::DownloadIsp, "download-isp"),
        (Self::DownloadWan, "download-wan"),
    ];

    /// The key's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(key, _)| *key == self).map_or("", |(_, name)| name)
    }
}

impl Window {
    /// Whether it holds at a minute of a weekday, 0 for Monday.
    pub fn holds(&self, weekday: u8, minute: u16) -> bool {
        let on = |day: u8| self.days & (1 << (day % 7)) != 0;
        if self.from < self.to {
            return on(weekday) && (self.from..self.to).contains(&minute);
        }
        (on(weekday) && minute >= self.from) || (on(weekday + 6) && minute < self.to)
    }
}

/// Reads a window.
pub fn window(text: &str) -> Result<Window, &'static str> {
    parse(text).ok_or(
        "days, hours and rates, such as \"mon-fri 08:00-18:00 upload-wan=0\" or \"daily \
         22:00-06:00 upload=20Mbit/s\"",
    )
}

fn parse(text: &str) -> Option<Window> {
    let mut words = text.split_ascii_whitespace();
    let days = days(words.next()?)?;
    let (from, to) = words.next()?.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    let mut rates: Vec<(Scheduled, Rate)> = Vec::new();
    for word in words {
        let (name, rate) = word.split_once('=')?;
        let key = Scheduled::ALL.iter().find(|(_, known)| *known == name)?.0;
        if rates.iter().any(|(other, _)| *other == key) {
            return None;
        }
        rates.push((key, rate.parse().ok()?));
    }
    let fits = from < 1440 && !rates.is_empty();
    fits.then_some(Window { days, from, to, rates })
}

fn days(text: &str) -> Option<u8> {
    if text == "daily" {
        return Some(0x7f);
    }
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let mut bits = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        bits |= 1 << at;
        while at != last {
            at = (at + 1) % 7;
            bits |= 1 << at;
        }
    }
    Some(bits)
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    let value = digits(hour).then(|| hour.parse::<u16>().ok())?? * 60;
    let minute = digits(minute).then(|| minute.parse::<u16>().ok())??;
    (minute < 60 && value + minute <= 1440).then_some(value + minute)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days == 0x7f {
            f.write_str("daily")?;
        } else {
            let named = (0..7).filter(|day| self.days & (1 << day) != 0).map(|day| DAYS[day]);
            f.write_str(&named.collect::<Vec<_>>().join(","))?;
        }
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, " {}-{}", clock(self.from), clock(self.to))?;
        for (key, rate) in &self.rates {
            write!(f, " {}={}", key.name(), rate.to_string().replace(' ', ""))?;
        }
        Ok(())
    }
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reads_as_it_is_shown() {
        for text in [
            "mon,tue,wed,thu,fri 08:00-18:00 upload-wan=0bit/s",
            "daily 22:00-06:00 upload=20Mbit/s download-wan=5Mbit/s",
            "sat,sun 00:00-24:00 upload-home=1Gbit/s",
        ] {
            assert_eq!(window(text).expect(text).to_string(), text);
        }
        assert_eq!(window("fri-mon 00:00-24:00 upload=0").expect("over the week").days, 0b111_0001);
        for text in [
            "",
            "mon",
            "mon 8:00-9:00 upload=0",
            "mon 08:00-18:00",
            "mon 08:00-25:00 upload=0",
            "mon 08:60-09:00 upload=0",
            "moon 08:00-09:00 upload=0",
            "mon 08:00-09:00 cpu=0",
            "mon 08:00-09:00 upload=2",
            "mon 24:00-09:00 upload=0",
            "mon 08:00-09:00 upload=0 upload=0",
        ] {
            assert!(window(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = window("fri 22:00-06:00 upload=0").expect("a window");
        assert!(night.holds(4, 22 * 60) && night.holds(5, 0) && night.holds(5, 359));
        assert!(!night.holds(4, 5 * 60) && !night.holds(5, 360) && !night.holds(5, 22 * 60));
        let sunday = window("sun 23:00-01:00 upload=0").expect("a window");
        assert!(sunday.holds(6, 1439) && sunday.holds(0, 59) && !sunday.holds(6, 30));
        let day = window("daily 00:00-24:00 upload=0").expect("a window");
        assert!((0..7).all(|weekday| day.holds(weekday, 0) && day.holds(weekday, 1439)));
    }
}
