//! Those who connect and have proven nothing yet: so many at once, so many of one address, so many
//! in a time of one network. Nobody can hold a place against those behind the same address.

use core::net::IpAddr;

use smol::Task;

use super::budget::Budget;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::{Ground, Tier};
use crate::base::time::Instant;

/// Those who are being greeted.
#[derive(Default)]
pub struct Lobby {
    here: Map<u64, Guest>,
    last: u64,
    networks: Map<Ground, Budget>,
}

struct Guest {
    ip: IpAddr,
    since: Instant,
    /// Its greeting, which ends when it is dropped.
    task: Option<Task<()>>,
}

/// What is to be done with somebody who connects.
#[derive(Debug, PartialEq, Eq)]
pub enum Welcome {
    /// It is greeted under this number.
    Greet(u64),
    /// There is no place.
    Full,
    /// So many of its network came that it has to wait.
    TooMany,
}

impl Lobby {
    /// Somebody connects. Who has had its time makes way: at first behind the same address.
    pub fn admit(&mut self, ip: IpAddr, now: Instant) -> Welcome {
        let ip = ip.to_canonical();
        if !self.may_begin(ip, now) {
            return Welcome::TooMany;
        }
        let beside = self.here.values().filter(|guest| guest.ip == ip).count();
        let full = self.here.len() >= limits::link::HANDSHAKES;
        if beside >= limits::link::HANDSHAKES_EACH || full {
            let near = beside >= limits::link::HANDSHAKES_EACH;
            let slow = |guest: &Guest| {
                (!near || guest.ip == ip) && now - guest.since >= limits::link::GREETING_GRACE
            };
            let slowest = self.here.iter().filter(|(_, guest)| slow(guest));
            let slowest = slowest.min_by_key(|(_, guest)| guest.since).map(|(number, _)| *number);
            let Some(slowest) = slowest else { return Welcome::Full };
            self.here.remove(&slowest);
        }
        self.last += 1;
        self.here.insert(self.last, Guest { ip, since: now, task: None });
        Welcome::Greet(self.last)
    }

    /// The greeting has begun.
    pub fn begin(&mut self, number: u64, task: Task<()>) {
        match self.here.get_mut(&number) {
            Some(guest) => guest.task = Some(task),
            // It was over at once.
            None => task.detach(),
        }
    }

    /// The greeting is over, however it went.
    pub fn end(&mut self, number: u64) {
        if let Some(task) = self.here.remove(&number).and_then(|guest| guest.task) {
            task.detach();
        }
    }

    fn may_begin(&mut self, ip: IpAddr, now: Instant) -> bool {
        let ground = Ground::of(ip, Tier::Wan);
        if !self.networks.contains_key(&ground)
            && self.networks.len() >= limits::link::GREETING_NETWORKS
        {
            let oldest = self.networks.iter().min_by_key(|(_, budget)| budget.at());
            let oldest = oldest.map(|(ground, _)| *ground);
            oldest.map(|ground| self.networks.remove(&ground));
        }
        let budget = || Budget::new(limits::link::GREETINGS, now);
        self.networks.entry(ground).or_insert_with(budget).take(1, now)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(1_000_000 + ms * 1000)
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, last])
    }

    #[test]
    fn who_holds_a_place_makes_way_for_those_behind_the_same_address() {
        let mut guests = Lobby::default();
        for number in 1..=4 {
            assert_eq!(guests.admit(ip(1), at(0)), Welcome::Greet(number));
        }
        assert_eq!(guests.admit(ip(1), at(999)), Welcome::Full, "they may be in a hurry");
        assert_eq!(guests.admit(ip(1), at(1000)), Welcome::Greet(5));
        assert_eq!(guests.admit(ip(2), at(1000)), Welcome::Greet(6));
        assert!(!guests.here.contains_key(&1) && guests.here.contains_key(&2));
        guests.end(5);
        guests.end(1);
        assert_eq!(guests.admit(ip(1), at(1001)), Welcome::Greet(7));
    }

    #[test]
    fn many_addresses_hold_no_place_for_ever_either() {
        let mut guests = Lobby::default();
        for number in 1..=16 {
            assert_eq!(guests.admit(ip(number), at(0)), Welcome::Greet(number.into()), "{number}");
        }
        assert_eq!(guests.admit(ip(99), at(10)), Welcome::Full);
        assert!(matches!(guests.admit(ip(99), at(1000)), Welcome::Greet(_)));
        assert_eq!(guests.here.len(), limits::link::HANDSHAKES);
    }

    #[test]
    fn a_network_begins_so_many_greetings_in_a_time_and_others_are_not_touched() {
        let mut guests = Lobby::default();
        let mut begun = 0;
        for _ in 0..10_000 {
            match guests.admit(ip(7), at(5)) {
                Welcome::Greet(number) => {
                    guests.end(number);
                    begun += 1;
                }
                other => assert_eq!(other, Welcome::TooMany),
            }
        }
        assert_eq!(begun, limits::link::GREETINGS.0);
        let other = IpAddr::from([203, 0, 114, 7]);
        assert!(matches!(guests.admit(other, at(5)), Welcome::Greet(_)));
        let later = at(5) + Duration::from_secs(1);
        assert!(matches!(guests.admit(ip(7), later), Welcome::Greet(_)));
        for high in 0..=255 {
            for low in 0..8 {
                guests.admit(IpAddr::from([10, high, low, 1]), later);
            }
        }
        assert_eq!(guests.networks.len(), limits::link::GREETING_NETWORKS);
    }
}
