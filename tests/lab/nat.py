#!/usr/bin/env python3
"""Two homes behind routers of several kinds: who reaches whom, how fast, and what it costs the player where nobody can.

usage: tests/lab/nat.py [--numbers] [PART...]     parts: pairs polite      (default: all)

Needs root, nftables and miniupnpd. Each home is a router and a device in namespaces of their own; a node at the
provider, which everybody reaches, is the third through which two meet.
"""

import argparse
import itertools
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from namespaces import Home, enter, missing, run, wire
from endpoint import binary
from node import Node
from report import Report
from origin import stop, wait_for

# Of three prefixes, so that what two of them see counts as what several do.
THIRDS = ("203.0.113.2", "198.51.100.2")
# miniupnpd maps nothing at addresses of documentation, so homes have some that nobody announces.
NETS = ("203.0.113.0/24", "198.51.100.0/24", "25.0.2.0/24")
# What a router does: how it maps, what more it has.
KINDS = {
    "plain": "masquerade",
    "random": "masquerade fully-random",
    "cgnat": "masquerade",
    "pcp": "masquerade",
    "no udp": "masquerade",
    "upnp": "masquerade",
}
# How the status names it.
REACHED = {"plain": "cone-nat", "random": "symmetric-nat", "cgnat": "cone-nat", "pcp": "mapped", "upnp": "mapped",
           "no udp": "no-udp"}
# Kinds that let others in at a port which the node asked for.
MAPPED = ("pcp", "upnp")
# The others are tried each with each.
PAIRS = [*itertools.combinations_with_replacement([kind for kind in KINDS if kind != "upnp"], 2), ("upnp", "random")]
# Pairs that can: both map independently of the other end, or one has a port that anybody may send to.
CAN = {frozenset(p) for p in (("plain",), ("plain", "cgnat"), ("cgnat",), ("pcp",), ("pcp", "plain"),
                              ("pcp", "random"), ("pcp", "cgnat"), ("pcp", "no udp"), ("upnp", "random"))}


class Internet(Home):
    """A switch in the middle, the thirds beside it, and homes that come and go."""

    def __init__(self):
        super().__init__(0)
        self.ports = 0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="neap-nat-"))

    def __exit__(self, *_):
        super().__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self):
        self.middle = self.host("middle")
        self.middle.ip("link", "add", "name", "br0", "type", "bridge", "mcast_snooping", "0")
        self.middle.ip("link", "set", "br0", "up")
        self.thirds = [self.outside(f"third{n}", a) for n, a in enumerate(THIRDS)]

    def outside(self, name, address, device="eth0"):
        """A machine with an address of the internet."""
        host = self.host(name)
        self.plug(host, device, address)
        host.address = address
        return host

    def plug(self, host, device, address, nets=NETS):
        # A namespace that was taken away keeps its cables for a moment.
        self.ports += 1
        port = f"p{self.ports}"
        wire(host, device, self.middle, port)
        self.middle.ip("link", "set", port, "master", "br0")
        host.ip("address", "add", f"{address}/32", "dev", device)
        for net in nets:
            host.ip("route", "add", net, "dev", device, "scope", "link", "src", address)


