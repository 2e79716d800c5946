//! No cap is exceeded in any window: what a node gives and asks for stays below its rates.

use std::collections::BTreeMap;

use neap::base::peer::{PeerId, Tier};
use neap::base::time::Instant;
use neap::base::units::Rate;
use neap::config::caps::{Rates, WanUpload};
use neap::engine::caps::bandwidth::{burst, on_wire};

use super::all::Breaches;

#[derive(Default)]
pub struct Caps {
    pub breaches: Breaches,
    /// What is above the rate by now, by node, life and cap.
    above: BTreeMap<(usize, u32, Cap), (f64, Instant)>,
    /// Blocks that were counted under a cap.
    pub counted: u64,
}

/// One rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cap {
    Up(Tier),
    Down(Tier),
    AllUp,
    AllDown,
    Peer(PeerId),
}

/// Whose blocks they are.
#[derive(Clone, Copy)]
pub struct Whose {
    pub node: usize,
    pub life: u32,
    pub peer: PeerId,
    pub tier: Tier,
}

impl Caps {
    /// A node gives a block.
    pub fn given(&mut self, whose: Whose, bytes: u64, (rates, now): (&Rates, Instant)) {
        let tier = match (whose.tier, rates.upload_wan) {
            (Tier::Home, _) => rates.upload_home,
            (Tier::Isp, _) => rates.upload_isp,
            (Tier::Wan, WanUpload::Rate(rate)) => Some(rate),
            (Tier::Wan, WanUpload::Auto) => Some(Rate(2_000_000)),
            (Tier::Wan, WanUpload::Free) => None,
        };
        self.count((whose, Cap::AllUp), bytes, (rates.upload, now));
        self.count((whose, Cap::Up(whose.tier)), bytes, (tier, now));
        self.count((whose, Cap::Peer(whose.peer)), bytes, (rates.upload_peer, now));
    }

    /// A node asks for so many blocks.
    pub fn asked(&mut self, whose: Whose, bytes: u64, (rates, now): (&Rates, Instant)) {
        let tier = match whose.tier {
            Tier::Home => rates.download_home,
            Tier::Isp => rates.download_isp,
            Tier::Wan => rates.download_wan,
        };
        self.count((whose, Cap::AllDown), bytes, (rates.download, now));
        self.count((whose, Cap::Down(whose.tier)), bytes, (tier, now));
    }

    /// What no window may exceed is what a leaking vessel of the burst's size holds.
    fn count(
        &mut self,
        (whose, cap): (Whose, Cap),
        bytes: u64,
        (rate, now): (Option<Rate>, Instant),
    ) {
        let Some(rate) = rate else { return };
        self.counted += 1;
        let bytes = on_wire(bytes) as f64;
        let (above, at) = self.above.entry((whose.node, whose.life, cap)).or_insert((0.0, now));
        *above = (*above - (now - *at).as_secs_f64() * rate.0 as f64 / 8.0).max(0.0) + bytes;
        *at = now;
        // One byte for each rounding.
        if *above > burst(rate) as f64 + 16.0 {
            let more = *above - burst(rate) as f64;
            self.breaches.add(format!("node {} is {more} bytes above {cap:?} {rate}", whose.node));
        }
    }
}
