//! The ways into the network: default route, kinds of interfaces, their counters.

use super::tree::Tree;
use crate::base::limits;
use crate::engine::caps::readings::Route;

/// Every interface that has a route, but the loopback; the one of the default route first, and
/// whether there is one.
pub fn read(proc: &Tree, sys: &Tree) -> (Vec<Route>, bool) {
    let four = proc.text("net/route").unwrap_or_default();
    let six = proc.text("net/ipv6_route").unwrap_or_default();
    let mut ways: Vec<Way> = four.lines().skip(1).filter_map(way).collect();
    ways.extend(six.lines().filter_map(way_of_six));
    ways.retain(|way| way.interface != "lo");
    ways.sort_by_key(|way| (!way.default, way.metric));
    let default = ways.first().is_some_and(|way| way.default);
    let mut names: Vec<String> = Vec::new();
    for way in ways {
        if !names.contains(&way.interface) && names.len() < limits::device::INTERFACES {
            names.push(way.interface);
        }
    }
    let over_dsl = proc.text("net/pppoe").is_some_and(|text| text.lines().count() > 1);
    let net = sys.below("class/net");
    let routes = names.into_iter().map(|name| {
        let files = net.below(&name);
        route(name, &files, over_dsl)
    });
    (routes.collect(), default)
}

/// Connections in the kernel's table, and how many there may be.
pub fn conntrack(proc: &Tree) -> Option<(u64, u64)> {
    let net = proc.below("sys/net/netfilter");
    Some((net.count("nf_conntrack_count")?, net.count("nf_conntrack_max")?))
}

struct Way {
    interface: String,
    default: bool,
    metric: u64,
}

/// A line of `/proc/net/route`: interface, destination, gateway, flags, two counters, metric,
/// mask; addresses and flags in hexadecimal (proc_pid_net(5)).
fn way(line: &str) -> Option<Way> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [interface, to, _, flags, _, _, metric, mask, ..] = words[..] else { return None };
    let up = u64::from_str_radix(flags, 16).ok()? & UP != 0;
    let default = to == "00000000" && mask == "00000000";
    let way = Way { interface: name(interface)?, default, metric: metric.parse().ok()? };
    up.then_some(way)
}

/// A line of `/proc/net/ipv6_route`: destination and its bits, source and its bits, next hop,
/// metric, two counters, flags, interface; all in hexadecimal.
fn way_of_six(line: &str) -> Option<Way> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [to, bits, _, _, _, metric, _, _, flags, interface] = words[..] else { return None };
    let flags = u64::from_str_radix(flags, 16).ok()?;
    let default = bits == "00" && to.bytes().all(|b| b == b'0');
    // Every interface has routes to itself; they say nothing of where it leads.
    let near = to.starts_with("fe80") || to.starts_with("ff") || bits == "80";
    let metric = u64::from_str_radix(metric, 16).ok()?;
    let usable = flags & UP != 0 && flags & REJECT == 0 && !near;
    usable.then_some(Way { interface: name(interface)?, default, metric })
}

/// A name that is a folder's as well.
fn name(text: &str) -> Option<String> {
    let good = text.len() < 16 && !text.contains('/') && text != "." && text != "..";
    good.then(|| text.into())
}

fn route(interface: String, files: &Tree, over_dsl: bool) -> Route {
    let told = files.text("uevent").unwrap_or_default();
    let kind = told.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).unwrap_or_default();
    let wireless = kind == "wlan" || files.has("wireless") || files.has("phy80211");
    let mobile = kind == "wwan" || ["wwan", "rmnet"].iter().any(|own| interface.starts_with(own));
    let bytes = |way: &str| files.count(format!("statistics/{way}_bytes"));
    Route {
        vpn: kind == "wireguard" || files.has("tun_flags") || tunnel(files, over_dsl),
        metered: mobile,
        // Only the modem's manager knows, which is asked elsewhere.
        roaming: false,
        wireless,
        sent: bytes("tx"),
        received: bytes("rx"),
        interface,
    }
}

