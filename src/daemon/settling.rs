//! The one timer of standby: it lets the reactor forget those that were dropped.

use core::time::Duration;

use smol::{Timer, future};

use super::setting::Setting;

/// Whether the node is in standby, and the reactor has taken note of that.
#[derive(Default)]
pub struct Settling(Setting<bool>);

impl Settling {
    /// The node goes to standby, or wakes.
    pub fn rest(&self, resting: bool) {
        self.0.set(resting);
    }

    /// Fires one timer in each standby, when all goodbyes are said, for ever. A timer that is
    /// dropped stays armed in the kernel until the reactor turns again (async-io 2.6), and would
    /// wake the box for nothing a minute later.
    pub async fn work(&self) {
        loop {
            self.0.after(false).await;
            let woken = async {
                self.0.after(true).await;
            };
            let settled = async {
                Timer::after(SETTLED).await;
            };
            future::or(woken, settled).await;
            self.0.after(true).await;
        }
    }
}

/// Links end within one second, the search in the home within half a one.
const SETTLED: Duration = Duration::from_secs(2);