class Router:
    """A home: a router of one kind and a device behind it."""

    def __init__(self, internet, letter, kind, number):
        self.kind, self.children = kind, []
        self.outer = f"25.0.2.{number}"
        self.far = None
        if kind == "cgnat":
            # The provider's own router, and behind it the home's.
            self.far = internet.host(f"{letter}-provider")
            internet.plug(self.far, "wan0", self.outer)
            forward(self.far)
            rules(self.far, "cgnat")
        self.router = internet.host(f"{letter}-router")
        if self.far:
            wire(self.router, "wan0", self.far, "lan0")
            self.far.ip("address", "add", "100.64.0.1/24", "dev", "lan0")
            self.router.ip("address", "add", "100.64.0.2/24", "dev", "wan0")
            self.router.ip("route", "add", "default", "via", "100.64.0.1")
        else:
            internet.plug(self.router, "wan0", self.outer)
        forward(self.router)
        self.device = internet.host(f"{letter}-device")
        wire(self.device, "eth0", self.router, "lan0")
        self.router.ip("address", "add", "192.168.1.1/24", "dev", "lan0")
        self.device.ip("address", "add", "192.168.1.10/24", "dev", "eth0")
        self.device.ip("route", "add", "default", "via", "192.168.1.1")
        rules(self.router, kind)
        if kind in MAPPED:
            self.mapping(internet)

    def mapping(self, internet):
        """Starts what maps ports."""
        pcp, upnp = ("yes", "no") if self.kind == "pcp" else ("no", "yes")
        folder = internet.folder / self.router.name
        folder.mkdir()
        (folder / "conf").write_text(
            f"ext_ifname=wan0\next_ip={self.outer}\nlistening_ip=lan0\nenable_natpmp={pcp}\nenable_upnp={upnp}\n"
            f"uuid=6e656170-0000-4000-8000-000000000000\nlease_file={folder}/leases\n"
            "upnp_table_name=filter\nupnp_nat_table_name=nat\nupnp_forward_chain=upnp\n"
            "upnp_nat_chain=upnp_dnat\nupnp_nat_postrouting_chain=upnp_snat\nsecure_mode=yes\n"
            "allow 1024-65535 192.168.1.0/24 1024-65535\n")
        self.router.start(["miniupnpd", "-d", "-f", folder / "conf", "-P", folder / "pid"],
                          stdout=open(folder / "log", "w"), stderr=subprocess.STDOUT)


    def mapped(self):
        """What the router lets in."""
        return run(*self.router.wrap, "nft", "list", "chain", "inet", "nat", "upnp_dnat")


def forward(host):
    run("ip", "netns", "exec", host.space, "sysctl", "-qw", "net.ipv4.ip_forward=1")


def rules(router, kind):
    """What every router does that one buys: masks what goes out, lets in what answers it and nothing else."""
    blocked = 'iifname "lan0" meta l4proto udp drop' if kind == "no udp" else ""
    text = f"""
table inet nat {{
    chain upnp_dnat {{ }}
    chain upnp_snat {{ }}
    chain before {{ type nat hook prerouting priority -100; jump upnp_dnat; }}
    chain after {{ type nat hook postrouting priority 100; jump upnp_snat; meta nfproto ipv4 oifname "wan0" {KINDS[kind]}; }}
}}
table inet filter {{
    chain upnp {{ }}
    chain forward {{ type filter hook forward priority 0; policy drop; {blocked}
        iifname "lan0" accept; ct state established,related accept; jump upnp; }}
    chain input {{ type filter hook input priority 0; policy drop;
        iifname "lo" accept; iifname "lan0" accept; ct state established,related accept; }}
}}
"""
    done = subprocess.run([*router.wrap, "nft", "-f", "-"], input=text, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"nft on {router.name}: {done.stderr}")


class Origin:
    """What nodes have in their file for an origin: nothing is asked of it here."""

    url, tls_url, ca = "http://192.0.2.254/", "http://192.0.2.254/", None


class Quiet(Node):
    """A node whose origin is never asked, and which looks for nobody in its home."""

    def write(self, origin, witnesses):
        super().write(Origin, witnesses)
        file = self.folder / "neap.toml"
        text = file.read_text().split("[[origin]]")[0]
        file.write_text(text + '[[origin]]\nname = "plain"\nurl = "http://192.0.2.254/"\n')

    def reached(self):
        """How it says that others elsewhere reach it."""
        return self.status()["network"]["reached"]


def peer(key):
    """How the status names a key."""
    return key.removeprefix("ed25519:")[:8]


