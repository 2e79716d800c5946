//! How near an address is: the prefixes and groups that the operator names.

use core::net::IpAddr;

use super::read::{self, Fault, Read, Value};
use super::show;
use super::subnet::Subnet;
use crate::base::limits;
use crate::base::peer::Tier;

/// Which addresses are nearer than the rest of the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// The provider's own prefixes, wherever this node is.
    pub isp: Vec<Subnet>,
    /// Prefixes that belong together: a node in one of them is near to all others there.
    pub groups: Vec<Group>,
}

/// Prefixes that belong together, such as those of one autonomous system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What it is called, such as `AS64500`.
    pub name: String,
    /// Its prefixes.
    pub prefixes: Vec<Subnet>,
}

impl Near {
    /// How near an address is to a node that is known by `own` addresses.
    ///
    /// What is in the same network is in the home; then the operator's word counts; then what
    /// is not routed is in the home (RFC 1918, RFC 3927, RFC 4193, RFC 4291).
    pub fn tier(&self, address: IpAddr, own: &[IpAddr]) -> Tier {
        self.judge(address, own, own)
    }

    /// The same for a node of which it is known what address it has outside, behind a router or
    /// by others' word: that tells of groups alone, never who is in the home.
    pub fn tier_from(&self, address: IpAddr, outside: Option<IpAddr>) -> Tier {
        self.judge(address, &[], outside.as_slice())
    }

    fn judge(&self, address: IpAddr, home: &[IpAddr], own: &[IpAddr]) -> Tier {
        let address = address.to_canonical();
        if is_on_link(address) || home.iter().any(|own| is_neighbour(address, own.to_canonical())) {
            Tier::Home
        } else if self.is_named(address, own) {
            Tier::Isp
        } else if is_unrouted(address) {
            Tier::Home
        } else {
            Tier::Wan
        }
    }

    /// Whether an address may be dialled because a stranger named it: one of the Internet, or of
    /// the operator's own prefixes; never one of the home, nor a port below 1024, behind which
    /// other services than nodes wait.
    pub fn is_foreign(&self, address: core::net::SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let nowhere = match ip {
            IpAddr::V4(v4) => v4.is_broadcast() || v4.octets()[0] == 0 || v4.octets()[0] >= 240,
            IpAddr::V6(v6) => v6.segments()[0] & 0xe000 != 0x2000,
        };
        let named = self.isp.iter().any(|subnet| subnet.holds(ip))
            || self.groups.iter().any(|group| group.holds(ip));
        let dead = ip.is_unspecified() || ip.is_multicast() || ip.is_loopback();
        let routed = !nowhere && !is_unrouted(ip);
        address.port() >= 1024 && !dead && (named || routed)
    }

    /// Whether an address may be dialled because a node in the home named it that is seen at
    /// `by`: one of the same network, and no port below 1024.
    pub fn is_beside(address: core::net::SocketAddr, by: IpAddr) -> bool {
        let is_beside = is_neighbour(address.ip().to_canonical(), by.to_canonical());
        is_beside && !is_on_link(address.ip().to_canonical()) && address.port() >= 1024
    }

    /// Whether the operator says that an address is near.
    fn is_named(&self, address: IpAddr, own: &[IpAddr]) -> bool {
        let together = |group: &Group| {
            group.holds(address) && own.iter().any(|own| group.holds(own.to_canonical()))
        };
        self.isp.iter().any(|subnet| subnet.holds(address)) || self.groups.iter().any(together)
    }
}

impl Group {
    fn holds(&self, address: IpAddr) -> bool {
        self.prefixes.iter().any(|subnet| subnet.holds(address))
    }
}

/// Whether an address cannot have come over any router.
fn is_on_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

/// Whether an address is not routed beyond somebody's own network.
fn is_unrouted(address: IpAddr) -> bool {
    is_on_link(address)
        || match address {
            IpAddr::V4(v4) => v4.is_private(),
            IpAddr::V6(v6) => v6.is_unique_local(),
        }
}

/// Whether two addresses are of one home: the same IPv6 network, or the same network of 256
/// addresses that are not routed.
fn is_neighbour(address: IpAddr, own: IpAddr) -> bool {
    match (address, own) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.is_private() && a.octets()[..3] == b.octets()[..3],
        (IpAddr::V6(a), IpAddr::V6(b)) => a.segments()[..4] == b.segments()[..4],
        _ => false,
    }
}

/// A list of prefixes.
pub fn prefixes(value: &Value<'_>) -> Read<Vec<Subnet>> {
    let read = read::list(value, |value| read::one(value, read::network))?;
    if read.len() > limits::config::NEAR_PREFIXES {
        let text = format!("the list holds more than {} prefixes", limits::config::NEAR_PREFIXES);
        return Err(vec![Fault::at(value, text)]);
    }
    Ok(read)
}

