//! Which rates hold by now: as configured, by the hour, by the way into the network, and as far as
//! heat, power and battery leave them.

use super::bandwidth::Rates;
use super::cause::Cause;
use super::governor::Governor;
use super::level::WHOLE;
use crate::base::peer::Tier;
use crate::base::time::Instant;
use crate::base::units::Rate;
use crate::config::caps::{Policy, WanUpload, is_named};
use crate::config::hours::{Scheduled, Window};

impl Governor {
    /// What is done over the default route.
    pub(super) fn policy(&self) -> (Policy, &'static str) {
        let interfaces = &self.caps.interfaces;
        let Some(route) = &self.device.route else { return (Policy::Share, "") };
        let name = &route.interface;
        let metered = route.metered || is_named(&interfaces.metered_names, name);
        let vpn = route.vpn || is_named(&interfaces.vpn_names, name);
        let all = [
            (metered, interfaces.metered, "metered"),
            (vpn, interfaces.vpn, "a tunnel"),
            (route.roaming, interfaces.roaming, "roaming"),
        ];
        let held = all.into_iter().filter(|(is, ..)| *is).map(|(_, policy, why)| (policy, why));
        held.max_by_key(|(policy, _)| *policy).unwrap_or((Policy::Share, ""))
    }

    /// The rates that hold by now, there and back.
    pub(super) fn rates(&self, now: Instant) -> (Rates, Rates) {
        let rates = &self.caps.rates;
        let wan = match rates.upload_wan {
            WanUpload::Rate(rate) => Some(rate),
            WanUpload::Free => None,
            WanUpload::Auto => Some(self.uplink.quarter(now)),
        };
        let hours = |key, rate| self.scheduled(key, rate);
        let (policy, _) = self.policy();
        let far = |rate, is_off: bool| if is_off { Some(Rate(0)) } else { rate };
        let (no_up, no_down) = (policy != Policy::Share, policy == Policy::Off);
        let up = Rates {
            all: hours(Scheduled::Upload, rates.upload),
            tiers: [
                self.eased(Tier::Home, hours(Scheduled::UploadHome, rates.upload_home)),
                self.eased(Tier::Isp, far(hours(Scheduled::UploadIsp, rates.upload_isp), no_up)),
                self.eased(Tier::Wan, far(hours(Scheduled::UploadWan, wan), no_up)),
            ],
            each: rates.upload_peer,
        };
        let down = Rates {
            all: hours(Scheduled::Download, rates.download),
            tiers: [
                hours(Scheduled::DownloadHome, rates.download_home),
                far(hours(Scheduled::DownloadIsp, rates.download_isp), no_down),
                far(hours(Scheduled::DownloadWan, rates.download_wan), no_down),
            ],
            each: None,
        };
        (up, down)
    }

    /// Whether anything may be asked of peers in a tier at all.
    pub fn may_take(&self, tier: Tier) -> bool {
        self.down.rate(tier) != Some(Rate(0))
    }

    /// What the hours make of a rate; without a clock the smallest that any hour names.
    fn scheduled(&self, key: Scheduled, rate: Option<Rate>) -> Option<Rate> {
        let named = |window: &Window| {
            window.rates.iter().find(|(other, _)| *other == key).map(|(_, rate)| *rate)
        };
        let mut windows = self.caps.schedule.iter();
        match self.device.wall {
            Some(wall) => {
                let holding = windows.filter(|window| window.holds(wall.weekday, wall.minute));
                holding.filter_map(named).next().or(rate)
            }
            None => windows.by_ref().filter_map(named).chain(rate).min(),
        }
    }

    /// What a level leaves of a tier's upload: those far away go first.
    fn eased(&self, tier: Tier, rate: Option<Rate>) -> Option<Rate> {
        let level = self.level().0;
        let (from, to) = match tier {
            Tier::Home => (0, 300),
            Tier::Isp => (300, 600),
            Tier::Wan => (600, WHOLE),
        };
        let left = u64::from(level.clamp(from, to) - from) * 1000 / u64::from(to - from);
        match rate {
            _ if left == 0 => Some(Rate(0)),
            Some(rate) => Some(Rate(rate.0 / 1000 * left + rate.0 % 1000)),
            None => None,
        }
    }

    pub(super) fn rate_cause(&self, tier: Tier) -> Cause {
        if tier != Tier::Home && self.policy().0 != Policy::Share {
            Cause::Interface
        } else if self.level().0 < WHOLE {
            self.level().1
        } else {
            Cause::Upload
        }
    }
}
