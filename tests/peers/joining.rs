//! Who is let in, and each way not to be, as both sides learn it.

use std::rc::Rc;

use neap::base::peer::{NodeKey, Role, Tier};
use neap::base::segment::SegmentId;
use neap::base::time::Date;
use neap::net::peer::identity::Identity;
use neap::net::peer::settings::Settings;
use neap::node::peering::{Parting, PeerOrder, Peering, Stranger};
use neap::wire::membership::Admission;
use neap::wire::message::Message;

use crate::node::{Ground, Node, PASSED, TODAY, linked, over_each, settings, wait};

/// What both sides say when `near` dials `far`.
async fn refused(near: &Node, far: &Node) -> (Parting, Parting) {
    near.dial(far.address, None);
    let outcome = (near.failed().await, far.failed().await);
    assert_eq!((near.port.links(), far.port.links()), (0, 0));
    outcome
}

/// The far side denies it, the near one learns why.
#[track_caller]
fn told(outcome: &(Parting, Parting), why: Stranger) {
    assert_eq!(*outcome, (Parting::Refused(why), Parting::Stranger(why)));
}

fn admitted(by: &Identity, node: NodeKey, days: i64) -> Option<Admission> {
    Some(by.admit(node, Date(TODAY.0 + days * 86_400)))
}

/// A network whose members are admitted by `operator`.
fn by_admission(operator: &Identity) -> Settings {
    Settings { secret: None, operators: vec![operator.key], ..settings() }
}

/// A state folder with a key in it that goes with the value.
struct Home(std::path::PathBuf, NodeKey);

impl Home {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("neap-peer-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let key = Identity::open(&folder).expect("a key").key;
        Self(folder, key)
    }

