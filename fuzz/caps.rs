//! What is done with fuzzed text about caps: the page of the notebook, and hours of the week.

use neap::base::time::{Date, Instant};
use neap::config::caps::Caps;
use neap::config::hours;
use neap::engine::caps::governor::Governor;

/// The page that outlives a start: what of it makes sense is noted as it was read.
pub(crate) fn caps_page(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let (date, now) = (Some(Date(1_800_000_000)), Instant::from_micros(5_000_000));
    let restored = |text: &str| {
        let mut governor = Governor::new(Caps::default(), now);
        let is_good = governor.restore(text, date, now);
        let told = governor.account(now);
        assert!(told.iter().all(|line| !line.name.is_empty()));
        while governor.warning(now).is_some() {}
        (governor.to_page(date, now), is_good)
    };
    let (page, _) = restored(text);
    assert_eq!(restored(&page), (page.clone(), true), "of {text:?}");
}

/// Hours of the week, one window a line: what is read is shown so, and holds on its days.
pub(crate) fn schedule(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    for line in text.lines() {
        let Ok(window) = hours::window(line) else { continue };
        assert_eq!(hours::window(&window.to_string()), Ok(window.clone()), "{line:?}");
        let held = (0..7).flat_map(|day| (0..1440).map(move |minute| (day, minute)));
        assert!(held.into_iter().any(|(day, minute)| window.holds(day, minute)), "{line:?}");
    }
}
