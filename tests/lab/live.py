"""Live trials: what the origin sends, whether anybody waits, whether the pictures are the right ones."""

import re
import time

from broadcast import HIGH, ROOT, mean, middle
from node import Nodes
from origin import stop, wait_for
from watch import Ffmpeg, Watcher, reference, same

HIGH_PATH = "live/hls/high/index.m3u8"
LOW_PATH = "live/hls/low/index.m3u8"
DASH_PATH = "live/dash/manifest.mpd"
# The aim: what the origin sends of a segment, in copies, for however many devices.
COPIES = 1.5
# Seconds between the starts of players: nobody in a home starts on the very same beat.
APART = 1.5
# Seconds that all players of a trial together may wait for a picture.
WAITED = 0.6
LIAR = ROOT / "target" / "release" / "examples" / "liar"


class Live:
    """The live trials on one home with one broadcast; `sharing` off gives the figures to compare with."""

    def __init__(self, report, home, origin, sharing):
        self.report, self.home, self.origin, self.sharing = report, home, origin, sharing

    def nodes(self, devices, mixed=()):
        """A neap on each device and, where there is sharing, a witness on the gateway; linked."""
        nodes = Nodes(self.home, self.origin)
        for device in devices:
            nodes.add(device, sharing=self.sharing and device not in mixed)
        if self.sharing:
            nodes.add(self.home.gateway, role="witness")
        try:
            nodes.start()
            if self.sharing:
                nodes.wait_links()
        except BaseException:
            print(nodes.tail())
            nodes.__exit__()
            raise
        return nodes

    def watch(self, urls):
        """{name: ffmpeg} of {device: URL}, begun one after the other."""
        players = {}
        for device, url in urls.items():
            players[device.name] = Ffmpeg(device, url)
            time.sleep(APART)
        return players

    # -- the checks ------------------------------------------------------------------------------

    def copies(self, name, mark, under, limit=COPIES, but=None):
        """How often each segment crossed the line, and that it is seldom enough; what `but` took is left out."""
        taken = middle(self.origin.copies(mark, under, but), 2)

        def judge():
            if len(taken) < 3:
                raise AssertionError(f"only {len(taken)} segments were taken whole: too short a run")
            said = f"{mean(taken):.2f} copies a segment, at most {max(taken):.2f}, {len(taken)} segments"
            if self.sharing and mean(taken) > limit:
                raise AssertionError(f"{said}; more than {limit}")
            # What misses its aim says so, and docs/performance.md why.
            above = self.sharing and mean(taken) > COPIES
            return said + (f"; ABOVE the aim of {COPIES}" if above else "")
        self.report.case(f"{name}: what the origin sent", judge)

    def quiet(self, name, players):
        """No player waited for a picture."""
        def judge():
            waits = [f"{who} {late:.2f} s" for who, player in players.items()
                     for _, late in player.stalls.waits]
            silent = [who for who, player in players.items() if player.stalls.zero is None]
            # All players, nodes and the origin share this machine's few cores.
            long = sum(late for player in players.values() for _, late in player.stalls.waits) > WAITED
            if long or silent:
                raise AssertionError("; ".join([f"waited: {', '.join(waits[:8])}"] * bool(waits)
                                               + [f"never played: {', '.join(silent)}"] * bool(silent)))
            return ", ".join(players) + (f"; waited: {', '.join(waits)}" if waits else "")
        self.report.case(f"{name}: no stall", judge)

    def frames(self, name, players, rendition="high", cut=()):
        """Each player showed what direct play shows; those in `cut` may have got half of their last frame."""
        direct = {}
        for who, player in players.items():
            if player.decode not in direct:
                direct[player.decode] = reference(self.origin.segments(rendition)[:-1], player.decode)
            expected = direct[player.decode]
            # The last segment may still be in work at the origin's end of the comparison.
            end = max(when for _, when in expected)
            last = {s: max((k[1] for k in player.frames if k[0] == s), default=0) for s in (0, 1)}
            shown = {k: v for k, v in player.frames.items()
                     if k[1] <= end and not (who in cut and k[1] == last[k[0]])}
            self.report.case(f"{name}: frames on {who}", lambda: same(expected, shown, 300))

    def played(self, nodes, name):
        """Peers gave most of what was played; otherwise the figures above say nothing about sharing."""
        def judge():
            # Players may read a thing twice out of the cache: what came into the devices counts.
            devices = [n.counters() for n in nodes.all if n.alive() and n.role != "witness"]
            given, fetched = (sum(c.get(k, 0) for c in devices) for k in ("peer_taken_bytes", "origin_bytes"))
            if given < (given + fetched) / 4:
                raise AssertionError(f"peers gave {given} bytes, the origin {fetched}")
            return (f"peers gave {given / 1e6:.1f} MB, the origin {fetched / 1e6:.1f} MB, which was asked late "
                    f"{nodes.sums('origin_late')} times")
        if self.sharing:
            self.report.case(f"{name}: peers gave", judge)

    # -- the trials ------------------------------------------------------------------------------

    def evening(self):
        """Three watch; one cable is pulled, one comes late, one neap is killed: the others never notice."""
        one, two, three, four = self.home.devices[:4]
        with self.nodes((one, two, three, four)) as nodes:
            mark = len(self.origin.log())
            players = {}
            for device in (one, two, three):
                players[device.name] = Ffmpeg(device, nodes.all[0].base() + HIGH_PATH, decode=device is one)
                time.sleep(APART)
            time.sleep(18)
            self.copies("three watch live", mark, "/live/hls/high")
            calm = {who: player.stalls for who, player in players.items()}
            self.quiet("three watch live", players)
            waits = {who: len(s.waits) for who, s in calm.items()}
            mark = len(self.origin.log())
            self.home.plug(three, into=False)
            unplugged = players.pop(three.name)
            time.sleep(6)
            players[four.name] = Ffmpeg(four, nodes.all[0].base() + HIGH_PATH)
            time.sleep(8)
            nodes.all[1].kill()
            killed = players.pop(two.name)
            time.sleep(10)
            for player in (*players.values(), unplugged, killed):
                player.end()
            self.home.plug(three, into=True)
            for who, player in players.items():
                player.stalls.waits = player.stalls.waits[waits.get(who, 0):]
            self.copies("a cable pulled, a late joiner, a kill", mark, "/live/hls/high")
            self.quiet("a cable pulled, a late joiner, a kill", players)
            self.frames("an evening", {**players, two.name: killed, three.name: unplugged},
                        cut=(two.name, three.name))
            self.played(nodes, "an evening")
            self.faults(nodes)

    def apart(self):
        """A wireless network that lets its guests reach the gateway alone: all that they share goes by way of it."""
        devices = self.home.devices[:4]
        for device in devices:
            self.home.port(device, "isolated", "on")
        try:
            with Nodes(self.home, self.origin) as nodes:
                for device in devices:
                    nodes.add(device, peers=[f"{self.home.gateway.address}:8644"])
                gateway = nodes.add(self.home.gateway, role="witness")
                nodes.start()
                wait_for(lambda: len(gateway.linked()) == len(devices), 20, "links to the gateway")
                mark = len(self.origin.log())
                players = self.watch({device: nodes.all[0].base() + HIGH_PATH for device in devices})
                time.sleep(22)
                for player in players.values():
                    player.end()
                self.copies("each reaches the gateway alone", mark, "/live/hls/high")
                self.quiet("each reaches the gateway alone", players)

                def apart():
                    if crossed := [n.host.name for n in nodes.all if n is not gateway and len(n.linked()) != 1]:
                        raise AssertionError(f"{crossed} have other links than that to the gateway")
                self.report.case("each reaches the gateway alone: no other link", apart)
        finally:
            for device in devices:
                self.home.port(device, "isolated", "off")

    def narrow(self):
        """Four watch while the line is cut to twice one stream's rate."""
        devices = self.home.devices[:4]
        with self.nodes(devices) as nodes:
            players = self.watch({device: nodes.all[0].base() + HIGH_PATH for device in devices})
            time.sleep(4)
            self.home.rates(2 * HIGH, 2e6)
            mark = len(self.origin.log())
            time.sleep(26)
            for player in players.values():
                player.end()
            self.home.rates(self.home.down, self.home.up)
            self.copies("four on a narrow line", mark, "/live/hls/high")
            if self.sharing:
                self.quiet("four on a narrow line", players)
            else:
                stalls = sum(len(p.stalls.waits) for p in players.values())
                waited = sum(late for p in players.values() for _, late in p.stalls.waits)
                print(f"         without sharing: {stalls} stalls, {waited:.1f} s of waiting")
            self.played(nodes, "four on a narrow line")
            self.faults(nodes)

    def mixed(self):
        """Two renditions, HLS and DASH, and one device that does not share, at the same time."""
        one, two, three, four = self.home.devices[:4]
        with self.nodes((one, two, three, four), mixed=(four,)) as nodes:
            mark = len(self.origin.log())
            base = nodes.all[0].base()
            paths = {one: HIGH_PATH, two: HIGH_PATH, three: LOW_PATH, four: HIGH_PATH}
            players = self.watch({device: base + path for device, path in paths.items()})
            time.sleep(20)
            for player in players.values():
                player.end()
            # Beside those of the device that does not share.
            self.copies("a mixed home, high", mark, "/live/hls/high", but=four.address)
            self.quiet("a mixed home", players)
            low = {three.name: players.pop(three.name)}
            self.frames("a mixed home", players)
            self.frames("a mixed home, low", low, "low")

            def alone():
                figures = nodes.all[3].counters()
                moved = {k: figures.get(k, 0) for k in ("peer_taken_bytes", "peer_given_bytes", "peers_joined")}
                if any(moved.values()):
                    raise AssertionError(f"the node without sharing did {moved}")
            self.report.case("a mixed home: who does not share stays alone", alone)
            self.faults(nodes)

    def dash(self):
        """Three watch DASH."""
        devices = self.home.devices[:3]
        with self.nodes(devices) as nodes:
            mark = len(self.origin.log())
            players = self.watch({d: nodes.all[0].base() + DASH_PATH for d in devices})
            time.sleep(20)
            for player in players.values():
                player.end()
            self.copies("three watch DASH", mark, "/live/dash/chunk-stream", COPIES + 0.5)
            self.quiet("three watch DASH", players)
            self.played(nodes, "three watch DASH")
            self.faults(nodes)

    def liars(self):
        """One of four lies: with wrong bytes, with silence, with promises. Nobody sees or waits for anything."""
        if not LIAR.exists():
            return self.report.skip("liars", f"no {LIAR.name}: cargo build --release --example liar")
        one, two, three, four = self.home.devices[:4]
        for lie in ("bytes", "silent", "coming"):
            with self.nodes((one, two, three)) as nodes:
                said = nodes.place / "liar.log"
                addresses = [f"{n.host.address}:8644" for n in nodes.all]
                with open(said, "w") as out:
                    liar = four.start([LIAR, lie, nodes.all[0].folder / "secret", *addresses],
                                      stdout=out, stderr=out)
                mark = len(self.origin.log())
                wait_for(lambda: "links 4" in said.read_text(), 15, "the liar's links")
                players = self.watch({d: nodes.all[0].base() + HIGH_PATH for d in (one, two, three)})
                time.sleep(13)
                for player in players.values():
                    player.end()
                stop(liar)
                self.report.case(f"a liar ({lie}): it was tried", lambda: lied(said.read_text(), lie))
                self.copies(f"a liar ({lie})", mark, "/live/hls/high", 2)
                self.quiet(f"a liar ({lie})", players)
                self.frames(f"a liar ({lie})", players)
                self.report.case(f"a liar ({lie}): what came of it", lambda: judged(nodes, lie))
                self.faults(nodes)

    def crowd(self, count, seconds, direct=False):
        """Figures of `count` devices with small players; `direct`: without neap. `copies` after the start, `whole` with it."""
        devices = self.home.devices[:count]
        folder = self.origin.live / "hls" / "high"
        listed = lambda name: (folder / name).stat().st_mtime if (folder / name).exists() else None
        with Nodes(self.home, self.origin) if direct else self.nodes(devices) as nodes:
            mark = len(self.origin.log())
            base = self.origin.url if direct else nodes.all[0].base()
            players = {}
            for device in devices:
                players[device.name] = Watcher(device, base + HIGH_PATH, listed=listed)
                time.sleep(APART)
            time.sleep(4)
            steady, before = len(self.origin.log()), sum(n.processor() for n in nodes.all)
            time.sleep(seconds)
            used = sum(n.processor() for n in nodes.all) - before
            for player in players.values():
                player.ending.set()
            for player in players.values():
                player.end()
            taken = middle(self.origin.copies(steady, "/live/hls/high"), 2)
            whole = self.origin.copies(mark, "/live/hls/high").values()
            took = sorted(late for p in players.values() for _, late in p.took[3:])
            had = sorted(late for p in players.values() for _, late in p.had[3:])
            stalls = [late for p in players.values() for _, late in p.stalls.waits]
            self.faults(nodes)
            return {"copies": mean(taken), "whole": mean(whole), "stalls": len(stalls), "waited": sum(stalls),
                    "late": nodes.sums("origin_late"), "took50": at(took, 0.5), "took95": at(took, 0.95),
                    "had50": at(had, 0.5), "had95": at(had, 0.95), "cpu": used / seconds,
                    "faults": sum(len(p.faults) for p in players.values())}

    def faults(self, nodes):
        """What a node said of itself that should not be: printed, for whoever looks."""
        for node in nodes.all:
            for line in node.output().splitlines():
                if re.match(r"<[0-4]>|.*panic", line) and "neap.toml:" not in line:
                    print(f"         {node.host.name}: {line[:220]}")


def lied(text, lie):
    """The liar's last count; a liar that nobody asks shows nothing."""
    said = re.findall(r"asked (\d+) given (\d+) links (\d+)", text)
    asked, given = (max(int(one[i]) for one in said) for i in (0, 1))
    if lie == "bytes" and not given or lie == "silent" and not asked:
        raise AssertionError(f"asked {asked}, given {given}: nobody fell for it, so nothing is shown")
    return f"asked for {asked} blocks, gave {given} wrong ones, links at the end {said[-1][2]}"


def judged(nodes, lie):
    """Wrong bytes are noticed, and each node takes three at most; silence and promises cost the liar its turn."""
    each, banned = [n.counters().get("bad_blocks", 0) for n in nodes.all], nodes.sums("peers_banned")
    bad = sum(each)
    if lie == "bytes" and (not bad or max(each) > 3):
        raise AssertionError(f"bad blocks by node: {each}, {banned} bans")
    return f"{bad} bad blocks, {banned} bans, the origin asked late {nodes.sums('origin_late')} times"


def at(values, quantile):
    return values[min(len(values) - 1, int(len(values) * quantile))] if values else float("nan")
