"""Nodes find each other by themselves, over IPv4 and IPv6, beside Avahi, and keep quiet where nothing is shared."""

import shutil
import struct
import subprocess
import tempfile
import time

from namespaces import Capture, run
from node import Nodes
from origin import stop, wait_for

# What an owner waits for after switching a device on.
SECONDS = 10
MDNS = 5353


def discovery(report, home, origin):
    for name, family in (("IPv4 and IPv6", None), ("IPv4 alone", 4), ("IPv6 alone", 6)):
        found(report, home, origin, (name, family))
    introduced(report, home, origin)
    avahi(report, home, origin)
    goodbye(report, home, origin)
    silence(report, home, origin)


def found(report, home, origin, which):
    """Three nodes that know nothing of each other are linked within ten seconds."""
    name, family = which
    devices = home.devices[:3]
    for device in devices:
        only(device, family)
    try:
        with Nodes(home, origin) as nodes:
            nodes.finding = "mdns"
            for device in devices:
                nodes.add(device)
            nodes.start()
            begin = time.monotonic()

            def judge():
                wait_for(lambda: all(len(n.linked()) == 2 for n in nodes.all), SECONDS, "three linked nodes")
                return f"after {time.monotonic() - begin:.1f} s"
            if not report.case(f"found within {SECONDS} s over {name}", judge):
                print(nodes.tail(6))
    finally:
        for device in devices:
            only(device, None)


def introduced(report, home, origin):
    """Where no multicast comes through, a node that all know makes them known to each other."""
    devices = home.devices[:3]
    for device in devices:
        only(device, 4)
        home.port(device, "mcast_flood", "off")
    try:
        with Nodes(home, origin) as nodes:
            nodes.finding = "file"
            middle = nodes.add(home.gateway, role="gateway")
            for device in devices:
                nodes.add(device, peers=[f"{home.gateway.address}:8644"])
            alone = nodes.add(home.devices[3], discovery=False, peers=[f"{home.gateway.address}:8644"])
            nodes.start()
            begin = time.monotonic()

            def judge():
                meshed = [n for n in nodes.all if n not in (middle, alone)]
                wait_for(lambda: all(len(n.linked()) == 3 for n in meshed), 25,
                         lambda: f"three devices that know each other, not {[len(n.linked()) for n in nodes.all]}")
                if len(alone.linked()) != 1:
                    raise AssertionError(f"who wants no discovery has {len(alone.linked())} links")
                return f"after {time.monotonic() - begin:.1f} s"
            if not report.case("without multicast: known to each other through the gateway", judge):
                print(nodes.tail(6))
    finally:
        for device in devices:
            home.port(device, "mcast_flood", "on")
            only(device, None)


def only(device, family):
    """Leaves a machine one family of addresses, or gives it back both."""
    device.ip("address", "flush", "dev", "eth0", "scope", "global")
    off = "1" if family == 4 else "0"
    run(*device.wrap, "sysctl", "-qw", f"net.ipv6.conf.eth0.disable_ipv6={off}")
    if family != 6:
        device.ip("address", "add", f"{device.address}/24", "dev", "eth0")
        device.ip("route", "replace", "default", "via", device.home.gateway.address)
    if family != 4:
        device.ip("address", "add", f"{device.address6}/64", "dev", "eth0", "nodad")