/// Whether the kind of hardware is a tunnel to somewhere else (`if_arp.h`): IP in IP, GRE, or
/// none at all as WireGuard and IPsec have; PPP but over DSL, where it is the way to the
/// provider. 6in4 and 4in6 (776, 769) are how providers bring the other protocol.
fn tunnel(files: &Tree, over_dsl: bool) -> bool {
    match files.count("type") {
        Some(PPP) => !over_dsl,
        Some(kind) => matches!(kind, IP_IN_IP | GRE | GRE_IN_SIX | NONE),
        None => false,
    }
}

const UP: u64 = 1;
const REJECT: u64 = 0x200;
const PPP: u64 = 512;
const IP_IN_IP: u64 = 768;
const GRE: u64 = 778;
const GRE_IN_SIX: u64 = 823;
const NONE: u64 = 65_534;

#[cfg(test)]
mod tests {
    use super::super::tree::tests::Made;
    use super::*;

    const FOUR: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
        eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
        wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
        eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
        down0\t00000000\t0102A8C0\t0000\t0\t0\t1\t00000000\t0\t0\t0\n";

    #[test]
    fn the_default_route_with_the_least_metric_is_first() {
        let made = Made::new(
            "route",
            &[
                ("net/route", FOUR),
                ("class/net/eth0/statistics/tx_bytes", "123"),
                ("class/net/eth0/statistics/rx_bytes", "-1"),
                ("class/net/eth0/type", "1"),
                ("class/net/wlan0/uevent", "DEVTYPE=wlan\nINTERFACE=wlan0"),
            ],
        );
        let (routes, default) = read(&made.0, &made.0);
        let names: Vec<&str> = routes.iter().map(|route| &*route.interface).collect();
        assert!(default);
        assert_eq!(names, ["eth0", "wlan0"]);
        assert_eq!((routes[0].sent, routes[0].received), (Some(123), None));
        assert!(!routes[0].wireless && routes[1].wireless && !routes[1].vpn);
        for end in 0..FOUR.len() {
            made.write("net/route", &FOUR[..end]);
            read(&made.0, &made.0);
        }
        made.write("net/route", "Iface\n../x 00000000 0 0003 0 0 0 00000000\n");
        assert_eq!(read(&made.0, &made.0), (Vec::new(), false));
    }

    #[test]
    fn a_network_of_ipv6_alone_has_a_way_too() {
        let (any, zero) = ("0".repeat(32), "0".repeat(32));
        let line = |to: &str, bits: &str, flags: &str, interface: &str| {
            format!("{to} {bits} {zero} 00 {zero} 00000400 00000001 0 {flags} {interface}\n")
        };
        let near = format!("fe80{}", "0".repeat(28));
        let text = [
            line(&near, "40", "00000001", "eth1"),
            line(&any, "00", "00200200", "lo"),
            line(&any, "00", "00000003", "eth0"),
        ];
        let made = Made::new("six", &[("net/ipv6_route", &text.concat())]);
        let (routes, default) = read(&made.0, &made.0);
        assert!(default && routes.len() == 1, "{routes:?}");
        assert_eq!(routes[0].interface, "eth0");
    }

    #[test]
    fn tunnels_and_mobile_networks_are_told_by_their_kind() {
        let made = Made::new(
            "kinds",
            &[
                ("wg0/uevent", "DEVTYPE=wireguard"),
                ("tun0/tun_flags", "0x1001"),
                ("ppp0/type", "512"),
                ("gre1/type", "778"),
                ("ip6tnl1/type", "769"),
                ("wwan0/type", "65534"),
                ("eth0/type", "1"),
            ],
        );
        let told = |name: &str, over_dsl| route(name.into(), &made.0.below(name), over_dsl);
        assert!(["wg0", "tun0", "gre1"].iter().all(|name| told(name, true).vpn));
        assert!(["eth0", "ip6tnl1", "none"].iter().all(|name| !told(name, false).vpn));
        assert!(told("ppp0", false).vpn && !told("ppp0", true).vpn);
        assert!(told("wwan0", false).metered && !told("eth0", false).metered);
    }

    #[test]
    fn the_table_of_connections_is_read_where_there_is_one() {
        let made = Made::new("conntrack", &[("sys/net/netfilter/nf_conntrack_count", "900")]);
        assert_eq!(conntrack(&made.0), None);
        made.write("sys/net/netfilter/nf_conntrack_max", "16384");
        assert_eq!(conntrack(&made.0), Some((900, 16_384)));
    }
}
