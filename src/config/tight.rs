//! Caps that contradict each other, or leave nothing to share.

use crate::base::units::{Rate, Share, Size};

use super::caps::{Policy, Rates, WanUpload, is_named};
use super::model::Config;
use super::site::Site;

/// The key and what is odd about it.
pub(super) fn tight(config: &Config, site: &Site) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut note = |key, text: &str| found.push((key, text.to_owned()));
    let caps = &config.caps;
    let rates = &caps.rates;
    let stops = "so nothing is shared: sharing.enabled = false says it plainly";
    if caps.cpu == Some(Share(0)) {
        note("caps.cpu", &format!("no CPU time is left for other nodes, {stops}"));
    }
    if caps.power.is_some_and(|power| power <= caps.model.idle) {
        note("caps.power", "it is no more than caps.model-idle: by the model nothing is shared");
    }
    if rates.upload == Some(Rate(0)) && rates.download == Some(Rate(0)) {
        note("caps.upload", &format!("nothing goes to other nodes or comes from them, {stops}"));
    }
    for key in rates_above(rates) {
        note(key, "it is more than the cap on all nodes together, which holds");
    }
    let volume = &caps.volume;
    let more = |day: Option<Size>, month: Option<Size>| {
        day.zip(month).is_some_and(|(day, month)| day > month)
    };
    if more(volume.day_up, volume.month_up) {
        note("caps.day-upload-wan", "it is more than caps.month-upload-wan, which holds");
    }
    if more(volume.day_down, volume.month_down) {
        note("caps.day-download-wan", "it is more than caps.month-download-wan, which holds");
    }
    if caps.schedule.iter().any(|window| window.from == window.to) {
        note("caps.schedule", "hours that end where they begin are a whole day: write 00:00-24:00");
    }
    if caps.memory.is_some_and(|total| total.0 < config.cache.memory.0 + LEAST.0) {
        let text =
            format!("cache.memory, {}, does not fit into it beside {LEAST}", config.cache.memory);
        note("caps.memory", &format!("{text} for all else: the cache stays smaller"));
    }
    if config.cache.disk.0 > 0 && caps.flash_writes.is_some_and(|day| day.0.0 == 0) {
        note("caps.flash-writes", "nothing may be written, so cache.disk is of no use");
    }
    if caps.temperature.is_some_and(|limit| limit <= caps.hysteresis) {
        note("caps.hysteresis", "it reaches below freezing: nothing is ever shared in full");
    }
    let names = &caps.interfaces;
    if names.roaming > names.metered {
        let text = "only ModemManager tells of it: elsewhere caps.metered holds for mobile lines";
        note("caps.roaming", text);
    }
    for (key, list, policy) in [
        ("caps.metered-interfaces", &names.metered_names, names.metered),
        ("caps.vpn-interfaces", &names.vpn_names, names.vpn),
    ] {
        if !list.is_empty() && policy == Policy::Share {
            note(key, "it is not used: its policy is \"share\"");
        }
        for name in list {
            let known = |interface: &String| is_named(core::slice::from_ref(name), interface);
            if !site.interfaces.is_empty() && !site.interfaces.iter().any(known) {
                note(key, &format!("this machine has no interface {name} now"));
            }
        }
    }
    found
}

/// Tiers that may have more than all together.
fn rates_above(rates: &Rates) -> Vec<&'static str> {
    let wan = match rates.upload_wan {
        WanUpload::Rate(rate) => Some(rate),
        WanUpload::Auto | WanUpload::Free => None,
    };
    let all = [
        ("caps.upload-home", rates.upload_home, rates.upload),
        ("caps.upload-isp", rates.upload_isp, rates.upload),
        ("caps.upload-wan", wan, rates.upload),
        ("caps.download-home", rates.download_home, rates.download),
        ("caps.download-isp", rates.download_isp, rates.download),
        ("caps.download-wan", rates.download_wan, rates.download),
    ];
    let above = |tier: Option<Rate>, all: Option<Rate>| tier.zip(all).is_some_and(|(t, a)| t > a);
    all.into_iter().filter(|(_, tier, all)| above(*tier, *all)).map(|(key, ..)| key).collect()
}

/// What a process needs beside its cache (docs/performance.md).
const LEAST: Size = Size(12 << 20);

#[cfg(test)]
mod tests {
    use super::super::caps::Caps;
    use super::super::hours::window;
    use super::*;
    use crate::base::units::{PerDay, Power};

    fn keys(change: impl Fn(&mut Config)) -> Vec<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        let site = Site { interfaces: vec!["eth0".into(), "wg1".into()], ..Site::default() };
        tight(&config, &site).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn the_defaults_contradict_nothing() {
        assert_eq!(keys(|_| {}), [""; 0]);
        let usual = |caps: &mut Caps| {
            caps.power = Some(Power(1500));
            caps.memory = Some(Size(64 << 20));
            caps.interfaces.vpn_names = vec!["wg*".into()];
            caps.schedule = vec![window("daily 08:00-18:00 upload=0").expect("hours")];
        };
        assert_eq!(keys(|config| usual(&mut config.caps)), [""; 0]);
    }

    #[test]
    fn what_leaves_nothing_or_does_not_fit_is_pointed_out() {
        assert_eq!(keys(|c| c.caps.cpu = Some(Share(0))), ["caps.cpu"]);
        assert_eq!(keys(|c| c.caps.power = Some(Power(100))), ["caps.power"]);
        assert_eq!(keys(|c| c.caps.memory = Some(Size(24 << 20))), ["caps.memory"]);
        let rates = |c: &mut Config| {
            c.caps.rates.upload = Some(Rate(5));
            c.caps.rates.upload_home = Some(Rate(6));
        };
        assert_eq!(keys(rates), ["caps.upload-home"]);
        let day = |c: &mut Config| c.caps.volume.day_up = Some(Size(30_000_000_000));
        assert_eq!(keys(day), ["caps.day-upload-wan"]);
        let empty = |c: &mut Config| {
            c.caps.schedule = vec![window("mon 08:00-08:00 upload=0").expect("hours")];
        };
        assert_eq!(keys(empty), ["caps.schedule"]);
        let flash = |c: &mut Config| {
            c.cache.disk = Size(1 << 30);
            c.caps.flash_writes = Some(PerDay(Size(0)));
        };
        assert_eq!(keys(flash), ["caps.flash-writes"]);
        assert_eq!(keys(|c| c.caps.interfaces.roaming = Policy::Off), ["caps.roaming"]);
        let unknown = |c: &mut Config| c.caps.interfaces.metered_names = vec!["ppp0".into()];
        assert_eq!(keys(unknown), ["caps.metered-interfaces"]);
    }
}