/// Groups of prefixes by name.
pub fn groups(value: &Value<'_>) -> Read<Vec<Group>> {
    let Some(table) = value.get_ref().as_table() else {
        let expected = "a table, such as { AS64500 = [\"198.51.100.0/24\"] }";
        return Err(vec![Fault::expected(value, expected)]);
    };
    let mut named: Vec<_> = table.iter().collect();
    named.sort_unstable_by_key(|(name, _)| name.span().start);
    let (mut groups, mut faults) = (Vec::new(), Vec::new());
    for (name, value) in named {
        match (read::network_name(name.get_ref()), prefixes(value)) {
            (Ok(name), Ok(prefixes)) if !name.is_empty() => groups.push(Group { name, prefixes }),
            (_, Err(more)) => faults.extend(more),
            _ => faults.push(Fault::at(value, NAMELESS.to_owned())),
        }
    }
    if faults.is_empty() { Ok(groups) } else { Err(faults) }
}

/// Groups as they are written.
pub fn show_groups(groups: &[Group]) -> String {
    if groups.is_empty() {
        return "{}".into();
    }
    let group =
        |group: &Group| format!("{} = {}", show::text(&group.name), show::list(&group.prefixes));
    format!("{{ {} }}", groups.iter().map(group).collect::<Vec<_>>().join(", "))
}

/// Words for a group that cannot be called so.
const NAMELESS: &str = "a group's name is of 1 to 64 letters, digits, '-', '_' and '.'";

#[cfg(test)]
mod tests {
    use super::*;

    fn near() -> Near {
        let net = |net: &&str| read::network(net).expect("a network");
        let nets = |nets: &[&str]| nets.iter().map(net).collect();
        let group =
            |name: &str, prefixes: &[&str]| Group { name: name.into(), prefixes: nets(prefixes) };
        Near {
            isp: nets(&["203.0.113.0/24", "2001:db8:a::/48", "10.64.0.0/10"]),
            groups: vec![
                group("AS64500", &["198.51.100.0/25", "2001:db8:b::/48"]),
                group("AS64501", &["198.51.100.128/25"]),
            ],
        }
    }

    #[test]
    fn the_home_goes_before_the_operators_word_and_that_before_the_rest() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (address, own, tier) in [
            ("192.168.1.5", "192.168.1.9", Tier::Home),
            ("192.168.7.5", "192.168.1.9", Tier::Home),
            ("10.64.1.5", "192.168.1.9", Tier::Isp),
            ("10.64.1.5", "10.64.1.9", Tier::Home),
            ("203.0.113.5", "203.0.113.9", Tier::Isp),
            ("::ffff:203.0.113.5", "192.168.1.9", Tier::Isp),
            ("198.51.100.5", "192.168.1.9", Tier::Wan),
            ("198.51.100.5", "198.51.100.9", Tier::Isp),
            ("198.51.100.200", "198.51.100.9", Tier::Wan),
            ("2001:db8:b:1::1", "198.51.100.9", Tier::Isp),
            ("2001:db8:c:1::1", "2001:db8:c:1::2", Tier::Home),
            ("2001:db8:c:1::1", "2001:db8:c:2::2", Tier::Wan),
            ("fe80::1", "2001:db8:c:2::2", Tier::Home),
            ("127.0.0.1", "127.0.0.1", Tier::Home),
            ("100.64.3.1", "192.168.1.9", Tier::Wan),
        ] {
            assert_eq!(near().tier(ip(address), &[ip(own)]), tier, "{address} seen by {own}");
        }
    }

    #[test]
    fn what_others_say_of_this_nodes_address_puts_nobody_into_its_home() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (address, outside, tier) in [
            ("2001:db8:c:1::1", "2001:db8:c:1::2", Tier::Wan),
            ("2001:db8:b:1::1", "2001:db8:b:1::2", Tier::Isp),
            ("198.51.100.5", "198.51.100.9", Tier::Isp),
            ("198.51.100.9", "198.51.100.200", Tier::Wan),
            ("192.168.1.5", "192.0.2.9", Tier::Home),
        ] {
            let judged = near().tier_from(ip(address), Some(ip(outside)));
            assert_eq!(judged, tier, "{address} from {outside}");
        }
    }

    #[test]
    fn a_strangers_word_leads_to_no_home_and_to_no_other_service() {
        for (address, may) in [
            ("198.51.100.5:8644", true),
            ("[2001:db8::1]:8644", true),
            ("10.64.1.5:8644", true),
            ("10.1.1.5:8644", false),
            ("192.168.1.1:8644", false),
            ("127.0.0.1:8644", false),
            ("0.0.0.0:8644", false),
            ("0.1.2.3:8644", false),
            ("224.0.0.251:8644", false),
            ("255.255.255.255:8644", false),
            ("169.254.1.1:8644", false),
            ("[fe80::1]:8644", false),
            ("[::1]:8644", false),
            ("[fd00::1]:8644", false),
            ("[ff02::fb]:8644", false),
            ("[::ffff:192.168.1.1]:8644", false),
            ("[64:ff9b::c0a8:101]:8644", false),
            ("240.0.0.1:8644", false),
            ("198.51.100.5:53", false),
            ("198.51.100.5:0", false),
        ] {
            let socket = address.parse().expect("an address with its port");
            assert_eq!(near().is_foreign(socket), may, "{address}");
        }
    }
}