def pair(internet, thirds, kinds, number):
    """Seconds until the two are linked, or none; and the longest that a player's request took meanwhile."""
    begun = len(internet.hosts)
    children = len(internet.children)
    one, two = (Router(internet, f"{l}{number}", k, n) for l, k, n in (("a", kinds[0], 10), ("b", kinds[1], 20)))
    third = [f"{a}:8644" for a in THIRDS]
    nodes = []
    try:
        for home, other in ((one, two), (two, one)):
            mapping = f"port-mapping = {str(home.kind in MAPPED).lower()}"
            node = Quiet(internet, home.device, peers=[*third, f"{other.outer}:8644"], discovery=False,
                         extra=mapping, level="debug")
            nodes.append(node)
        nodes[0].start(None)
        wait_for(lambda: len(nodes[0].linked()) >= 2, 15, f"the first home ({kinds[0]}) at both thirds")
        if kinds[0] in MAPPED:
            wait_for(lambda: "lets others in" in nodes[0].output(), 10, "a mapped port")
        nodes[1].start(None)
        begin = time.monotonic()
        other, slowest = peer(nodes[0].key), 0
        while time.monotonic() - begin < 6:
            asked = time.monotonic()
            there = other in nodes[1].linked() and peer(nodes[1].key) in nodes[0].linked()
            slowest = max(slowest, time.monotonic() - asked)
            if there:
                break
            time.sleep(0.05)
        took = time.monotonic() - begin if there else None
        for home, node in ((one, nodes[0]), (two, nodes[1])):
            wait_for(lambda: node.reached() == REACHED[home.kind], 5,
                     f"{home.kind} to be told as {REACHED[home.kind]}, not {node.reached()}")
        for node in thirds:
            wait_for(lambda: node.reached() == "open", 2, "a third to say that it is open")
        return took, slowest, nodes
    finally:
        for node in nodes:
            node.drop()
        left = one.mapped() if kinds[0] in MAPPED else ""
        for child in internet.children[children:]:
            stop(child, 5)
        del internet.children[children:]
        for host in internet.hosts[begun:]:
            run("ip", "netns", "del", host.space, check=False)
        del internet.hosts[begun:]
        for node in thirds:
            # Who ends says so to everybody: whoever is not told keeps a place for it for half an hour.
            wait_for(lambda: not node.linked(), 2, "a third to have no link left")
        if "dnat to" in left:
            raise AssertionError(f"the router still lets others in: {left}")


def pairs(report, internet, show):
    thirds = [Quiet(internet, host, peers=[], discovery=False) for host in internet.thirds]
    try:
        for node in thirds:
            node.start(None)
        for number, kinds in enumerate(PAIRS):
            # The one that others reach is there first.
            kinds = sorted(kinds, key=lambda kind: kind not in MAPPED)

            def one():
                took, slowest, _ = pair(internet, thirds, kinds, number)
                if show:
                    print(f"| {kinds[0]} | {kinds[1]} | {'-' if took is None else f'{took:.2f} s'} |", flush=True)
                if slowest > 1:
                    raise AssertionError(f"a request took {slowest:.1f} s meanwhile")
                if frozenset(kinds) in CAN and (took is None or took > 3):
                    raise AssertionError(f"linked after {took} s, 3 are allowed")
                if frozenset(kinds) not in CAN and took is not None:
                    return f"linked after {took:.2f} s, though nobody would have thought so"
                return f"linked after {took:.2f} s" if took else "not linked, as nothing could do it"
            report.case(f"{kinds[0]} and {kinds[1]}", one)
    finally:
        for node in thirds:
            node.drop()


def polite(report, internet):
    """A household's own upload beside ours on a line of 10 Mbit/s."""
    pour = binary().parent / "examples" / "pour"
    if not pour.exists():
        report.skip("a polite guest", "no program pour: cargo build --release --example pour")
        return
    home = Router(internet, "polite", "plain", 40)
    run("tc", "-n", home.router.space, "qdisc", "add", "dev", "wan0", "root", "tbf", "rate", "10mbit",
        "burst", "16000", "latency", "250ms")
    third = internet.thirds[0]
    # A port that the router passes on, so that the taker can dial.
    run(*home.router.wrap, "nft", "add", "rule", "inet", "nat", "upnp_dnat", "iifname", "wan0", "udp", "dport", "8650",
        "dnat", "ip", "to", "192.168.1.10")
    run(*home.router.wrap, "nft", "add", "rule", "inet", "filter", "upnp", "udp", "dport", "8650", "accept")
    home.device.start([pour, "give", "0.0.0.0:8650"])
    echo, sink = Echo(third), Sink(third)
    idle = echo.ask(home.device, SECONDS / 4)
    kinds = congestions()
    alone = {kind: upload(home.device, sink, echo, kind) for kind in kinds}
    seconds = (len(kinds) + 1) * (SECONDS + 3)
    taking = third.start([pour, "take", f"{home.outer}:8650", seconds], stdout=subprocess.PIPE, text=True)
    time.sleep(SECONDS / 2)
    quiet = echo.ask(home.device, SECONDS / 2)
    beside = {kind: upload(home.device, sink, echo, kind) for kind in kinds}
    taken = int(taking.communicate(timeout=seconds + 30)[0].split()[-1])

    def rate(kind):
        (rate, trip), (kept, longer) = alone[kind], beside[kind]
        line = (f"alone {rate / 1e6:.2f} Mbit/s and {trip:.0f} ms; beside neap {kept / 1e6:.2f} Mbit/s "
                f"({kept / rate:.1%}) and {longer:.0f} ms")
        if kept < 0.95 * rate or longer > trip + 20:
            raise AssertionError(line)
        return line
    for kind in kinds:
        report.case(f"a household's {kind} upload keeps 95 % of its rate beside ours, and its ping", lambda k=kind: rate(k))

    def fills():
        line = f"ping {idle:.0f} ms, {quiet:.0f} ms while neap fills the line; {taken / 1e6:.1f} MB taken by the peer"
        if taken < 2e6:
            raise AssertionError(f"neap did not fill what was free: {line}")
        if quiet > idle + 30:
            raise AssertionError(line)
        return line
    report.case("neap fills a free line and leaves its ping alone", fills)


