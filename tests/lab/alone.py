"""A narrow line: one device whose line carries little more than its stream needs, through neap and directly.

What is fetched ahead must not take from what the player waits for, and what it has turned away from must not go on.
"""

import http.client
import time

from namespaces import ORIGIN
from node import Node

# Bit/s: a seventh more than the film's high rendition, and what is left when the player turns to the low one.
NARROW, CUT, WIDE, UP = 3.0e6, 1.0e6, 12e6, 5e6
SEGMENTS = 4
# Milliseconds of a round trip to a far origin.
FAR = 200
# Of what direct play takes, and a jitter of the machine.
WORSE, JITTER = 1.15, 0.3
MASTER = ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2600000\nhigh/index.m3u8\n"
          "#EXT-X-STREAM-INF:BANDWIDTH=700000\nlow/index.m3u8\n")


class Player:
    """Fetches paths of the film one after the other, as a player does that fills its buffer."""

    def __init__(self, host, address, port, base):
        self.host, self.address, self.port, self.base = host, address, port, base

    def get(self, path, leaves=None):
        """Seconds until the last byte; `leaves`: it hangs up after so many seconds."""
        def work():
            begin = time.monotonic()
            link = http.client.HTTPConnection(self.address, self.port, timeout=60)
            link.request("GET", self.base + path)
            reply = link.getresponse()
            if reply.status != 200:
                raise RuntimeError(f"{path}: {reply.status}")
            while reply.read(16384):
                if leaves and time.monotonic() - begin > leaves:
                    break
            link.close()
            return time.monotonic() - begin
        return self.host.within(work)

    def begin(self, *playlists):
        for playlist in ("master.m3u8", *playlists):
            self.get(playlist)


def begins(home, player):
    """A start on the narrow line: seconds of each segment."""
    home.rates(WIDE, UP)
    player.begin("high/index.m3u8")
    home.rates(NARROW, UP)
    return [player.get(f"high/s{number:03}.ts") for number in range(SEGMENTS)]


def turns(home, player):
    """The line falls while a segment comes: the player hangs up and turns to the low rendition; seconds of its first one."""
    home.rates(WIDE, UP)
    player.begin("high/index.m3u8")
    for number in range(SEGMENTS, SEGMENTS + 2):
        player.get(f"high/s{number:03}.ts")
        time.sleep(1)
    home.rates(CUT, UP)
    player.get(f"high/s{SEGMENTS + 4:03}.ts", leaves=2)
    player.get("low/index.m3u8")
    return player.get(f"low/s{SEGMENTS + 4:03}.ts")


def seeks(home, player):
    """A player that holds enough seeks while its next segment may come on a narrow line; seconds of the one it wants."""
    home.rates(WIDE, UP)
    time.sleep(3)  # What the trial before fetched ahead comes to its end.
    player.begin("low/index.m3u8")
    for number in range(2):
        player.get(f"low/s{number:03}.ts")
    home.rates(CUT, UP)
    time.sleep(0.5)
    return player.get(f"low/s{SEGMENTS + 1:03}.ts")


def leaves(home, player):
    """On a long line a player leaves a segment in the middle and asks for another: seconds of that one."""
    home.rates(WIDE, UP)
    home.far(FAR)
    try:
        player.begin("high/index.m3u8", "low/index.m3u8")
        player.get(f"high/s{SEGMENTS + 2:03}.ts", leaves=0.8)
        return player.get(f"low/s{SEGMENTS + 6:03}.ts")
    finally:
        home.far(home.delay_ms)


def alone(report, home, origin, line):
    """All trials; the line is as before after them."""
    device = home.devices[0]
    (origin.media / "film" / "master.m3u8").write_text(MASTER)
    direct = Player(device, ORIGIN, 80, "/film/")
    node = Node(home, device, sharing=False).start(origin)
    through = Player(device, "127.0.0.1", 8642, "/plain/film/")
    try:
        def start():
            bare, ours = begins(home, direct), begins(home, through)
            said = f"first {ours[0]:.1f} s, all {sum(ours):.1f} s; directly {bare[0]:.1f} and {sum(bare):.1f} s"
            if ours[0] > bare[0] * WORSE + JITTER or sum(ours) > sum(bare) * WORSE + JITTER:
                raise AssertionError(said)
            return said

        def no_slower(measure, what):
            def check():
                bare, ours = measure(home, direct), measure(home, through)
                said = f"{what} after {ours:.1f} s; directly {bare:.1f} s"
                if ours > bare * WORSE + JITTER:
                    raise AssertionError(said)
                return said
            return check

        report.case("narrow line: a start is as quick as directly", start)
        report.case("narrow line: what is turned away from takes nothing",
                    no_slower(turns, "the low rendition's first segment"))
        report.case("narrow line: a seek is as quick as directly", no_slower(seeks, "the segment"))

        def left():
            bare = leaves(home, direct)
            node.process.kill()
            node.process.wait()
            node.again()
            ours = leaves(home, through)
            said = f"the next segment after {ours:.2f} s; directly, on a new connection, {bare:.2f} s"
            if ours > bare - FAR / 2000:
                raise AssertionError(said)
            return said

        report.case("long line: who leaves a segment finds another connection made", left)
    finally:
        home.rates(line["down"], line["up"])
        node.process.kill()
        node.process.wait()