    fn settings(&self, settings: Settings) -> Settings {
        Settings { state: Some(self.0.clone()), ..settings }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn members_are_linked_and_hear_each_other() {
    over_each(async |ground: &Ground| {
        let (near, to_far, far, to_near) = linked(ground).await;
        let told = near.until("a link", |event| match event {
            Peering::Joined { key, role, tier, dialled, .. } => {
                Some((*key, *role, *tier, *dialled))
            }
            _ => None,
        });
        let expected = (far.port.key(), Role::Device, ground.tier(), Some(far.address));
        assert_eq!(told.await, expected);
        let segment = SegmentId { resource: neap::base::digest::Digest::of(b"r"), number: 1 };
        for (from, to, peer) in [(&near, &far, to_far), (&far, &near, to_near)] {
            let message = Message::Done { segment };
            from.port.order(PeerOrder::Tell { peer, message: message.clone() });
            let said = to.until("a message", |event| match event {
                Peering::Said { message, .. } => Some(message.clone()),
                _ => None,
            });
            assert_eq!(said.await, message);
        }
    });
}

#[test]
fn a_hangup_is_told_once_to_each_side_with_its_reason() {
    over_each(async |ground: &Ground| {
        let (near, to_far, far, _) = linked(ground).await;
        near.port.order(PeerOrder::Hangup { peer: to_far, why: Parting::Double });
        assert_eq!(near.gone().await, Parting::Double);
        assert_eq!(far.gone().await, Parting::Double);
        near.port.order(PeerOrder::Hangup { peer: to_far, why: Parting::Crowd });
        near.port.order(PeerOrder::Tell { peer: to_far, message: Message::Choke });
        let gone = |node: &Node| node.count(|event| matches!(event, Peering::Gone { .. }));
        assert_eq!((gone(&near), gone(&far)), (1, 1));
        let (third, _, fourth, _) = linked(ground).await;
        fourth.port.stop();
        assert_eq!(third.gone().await, Parting::Closing);
    });
}

#[test]
fn a_machine_may_hang_up_at_once() {
    over_each(async |ground: &Ground| {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        far.answer(|event| match event {
            Peering::Joined { peer, .. } => {
                vec![PeerOrder::Hangup { peer: *peer, why: Parting::Crowd }]
            }
            _ => Vec::new(),
        });
        near.dial(far.address, None);
        assert_eq!(near.gone().await, Parting::Crowd);
        assert_eq!(far.gone().await, Parting::Crowd);
    });
}

#[test]
fn another_network_is_a_stranger() {
    over_each(async |ground: &Ground| {
        let near = ground.node(Settings { name: "hotel".into(), ..settings() });
        let far = ground.node(settings());
        told(&refused(&near, &far).await, Stranger::OtherNetwork);
    });
}

#[test]
fn a_wrong_or_missing_secret_is_a_stranger() {
    over_each(async |ground: &Ground| {
        let operator = Identity::passing().expect("a key");
        for wrong in [
            Settings { secret: Some(b"another secret!!".to_vec()), ..settings() },
            Settings { secret: None, operators: vec![operator.key], ..settings() },
        ] {
            let (near, far) = (ground.node(wrong), ground.node(settings()));
            told(&refused(&near, &far).await, Stranger::WrongSecret);
        }
    });
}

#[test]
fn the_listener_proves_itself_as_well() {
    over_each(async |ground: &Ground| {
        // It lets everybody of the name in by admission, and does not know our secret.
        let (operator, home) = (Identity::passing().expect("a key"), Home::new("listener"));
        let admission = admitted(&operator, home.1, 1);
        let near = ground.node(home.settings(Settings { admission, ..settings() }));
        let far = ground.node(by_admission(&operator));
        near.dial(far.address, None);
        assert_eq!(near.failed().await, Parting::Stranger(Stranger::WrongSecret));
        assert_eq!(far.failed().await, Parting::Refused(Stranger::WrongSecret));
    });
}

#[test]
fn an_admission_opens_until_it_is_over() {
    over_each(async |ground: &Ground| {
        let operator = Identity::passing().expect("a key");
        let (near, far) = (Home::new("near"), Home::new("far"));
        let node = |home: &Home, days| {
            let admission = admitted(&operator, home.1, days);
            ground.node(home.settings(Settings { admission, ..by_admission(&operator) }))
        };
        let (a, b) = (node(&near, 1), node(&far, 365));
        a.dial(b.address, Some(far.1));
        assert_eq!((a.joined().await.1, b.joined().await.1), (far.1, near.1));
        let (c, d) = (node(&near, 0), node(&far, 365));
        told(&refused(&c, &d).await, Stranger::ExpiredAdmission);
    });
}

#[test]
fn a_missing_borrowed_or_made_up_admission_is_a_stranger() {
    over_each(async |ground: &Ground| {
        let operator = Identity::passing().expect("a key");
        let (other, home) = (Identity::passing().expect("a key"), Home::new("borrowed"));
        for (admission, why) in [
            (None, Stranger::NoAdmission),
            (admitted(&operator, other.key, 9), Stranger::ForgedAdmission),
            (admitted(&other, home.1, 9), Stranger::ForgedAdmission),
        ] {
            let near = Settings { admission, ..by_admission(&operator) };
            let near = ground.node(home.settings(near));
            let far = ground.node(by_admission(&operator));
            told(&refused(&near, &far).await, why);
        }
    });
}

#[test]
fn the_node_that_answers_must_be_the_one_that_was_meant() {
    over_each(async |ground: &Ground| {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        near.dial(far.address, Some(NodeKey([7; 32])));
        assert_eq!(near.failed().await, Parting::OtherKey);
        let own = ground.node(settings());
        own.dial(own.address, None);
        assert_eq!(own.failed().await, Parting::Own);
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let closed = nobody.local_addr().expect("bound");
        drop(nobody);
        let lonely = ground.node(settings());
        lonely.dial(closed, None);
        assert_eq!(lonely.failed().await, Parting::Unreachable);
    });
}

#[test]
fn a_witness_is_one_where_its_key_is_known() {
    over_each(async |ground: &Ground| {
        let witness = || Settings { role: Role::Witness, ..settings() };
        let role = |event: &Peering| match event {
            Peering::Joined { role, .. } => Some(*role),
            _ => None,
        };
        let (near, far) = (ground.node(witness()), ground.node(settings()));
        near.dial(far.address, None);
        assert_eq!(far.until("a link", role).await, Role::Device);
        let near = ground.node(witness());
        let far = ground.node(Settings { witnesses: vec![near.port.key()], ..settings() });
        near.dial(far.address, None);
        assert_eq!(far.until("a link", role).await, Role::Witness);
    });
}

#[test]
fn without_a_network_no_door_is_open() {
    over_each(async |ground: &Ground| {
        for closed in [
            Settings { name: String::new(), ..settings() },
            Settings { secret: None, ..settings() },
        ] {
            let node = ground.node(closed);
            assert!(node.port.listen().expect("nothing to bind").is_empty());
            let far = ground.node(settings());
            node.dial(far.address, None);
            assert_eq!(node.failed().await, Parting::Closing);
        }
    });
}

#[test]
fn a_reused_port_ends_with_its_links() {
    over_each(async |ground: &Ground| {
        let (near, _, far, _) = linked(ground).await;
        let port = Rc::downgrade(&far.port);
        drop(far);
        near.gone().await;
        wait("the port is let go", || (port.strong_count() <= 1).then_some(())).await;
    });
}

#[test]
fn who_is_named_by_a_stranger_and_lies_beside_this_node_is_not_dialled() {
    over_each(async |ground: &Ground| {
        let (near, far) = (ground.node(settings()), ground.node(settings()));
        let (address, key, tier) = (far.address, None, Tier::Wan);
        near.port.order(PeerOrder::Dial { address, key, tier, strange: true });
        assert_eq!(near.failed().await, Parting::Unreachable);
        assert_eq!((near.port.links(), far.port.links()), (0, 0));
    });
}

#[test]
fn a_link_ends_when_an_admission_is_over() {
    over_each(async |ground: &Ground| {
        let operator = Identity::passing().expect("a key");
        let homes = [Home::new("ends-near"), Home::new("ends-far")];
        // The far one's holds for longer.
        let [near, far] = [(&homes[0], 1), (&homes[1], 9)].map(|(home, days)| {
            let admission = admitted(&operator, home.1, days);
            ground.node(home.settings(Settings { admission, ..by_admission(&operator) }))
        });
        near.dial(far.address, None);
        let (_, (peer, _)) = (near.joined().await, far.joined().await);
        PASSED.set(2 * 86_400);
        let segment = SegmentId { resource: neap::base::digest::Digest::of(b"r"), number: 1 };
        let seek = Message::Seek { segment, topic: neap::base::digest::Digest::of(b"t") };
        far.port.order(PeerOrder::Tell { peer, message: seek });
        assert_eq!(far.gone().await, Parting::Stranger(Stranger::ExpiredAdmission));
        assert_eq!(near.gone().await, Parting::Closed);
        PASSED.set(0);
    });
}
