"""Standby by the kernel's own count: no packet leaves, nothing wakes; the player's port answers and ends it."""

import time

from namespaces import Capture, run
from bed import Bed, fetch_all, pid_of, wakeups
from origin import get, wait_for


def standby(report, home, origin, seconds):
    with Bed(home, origin) as bed:
        bed.build(takers=1, discovery=True)
        giver, host = bed.giver, bed.giver.host
        pid = pid_of(giver)
        # A kernel that configures itself asks for routers; that is no packet of neap's.
        run(*host.wrap, "sysctl", "-qw", "net.ipv6.conf.eth0.router_solicitations=0")
        fetch_all(giver, 2)
        said = giver.call("standby")
        report.case("standby: links end politely", lambda: wait_for(
            lambda: giver.key.split(":")[1][:8] not in bed.takers[0].linked(), 5, "the link's end") and said.strip())
        # What was under way ends: a goodbye within a second, a thread of the pool within another.
        settled(pid)

        def quiet(window, strict):
            with Capture(home) as capture:
                before, packets = wakeups(pid), sent(host)
                time.sleep(window)
                woken, left = wakeups(pid) - before, sent(host) - packets
            port = f"port{host.number}"
            flows = ", ".join(f"{n} {flow[3]} to {flow[2]}" for flow, (n, _) in capture.matching(lambda f: f[0] == port).items())
            said = f"{left} packets{f' ({flows})' if left else ''}, {woken} wake-ups in {window} s"
            if woken or (strict and left):
                raise AssertionError(said)
            return said
        # Peers that have its address in their files dial it now and then; its kernel refuses them, neap sleeps on.
        report.case("standby: nothing wakes while others dial", lambda: quiet(8, False), 8)
        for other in (*bed.takers, bed.witness):
            other.end()
        time.sleep(2)
        report.case("standby: nothing leaves and nothing wakes", lambda: quiet(seconds, True), seconds)
        for other in (*bed.takers, bed.witness):
            other.again()

        def wakes():
            if giver.status()["state"] != "standby":
                raise AssertionError(f"the state is {giver.status()['state']}")
            code, _, body = host.within(lambda: get("http://127.0.0.1:8642/cdn/film/s000.ts"))
            if code != 200:
                raise AssertionError(f"the player got {code}")
            wait_for(lambda: len(giver.linked()) >= 1, 20, "links after standby")
            return f"{len(body)} bytes, state {giver.status()['state']}, linked again"
        report.case("standby: a player ends it", wakes)


def settled(pid, seconds=20):
    """Waits until nothing woke for three seconds: threads of the pool linger for half a one, longer under load."""
    begin = since = time.monotonic()
    count = wakeups(pid)
    while time.monotonic() - since < 3 and time.monotonic() - begin < seconds:
        time.sleep(0.2)
        if (now := wakeups(pid)) != count:
            count, since = now, time.monotonic()


def sent(host):
    """Packets that left by the device's interface."""
    def count():
        with open("/proc/thread-self/net/dev") as file:
            line = next(x for x in file if x.strip().startswith("eth0:"))
        return int(line.split(":")[1].split()[9])
    return host.within(count)