def avahi(report, home, origin):
    """As above, while Avahi answers on the same port of each machine."""
    name = "found beside Avahi"
    if not shutil.which("avahi-daemon"):
        return report.skip(name, "no avahi-daemon (Debian: avahi-daemon)")
    folder = tempfile.mkdtemp(prefix="neap-avahi-")
    started = []
    try:
        for device in home.devices[:3]:
            file = f"{folder}/{device.name}.conf"
            with open(file, "w") as out:
                out.write(f"[server]\nhost-name={device.name}\nenable-dbus=no\nallow-interfaces=eth0\n"
                          "[publish]\npublish-workstation=no\n")
            # Each has a folder of its own for what it is called in /run.
            command = (f"mkdir -p {folder}/{device.name}; mount --bind {folder}/{device.name} /run && "
                       f"exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f {file}")
            started.append(device.start(["unshare", "-m", "sh", "-c", command],
                                        stderr=open(f"{folder}/{device.name}.log", "w")))
        ready = lambda: all("startup complete" in open(f"{folder}/{d.name}.log").read()
                            for d in home.devices[:3])
        try:
            wait_for(ready, 15, "Avahi")
        except TimeoutError:
            logs = [open(f"{folder}/{d.name}.log").read()[-300:] for d in home.devices[:1]]
            return report.skip(name, f"Avahi does not start here: {logs}")
        found(report, home, origin, ("IPv4 and IPv6 beside Avahi", None))

        def heard():
            alive = [p.poll() is None for p in started]
            if not all(alive):
                raise AssertionError("an Avahi ended")
        report.case("Avahi runs on beside neap", heard)
    finally:
        for process in started:
            stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def goodbye(report, home, origin):
    """Who ends in order says so (RFC 6762, 10.1), and the others let go at once."""
    with Nodes(home, origin) as nodes, Capture(home, keep=("udp",)) as seen:
        nodes.finding = "mdns"
        one, two = (nodes.add(d) for d in home.devices[:2])
        nodes.start()
        wait_for(lambda: one.linked() and two.linked(), SECONDS + 5, "a link")
        mark = len(seen.kept)
        two.end()

        def judge():
            wait_for(lambda: not one.linked(), 5, "the link to end")

            def gone():
                return [f for flow, f in seen.kept[mark:] if flow[4] == MDNS and flow[0] == "port2"
                        and b"\x05_neap" in f and has_goodbye(f)]
            wait_for(gone, 3, "a goodbye (TTL 0) of _neap._tcp")
        report.case("a goodbye when one ends", judge)


def has_goodbye(frame):
    """Whether an mDNS answer in an Ethernet frame takes something back: a record with a TTL of 0."""
    at = frame.index(struct.pack("!HH", MDNS, MDNS)) + 8 if struct.pack("!HH", MDNS, MDNS) in frame else None
    if at is None:
        return False
    message = frame[at:]
    questions, *answers = struct.unpack("!4H", message[4:12])
    offset = 12
    for _ in range(questions):
        offset = past_name(message, offset) + 4
    for _ in range(sum(answers)):
        offset = past_name(message, offset)
        _, _, ttl, length = struct.unpack("!HHIH", message[offset:offset + 10])
        if ttl == 0:
            return True
        offset += 10 + length
    return False


def past_name(message, offset):
    while message[offset]:
        if message[offset] >= 0xC0:
            return offset + 2
        offset += message[offset] + 1
    return offset + 1


def silence(report, home, origin):
    """Where sharing is off, or there is no network, not one packet leaves for others."""
    # The kernels take the groups of those who ran before back twice, a second apart (RFC 3376, 8.11).
    time.sleep(3)
    with Capture(home) as seen, Nodes(home, origin) as nodes:
        nodes.finding = "mdns"
        nodes.add(home.devices[0], sharing=False)
        nodes.add(home.devices[1], network=None)
        nodes.add(home.devices[2], discovery=False)
        nodes.start()
        time.sleep(6)

        def quiet():
            # What kernels say by themselves (neighbours, routers, listeners of groups) is no word of ours;
            # joining the group of mDNS would be.
            flows = seen.matching(lambda f: f[3] in ("udp", "tcp", "igmp") and f[0] in ("port1", "port2", "port3"))
            if flows:
                raise AssertionError(f"{flows}")
            return f"{sum(n for n, _ in seen.flows.values())} frames of the kernels, none of neap"
        report.case("not a packet without sharing", quiet)

        def shut():
            doors = [n.host.name for n in nodes.all[:2] if listens(n.host, 8644)]
            if doors or not listens(nodes.all[2].host, 8644):
                raise AssertionError(f"port 8644 is open on {doors}; the third must have it")
        report.case("no open door without sharing", shut)
    report.case("the capture of silence lost nothing", lambda: None if not seen.lost else 1 / 0)


def listens(host, port):
    """Whether something listens on a TCP port of a machine."""
    rows = [line.split() for line in run(*host.wrap, "cat", "/proc/net/tcp", "/proc/net/tcp6").splitlines()]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows if ":" in row[1])
