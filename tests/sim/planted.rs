//! Worlds in which something is broken on purpose: each checker finds what is its own.

use std::time::Duration;

use neap::base::digest::Digest;
use neap::base::id::RowId;
use neap::base::peer::PeerId;
use neap::base::range::ByteRange;
use neap::base::segment::{BlockSet, SegmentId, resource};
use neap::node::peering::PeerOrder;
use neap::wire::message::Message;

use crate::checks::stalls;
use crate::world::library::{Access, ORIGIN, Thing};
use crate::world::stage::Stage;
use crate::world::turn::{Plant, World};

/// A small calm world with this in it.
fn broken(plant: Option<Plant>, memory: u64) -> World {
    let mut scene = Stage { devices: 2, ..Stage::default() }.scene().alone();
    scene.seats.iter_mut().for_each(|seat| seat.memory = memory);
    let mut world = World::new(scene);
    world.plant = plant;
    world.run();
    world
}

/// The checker of this name found something, and no other did.
#[track_caller]
fn finds(world: &World, checker: &str) {
    let breaches = world.checks.breaches();
    assert!(!breaches.is_empty(), "{checker} found nothing");
    let own = |breach: &String| breach.starts_with(checker);
    assert!(breaches.iter().all(own), "{checker} alone is to find it: {breaches:#?}");
}

#[test]
fn a_calm_world_breaks_no_rule() {
    let world = broken(None, 64 << 20);
    assert_eq!(world.checks.breaches(), [""; 0]);
    assert!(world.sessions.iter().all(|session| session.stalls == 0 && session.segments > 15));
}

#[test]
fn wrong_bytes_are_found() {
    finds(&broken(Some(Plant::WrongBytes), 64 << 20), "verified");
}

#[test]
fn a_second_answer_is_found() {
    finds(&broken(Some(Plant::AnswerTwice), 64 << 20), "answers");
}

#[test]
fn an_answer_that_never_comes_is_found() {
    finds(&broken(Some(Plant::AnswerNever), 64 << 20), "answers");
}

#[test]
fn bytes_beyond_the_bound_are_found() {
    finds(&broken(Some(Plant::Hoard), 6 << 20), "bounds");
}

#[test]
fn a_wrong_block_in_a_row_is_found() {
    let mut world = broken(None, 64 << 20);
    let row = RowId(77);
    let place = PeerOrder::Place { row, range: ByteRange::new(0, 65_536) };
    world.on_peer_order(1, place);
    finds(&world, "machine");
}

#[test]
fn words_about_what_is_private_are_found() {
    for (thing, access, telling, found) in [
        (Thing::Playlist { show: 0, rendition: 0 }, Access::Open, false, true),
        (Thing::Key { show: 0 }, Access::Open, false, true),
        (Thing::Init { show: 0, rendition: 0 }, Access::Open, true, false),
        (Thing::Init { show: 0, rendition: 0 }, Access::Private, true, true),
        (Thing::Init { show: 0, rendition: 0 }, Access::Private, false, false),
        (Thing::Media { show: 7, rendition: 0, number: 1 }, Access::Open, false, true),
    ] {
        let mut world = broken(None, 64 << 20);
        world.library.shows[0].access = access;
        let segment = SegmentId { resource: resource(ORIGIN, &thing.path()), number: 0 };
        let none = BlockSet::NONE;
        let message = if telling {
            Message::Have { segment, here: BlockSet::one(0), coming: none, hops: 0 }
        } else {
            Message::Seek { segment, topic: Digest::of(b"topic") }
        };
        world.on_peer_order(1, PeerOrder::Tell { peer: PeerId(1), message });
        if found {
            finds(&world, "privacy");
        } else {
            assert_eq!(world.checks.breaches(), [""; 0], "{thing:?} {access:?}");
        }
    }
}

#[test]
fn who_asks_a_liar_again_is_found() {
    let mut world = broken(None, 64 << 20);
    let key = world.nodes[2].key;
    let segment = SegmentId { resource: Digest::of(b"any"), number: 0 };
    world.checks.bans.bad_block(1, key);
    assert_eq!(world.checks.breaches(), [""; 0]);
    world.checks.bans.asked((1, key), segment, BlockSet::one(0));
    finds(&world, "bans");
}

#[test]
fn a_fourth_bad_block_is_found() {
    let mut world = broken(None, 64 << 20);
    let key = world.nodes[2].key;
    (0..3).for_each(|_| world.checks.bans.bad_block(1, key));
    assert_eq!(world.checks.breaches(), [""; 0]);
    world.checks.bans.bad_block(1, key);
    finds(&world, "bans");
}

#[test]
fn stalls_that_only_one_world_has_are_found() {
    let good = broken(None, 64 << 20);
    let mut scene = Stage { devices: 2, ..Stage::default() }.scene().alone();
    scene.origin.rate = Some(3_000_000);
    let mut slow = World::new(scene);
    slow.run();
    assert!(!stalls::worse(&slow, &good).is_empty());
    assert_eq!(stalls::worse(&good, &slow), [""; 0]);
    let mut scene = Stage { devices: 2, ..Stage::default() }.scene().alone();
    scene.origin.delay = Duration::from_secs(2);
    let mut late = World::new(scene);
    late.run();
    assert!(!stalls::worse(&late, &good).is_empty());
}
