"""Standby by the kernel's own count: no packet leaves, nothing wakes; the player's port answers and ends it."""

import time

from bed import Bed, fetch_all, pid_of, wakeups
from origin import get, wait_for


def standby(report, home, origin, seconds):
    with Bed(home, origin) as bed:
        bed.build(takers=1, discovery=True)
        giver, host = bed.giver, bed.giver.host
        pid = pid_of(giver)
        fetch_all(giver, 2)
        said = giver.call("standby")
        report.case("standby: links end politely", lambda: wait_for(
            lambda: giver.key.split(":")[1][:8] not in bed.takers[0].linked(), 5, "the link's end") and said.strip())
        # What was under way ends: a goodbye within a second, a thread of the pool within another.
        time.sleep(4)

        def quiet():
            before, packets = wakeups(pid), sent(host)
            time.sleep(seconds)
            woken, left = wakeups(pid) - before, sent(host) - packets
            if woken or left:
                raise AssertionError(f"{woken} wake-ups and {left} packets in {seconds} s")
            return f"0 packets, 0 wake-ups in {seconds} s"
        report.case("standby: nothing leaves and nothing wakes", quiet, seconds)

        def wakes():
            if giver.status()["state"] != "standby":
                raise AssertionError(f"the state is {giver.status()['state']}")
            code, _, body = host.within(lambda: get("http://127.0.0.1:8642/cdn/film/s000.ts"))
            if code != 200:
                raise AssertionError(f"the player got {code}")
            wait_for(lambda: len(giver.linked()) >= 1, 20, "links after standby")
            return f"{len(body)} bytes, state {giver.status()['state']}, linked again"
        report.case("standby: a player ends it", wakes)


def sent(host):
    """Packets that left by the device's interface."""
    def count():
        with open("/proc/thread-self/net/dev") as file:
            line = next(x for x in file if x.strip().startswith("eth0:"))
        return int(line.split(":")[1].split()[9])
    return host.within(count)
