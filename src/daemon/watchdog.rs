//! The service manager's watchdog: fed by the loop that serves players, and put to rest with it.

use core::time::Duration;

use smol::{Timer, future};

use super::setting::Setting;
use crate::host::notify;

/// The watchdog, where the service manager wants one to be fed.
#[derive(Default)]
pub struct Watchdog(Setting<bool>);

impl Watchdog {
    /// Lets it rest or watch again. While the node is in standby, feeding it would be the one
    /// wake-up that is left, so the service manager is told to expect none.
    pub fn rest(&self, resting: bool) {
        self.0.set(resting);
    }

    /// Feeds it at this interval, for ever.
    pub async fn feed(&self, interval: Duration) {
        loop {
            let late = async {
                Timer::after(interval).await;
                false
            };
            if !future::or(self.0.after(false), late).await {
                notify::alive();
                continue;
            }
            notify::watch(None);
            self.0.after(true).await;
            notify::watch(Some(interval * 2));
        }
    }
}