def congestions():
    """What households' machines send by: Linux's own choice, and BBR where this kernel has it."""
    known = pathlib.Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
    if "bbr" not in known:
        print("no BBR in this kernel (modprobe tcp_bbr): a household's BBR upload is not tried", flush=True)
    return [kind for kind in ("cubic", "bbr") if kind in known]


class Echo:
    """A machine that sends small datagrams back."""

    def __init__(self, host, port=7000):
        self.address = (host.address, port)

        def serve():
            enter(host.space)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(self.address)
                while True:
                    s.sendto(*s.recvfrom(100))
        threading.Thread(target=serve, daemon=True).start()

    def ask(self, host, seconds):
        """The median round trip from a machine, in ms."""
        def work():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(1)
                end, trips = time.monotonic() + seconds, []
                while time.monotonic() < end:
                    begin = time.monotonic()
                    s.sendto(b"x", self.address)
                    try:
                        s.recv(10)
                        trips.append(time.monotonic() - begin)
                    except TimeoutError:
                        trips.append(1.0)
                    time.sleep(0.05)
                return statistics.median(trips) * 1000
        return host.within(work)


class Sink:
    """A machine that takes what TCP brings and counts it."""

    def __init__(self, host, port=7001):
        self.address, self.count = (host.address, port), 0

        def serve():
            enter(host.space)
            with socket.create_server(self.address) as server:
                while True:
                    connection, _ = server.accept()
                    with connection:
                        while piece := connection.recv(65536):
                            self.count += len(piece)
        threading.Thread(target=serve, daemon=True).start()


def upload(host, sink, echo, congestion):
    """(bit/s, median ms) of one TCP flow from a machine, after it has found its rate."""
    stop_at = time.monotonic() + SECONDS + 3

    def work():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            # What most devices have, whatever this machine's own choice is.
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
            s.connect(sink.address)
            while time.monotonic() < stop_at:
                s.sendall(bytes(16384))
    thread = threading.Thread(target=lambda: host.within(work))
    thread.start()
    time.sleep(3)
    count, begin = sink.count, time.monotonic()
    trip = echo.ask(host, SECONDS)
    rate = (sink.count - count) * 8 / (time.monotonic() - begin)
    thread.join()
    return rate, trip


SECONDS = 12


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", action="store_true", help="print the table of docs/performance.md too")
    parser.add_argument("parts", nargs="*", default=["pairs", "polite"])
    options = parser.parse_args()
    why = missing() or next((f"no program {p} (Debian: {d})" for p, d in
                             (("nft", "nftables"), ("miniupnpd", "miniupnpd-nftables")) if not shutil.which(p)), None)
    if why:
        print(f"SKIPPED  nat: {why}\nnat: 0 passed, 0 failed, 1 skipped")
        return
    report = Report("nat")
    with Internet() as internet:
        if "pairs" in options.parts:
            pairs(report, internet, options.numbers)
        if "polite" in options.parts:
            polite(report, internet)
    report.close()


if __name__ == "__main__":
    main()
