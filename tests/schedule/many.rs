//! Many wants at once: what a poll looks at does not grow with what is wanted besides.

use std::time::Duration;

use neap::base::peer::{PeerId, Role, Tier};
use neap::base::rng::Rng;
use neap::base::segment::{BlockSet, SegmentId, resource};
use neap::engine::schedule::scheduler::{Arrival, Scheduler};
use neap::engine::schedule::want::{Have, Link, Step};

use super::script::{at, key, want};

/// A thousand segments that 24 peers have: all of them come, each block is asked for once, and the
/// nearest deadline is served first.
#[test]
fn a_thousand_wants_are_served_in_order() {
    let mut scheduler = Scheduler::new(Rng::new(7), key("own"), Role::Device);
    let id = |number| SegmentId { resource: resource("tv", "/film.mp4"), number };
    let all = BlockSet::first(8);
    for peer in 0..24 {
        let link = Link { key: key(&peer.to_string()), tier: Tier::Home, role: Role::Device };
        scheduler.on_joined(PeerId(peer), link, at(0));
    }
    for number in 0..1000 {
        let deadline = at(60_000) + Duration::from_secs(1) * number;
        assert!(scheduler.want(id(number), want(deadline, all), at(0)));
        for peer in 0..24 {
            let coming = BlockSet::NONE;
            let have = Have { segment: id(number), here: all, coming, hops: 0 };
            scheduler.on_have(PeerId(peer), have, at(0));
        }
    }
    let (mut now, mut asked, mut order) = (0, Vec::new(), Vec::new());
    let mut total = 0;
    while !scheduler.is_empty() {
        while let Some(step) = scheduler.poll(at(now)) {
            match step {
                Step::Ask { peer, segment, blocks, .. } => {
                    total += blocks.len();
                    asked.extend(blocks.iter().map(|block| (peer, segment, block)));
                }
                other => panic!("not needed: {other:?}"),
            }
        }
        now += 10;
        for (peer, segment, block) in core::mem::take(&mut asked) {
            let arrival = Arrival { block, from: Some(peer), bytes: 65_536 };
            scheduler.on_block(segment, arrival, at(now));
            if block == 7 {
                order.push(segment.number);
            }
        }
        for number in order.iter().filter(|_| asked.is_empty()) {
            if scheduler.coming(id(*number), at(now)).0.is_empty() {
                scheduler.drop(id(*number), at(now));
            }
        }
        assert!(now < 60_000, "{} are left", scheduler.len());
    }
    assert_eq!(total, 8000, "each block is asked for once");
    let far = order.iter().zip(0_u32..).filter(|(number, place)| number.abs_diff(*place) > 100);
    assert!(far.count() < 50, "deadlines give the order");
    assert_eq!(scheduler.poll_timeout(), None, "nothing is left that wakes");
}
