//! How long who failed is left alone.

use core::time::Duration;

use crate::base::limits;

/// The wait after the `times`-th failure in a row: doubled each time.
pub(super) fn back_off(times: u32) -> Duration {
    (FIRST_REST * 2_u32.saturating_pow(times.min(8))).min(limits::swarm::REST)
}

const FIRST_REST: Duration = Duration::from_millis(500);
