//! What outlives a start: volumes, writes, energy and what the uplink carries, as the page `Caps`
//! of the notebook.

use core::fmt::Write;
use core::time::Duration;

use super::governor::Governor;
use super::quota::{Left, Quota, away};
use crate::base::time::{Date, Instant};

impl Governor {
    /// What was used, as text; `date` is now, where the clock is set.
    pub fn to_page(&self, date: Option<Date>, now: Instant) -> String {
        let mut text = format!("{HEAD}\n");
        if let Some(Date(seconds)) = date {
            let _ = writeln!(text, "date {seconds}");
        }
        if let Some(words) = self.uplink.to_words(now) {
            let _ = writeln!(text, "uplink {words}");
        }
        for (name, quota) in [
            ("sent", &self.sent),
            ("received", &self.received),
            ("written", &self.written),
            ("energy", self.energy.day()),
        ] {
            let _ = writeln!(text, "{name} {}", quota.to_line(now));
        }
        text
    }

    /// Adds what an earlier run has noted. False when the text makes no sense: what of it does is
    /// taken in all the same, and the rest begins anew.
    pub fn restore(&mut self, text: &str, date: Option<Date>, now: Instant) -> bool {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return false;
        }
        let (mut noted, mut good, mut known) = (None, true, 0);
        for line in lines {
            let Some((name, rest)) = line.split_once(' ') else {
                good = false;
                continue;
            };
            let passed = away(noted, date).unwrap_or(Duration::ZERO);
            let quota: Option<&mut Quota> = match name {
                "date" => {
                    noted = rest.parse().ok().map(Date);
                    good &= noted.is_some();
                    continue;
                }
                "sent" => Some(&mut self.sent),
                "received" => Some(&mut self.received),
                "written" => Some(&mut self.written),
                "energy" => Some(self.energy.day_mut()),
                "uplink" => {
                    good &= self.uplink.restore(rest, passed, now).is_some();
                    continue;
                }
                // A later version may note more.
                _ => None,
            };
            if let Some(quota) = quota {
                good &= quota.restore(rest, passed, now).is_some();
                known += 1;
            }
        }
        self.apply(now);
        good && known == 4
    }

    /// What is nearly used up and was not warned of yet, in words.
    pub fn warning(&mut self, now: Instant) -> Option<&'static str> {
        let words = [
            (&self.sent, "four fifths of the volume to nodes outside the home are used"),
            (&self.received, "four fifths of the volume from nodes outside the home are used"),
            (&self.written, "four fifths of today's writes to flash are used"),
        ];
        for (warned, (quota, words)) in self.warned.iter_mut().zip(words) {
            let none = quota.limits().0 == Some(0) || quota.limits().1 == Some(0);
            let little = !none && quota.left(now) != Left::Plenty;
            if core::mem::replace(warned, little) != little && little {
                return Some(words);
            }
        }
        None
    }
}

const HEAD: &str = "neap caps 1";
