#!/usr/bin/env python3
"""Nodes of several providers find each other by way of trackers: opentracker as it is, and trackers that die or lie.

usage: tests/lab/wan.py

Needs root. One internet of network namespaces, no line slower than another; about a minute.
"""

import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from namespaces import Host, missing, run, sweep, wire
from endpoint import binary
from origin import answers, get, stop, wait_for
from report import Report

SECRET = b"thirty-two bytes that only we know"
PLAYLIST = "/show/index.m3u8"
SEGMENTS, BYTES = 400, 60_000


class Internet:
    """Machines on one wire, each with an address of its own network and a way to all others."""

    def __enter__(self):
        sweep()
        self.children, self.hosts, self.count = [], [], 0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="neap-wan-"))
        self.core = Host(self, "core")
        self.hosts.append(self.core)
        self.core.ip("link", "add", "name", "br0", "type", "bridge", "mcast_snooping", "0")
        self.core.ip("link", "set", "br0", "up")
        return self

    def __exit__(self, *_):
        for child in self.children:
            stop(child, 5)
        for host in self.hosts:
            run("ip", "netns", "del", host.space, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def machine(self, name, address, number):
        host = Host(self, name)
        self.hosts.append(host)
        self.count += 1
        wire(host, "eth0", self.core, f"port{self.count}")
        self.core.ip("link", "set", f"port{self.count}", "master", "br0")
        host.address, host.address6 = address, f"2001:db8:{number:x}::1"
        host.ip("address", "add", f"{address}/32", "dev", "eth0")
        host.ip("address", "add", f"{host.address6}/64", "dev", "eth0")
        host.ip("route", "add", "default", "dev", "eth0")
        host.ip("-6", "route", "add", "default", "dev", "eth0")
        return host


class Node:
    """One neap with a player that reads a segment each half second."""

    def __init__(self, world, host, network, trackers, more="", plays=True, share="any"):
        self.host, self.network = host, network
        self.folder = world.folder / host.name
        (self.folder / "state").mkdir(parents=True, mode=0o700)
        (self.folder / "secret").write_bytes(SECRET)
        (self.folder / "secret").chmod(0o600)
        (self.folder / "neap.toml").write_text(
            f'[player]\nlisten = ["127.0.0.1:8642"]\n[admin]\nlisten = "127.0.0.1:8643"\ncontrol = ""\n'
            f'[log]\ntarget = "stderr"\nlevel = "debug"\n'
            f'[network]\nname = "{network}"\nsecret-file = "{self.folder}/secret"\nstate = "{self.folder}/state"\n'
            f'discovery = false\ntrackers = {json.dumps(trackers)}\nisp-prefixes = ["203.0.113.0/24"]\n{more}\n'
            f'[[origin]]\nname = "tv"\nurl = "http://192.0.2.2:8000/"\nshare = "{share}"\n')
        with open(self.folder / "log", "w") as log:
            self.process = host.start([binary(), "--config", self.folder / "neap.toml"], stdout=log, stderr=log)
        wait_for(lambda: host.within(lambda: answers(8642)), 20, f"neap on {host.name}")
        self.played, self.waited, self.ending = 0, 0.0, False
        if plays:
            threading.Thread(target=lambda: host.within(self._play), daemon=True).start()

    def _play(self):
        base = "http://127.0.0.1:8642/tv/show/"
        while not self.ending:
            try:
                begin = time.monotonic()
                urllib.request.urlopen(base + "index.m3u8", timeout=10).read()
                urllib.request.urlopen(f"{base}{self.played % SEGMENTS}.ts", timeout=10).read()
                self.waited = max(self.waited, time.monotonic() - begin)
                self.played += 1
            except OSError as error:
                if not self.ending:
                    self.waited = 99.0
                    print(f"note  the player of {self.host.name}: {error}")
                    return
            time.sleep(0.5)

    def status(self):
        _, _, body = self.host.within(lambda: get("http://127.0.0.1:8643/status.json"))
        return json.loads(body)

    def peers(self):
        return self.status()["network"]["peers"]

    def key(self):
        """Its key, as others are told of it, and as their status names it."""
        key = run(*self.host.wrap, binary(), "key", "--config", self.folder / "neap.toml").strip()
        return key, key.removeprefix("ed25519:")[:8]

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def end(self):
        self.ending = True
        stop(self.process)


def names(network, date=None, around=3600):
    """The info-hashes of the show around a date, as docs/discovery.md says; another hand than neap's."""
    date = int(date or time.time())
    key = hashlib.sha256(b"neap/1 meeting key\0" + network.encode() + b"\0" + SECRET).digest()
    stream = hashlib.sha256(b"neap/1 meeting\0tv\0" + PLAYLIST.encode()).digest()
    sign = lambda said: hmac.new(key, said, hashlib.sha256).digest()
    moved = struct.unpack("!I", sign(b"neap/1 change\0" + stream)[:4])[0] % 86400
    days = sorted({(date + shift + moved) // 86400 for shift in (-around, 0, around)})
    return [sign(b"neap/1 stream\0" + stream + struct.pack("!q", day))[:20] for day in days]


class Show(http.server.BaseHTTPRequestHandler):
    """The origin: a playlist on demand and its segments."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == PLAYLIST:
            kind = "application/vnd.apple.mpegurl"
            lines = "".join(f"#EXTINF:1.0,\n{n}.ts\n" for n in range(SEGMENTS))
            body = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{lines}#EXT-X-ENDLIST\n".encode()
        else:
            kind, body = "video/mp2t", hashlib.sha256(self.path.encode()).digest() * (BYTES // 32)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Tracker:
    """A tracker of the test's own, over HTTP and UDP, IPv6 too; `answer(addresses)` says what it names."""

    def __init__(self, host, port, named=None, raw=None):
        self.host, self.port, self.named, self.raw = host, port, named, raw
        self.known, self.heard = {}, []
        host.within(self._open)

    def _open(self):
        tracker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = tracker.http(self.path, self.client_address[0])
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # whoever asked has heard enough

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            address_family, daemon_threads = socket.AF_INET6, True
        web = Server(("::", self.port), Handler)
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.bind(("::", self.port))
        threading.Thread(target=web.serve_forever, daemon=True).start()
        threading.Thread(target=lambda: self._udp(udp), daemon=True).start()

    def note(self, hash, ip, port, event):
        self.heard.append((hash, event))
        if event == "stopped":
            self.known.get(hash, set()).discard((ip, port))
        else:
            self.known.setdefault(hash, set()).add((ip, port))
        return list(self.known.get(hash, ())) if self.named is None else self.named

    def http(self, path, ip):
        query = urllib.parse.urlsplit(path).query
        said = dict(pair.split("=", 1) for pair in query.split("&"))
        hash = urllib.parse.unquote_to_bytes(said["info_hash"])
        peers = self.note(hash, ip, int(said["port"]), said.get("event"))
        if self.raw is not None:
            return self.raw
        four = b"".join(packed(ip, port) for ip, port in peers if not is_six(ip))
        six = b"".join(packed(ip, port) for ip, port in peers if is_six(ip))
        return (b"d8:completei0e10:incompletei%de8:intervali60e5:peers%d:%b6:peers6%d:%be"
                % (len(peers), len(four), four, len(six), six))

    def _udp(self, udp):
        while True:
            data, sender = udp.recvfrom(2048)
            if len(data) == 16:
                udp.sendto(struct.pack("!I", 0) + data[12:16] + b"connects", sender)
            elif len(data) >= 98 and data[:8] == b"connects":
                event = {2: "started", 3: "stopped"}.get(struct.unpack("!I", data[80:84])[0])
                port = struct.unpack("!H", data[96:98])[0]
                peers = self.note(data[16:36], sender[0], port, event)
                body = b"".join(packed(ip, port) for ip, port in peers if is_six(ip) == is_six(sender[0]))
                head = struct.pack("!I", 1) + data[12:16] + struct.pack("!III", 60, len(peers), 0)
                udp.sendto(self.raw if self.raw is not None else head + body, sender)


def is_six(ip):
    return ":" in ip and not ip.startswith("::ffff:")


def packed(ip, port):
    family = socket.AF_INET6 if is_six(ip) else socket.AF_INET
    return socket.inet_pton(family, ip.removeprefix("::ffff:")) + struct.pack("!H", port)


def check(report, holds, words):
    """One line of the report, with what was seen in its words."""
    def trial():
        if not holds:
            raise AssertionError("that is not so")
    report.case(words, trial, 0.01)


class Victim:
    """A machine that counts who connects to it, and every datagram that comes."""

    def __init__(self, host):
        self.host = host
        self.calls, self.heard = [], {socket.IPPROTO_TCP: 0, socket.IPPROTO_UDP: 0}
        host.within(self._open)
        for kind in self.heard:
            host.within(lambda: self._listen(kind))

    def _listen(self, kind):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, kind)

        def count():
            while True:
                packet = raw.recv(2048)
                head = (packet[0] & 15) * 4
                # Of TCP the first segments alone: SYN without ACK.
                if kind == socket.IPPROTO_UDP or packet[head + 13] & 0x12 == 2:
                    self.heard[kind] += 1
        threading.Thread(target=count, daemon=True).start()

    def _open(self):
        door = socket.create_server(("0.0.0.0", 8644))
        threading.Thread(target=self._count, args=(door,), daemon=True).start()

    def _count(self, door):
        while True:
            caller, address = door.accept()
            self.calls.append(address[0])
            caller.close()


def main():
    if why := missing():
        print(f"SKIPPED  wan: {why}\nwan: 0 passed, 0 failed, 1 skipped")
        return
    report = Report("wan")
    with Internet() as world:
        origin = world.machine("origin", "192.0.2.2", 2)
        tracker = world.machine("tracker", "192.0.2.3", 3)
        victim = Victim(world.machine("victim", "198.18.0.1", 4))
        origin.within(lambda: threading.Thread(
            target=http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Show).serve_forever, daemon=True).start())
        around = gather(world)
        nodes = meet(report, world, tracker)
        lies(report, world, tracker, victim)
        nodes += hearsay(report, world, Victim(world.machine("named", "198.18.7.1", 250)))
        nodes += met_at_witness(report, around)
        nodes += grouped(report, world)
        worst = max(node.waited for node in nodes)
        for node in nodes:
            node.ending = True
        check(report, worst < 5, f"every player played on: {worst:.2f} s at the longest for a segment")
    report.close()


def gather(world):
    """A witness, two nodes that know nobody else, and one that hides."""
    hub = Node(world, world.machine("hub", "192.0.2.9", 9), "hub", [], 'role = "witness"', plays=False)
    known = f'peers = ["192.0.2.9:8644"]\nwitnesses = ["{hub.key()[0]}"]\n'
    near = [Node(world, world.machine(f"near{n}", f"203.0.113.{60 + n}", 60 + n), "hub", [], known) for n in (0, 1)]
    hidden = Node(world, world.machine("hidden", "203.0.113.70", 70), "hub", [], known + "relay-only = true\n")
    return hub, near, hidden


def met_at_witness(report, around):
    hub, near, hidden = around
    one, two = near
    linked = lambda node: sorted(peer["key"][:8] for peer in node.peers())
    try:
        wait_for(lambda: two.key()[1] in linked(one) and one.key()[1] in linked(two), 40, "a link between them")
        check(report, True, "two nodes that knew a witness alone are linked to each other")
    except (RuntimeError, TimeoutError) as error:
        check(report, False, f"{error}: {linked(one)} {linked(two)}: {one.log()[-600:]}")
    check(report, linked(hidden) == [hub.key()[1]], f"who hides is linked to the witness alone: {linked(hidden)}")
    return [one, two, hidden]


def grouped(report, world):
    """Three nodes that know each other and a witness; all but the last in a group, and sharing ends with that."""
    where = ["198.51.100.120", "100.64.9.121", "100.64.10.122"]
    group = 'groups = { AS64500 = ["198.51.100.0/24", "100.64.9.0/24"] }\n'
    signer = Node(world, world.machine("signer", "198.51.100.119", 119), "grouped", [], f'role = "witness"\n{group}',
                  plays=False, share="isp")
    known = ["198.51.100.119:8644"] + [f"{address}:8644" for address in where]
    more = f'peers = {json.dumps(known)}\nwitnesses = ["{signer.key()[0]}"]\n{group}'
    nodes = []
    for number, address in enumerate(where):
        host = world.machine(f"group{number}", address, 120 + number)
        nodes.append(Node(world, host, "grouped", [], more, share="isp"))
        if number == 0:
            wait_for(lambda: nodes[0].played > 4, 20, "a few segments on one node")
    keys = [node.key()[1] for node in [signer, *nodes]]
    tiers = lambda node: {keys.index(peer["key"][:8]): peer["tier"] for peer in node.peers()}
    taken = lambda node: sum(peer["taken_bytes"] for peer in node.peers())
    try:
        wait_for(lambda: all(len(node.peers()) == 3 for node in nodes) and taken(nodes[1]) > 0, 40, "links and bytes")
    except TimeoutError as error:
        check(report, False, f"groups: {error}: {[tiers(node) for node in nodes]}")
        return nodes
    played = nodes[2].played
    wait_for(lambda: nodes[2].played > played + 10, 20, "ten segments on the third")
    check(report, tiers(nodes[0]) == {0: "isp", 2: "isp", 3: "wan"}, f"groups: who is in the same one is near: {tiers(nodes[0])}")
    check(report, tiers(nodes[2]) == {0: "wan", 1: "wan", 2: "wan"}, f"groups: and nobody is to who is in none: {tiers(nodes[2])}")
    given = sum(peer["given_bytes"] for peer in nodes[2].peers())
    check(report, taken(nodes[2]) == given == 0, f"groups: {taken(nodes[1]) / 1e6:.1f} MB within one, none beyond it")
    return nodes


def opentracker(report, world, tracker, networks):
    """Debian's opentracker, which announces only what is on its list."""
    program = shutil.which("opentracker")
    if not program:
        report.skip("opentracker", "it is not installed (tests/setup lab)")
        return False
    folder = world.folder / "opentracker"
    folder.mkdir()
    os.chmod(world.folder, 0o755)
    os.chmod(folder, 0o777)
    listed = [name.hex() for network in networks for name in names(network)]
    (folder / "white").write_text("".join(f"{name}\n" for name in listed))
    log = open(world.folder / "opentracker.log", "w")
    tracker.start([program, "-i", tracker.address, "-p", 6969, "-P", 6969, "-d", folder, "-w", "/white"],
                  stdout=log, stderr=log)
    wait_for(lambda: tracker.within(lambda: answers(6969, tracker.address)), 10, "opentracker")
    return True


def meet(report, world, tracker):
    """Pairs that find each other: HTTP and UDP, IPv4 and IPv6, the second tracker when the first is dead."""
    dead = f"udp://{tracker.address}:6900"
    ours = f"{tracker.address}:6969"
    honest = Tracker(tracker, 7000)
    kinds = {
        "http": ([f"http://{ours}/announce"], "isp", True),
        "udp": ([f"udp://{ours}"], "wan", True),
        "spare": ([dead, f"http://{tracker.address}:6901/a", f"udp://{ours}"], "wan", True),
        "http6": ([f"http://[{tracker.address6}]:7000/announce"], "wan", False),
        "udp6": ([f"udp://[{tracker.address6}]:7000"], "wan", False),
    }
    real = opentracker(report, world, tracker, [kind for kind, (_, _, real) in kinds.items() if real])
    pairs, number = {}, 16
    for kind, (trackers, tier, wants_real) in kinds.items():
        if wants_real and not real:
            continue
        where = ["203.0.113", "203.0.113"] if tier == "isp" else ["198.51.100", "100.64.7"]
        hosts = [world.machine(f"{kind}{side}", f"{net}.{number + side}", number + side)
                 for side, net in enumerate(where)]
        pairs[kind] = [Node(world, host, kind, trackers) for host in hosts]
        number += 2
    begin = time.monotonic()
    for kind, pair in pairs.items():
        tier = kinds[kind][1]
        try:
            wait_for(lambda: all(len(node.peers()) == 1 for node in pair), 45, "a link")
            tiers = [node.peers()[0]["tier"] for node in pair]
            check(report, tiers == [tier, tier], f"{kind}: two nodes found each other after "
                         f"{time.monotonic() - begin:.0f} s, as {tiers}")
        except (RuntimeError, TimeoutError) as error:
            check(report, False, f"{kind}: {error}: {pair[0].log()[-400:]}")
    print("note  Debian's opentracker is built for IPv4 alone: the pairs over IPv6 met at a tracker of the test")
    if real:
        hash = urllib.parse.quote(names("udp", around=0)[0])
        scrape = lambda: tracker.within(lambda: get(f"http://{ours}/scrape?info_hash={hash}")[2])
        count = lambda: int((re.search(rb"incompletei(\d+)e", scrape()) or [0, 0])[1])
        before = count()
        pairs["udp"][0].end()
        wait_for(lambda: count() == before - 1, 5, "the goodbye")
        check(report, before == 2, f"stopped: opentracker knew of {before} nodes, and of {count()} when one had ended")
    return [node for pair in pairs.values() for node in pair]


def lies(report, world, tracker, victim):
    """Trackers that name everybody, a victim, the asker himself, or speak nonsense."""
    target = ("198.18.0.1", 8644)
    crowd = [(f"198.18.{n // 250}.{n % 250 + 2}", 8644) for n in range(10_000)]
    home = [("127.0.0.1", 8643), ("192.168.1.1", 8644), ("10.0.0.1", 22), ("224.0.0.251", 5353), ("198.51.100.90", 22)]
    trackers = {
        "crowd": Tracker(tracker, 7101, named=crowd), "garbage": Tracker(tracker, 7102, raw=os.urandom(700)),
        "victim": Tracker(tracker, 7103, named=[target] * 40), "own": Tracker(tracker, 7104),
        "home": Tracker(tracker, 7105, named=home), "endless": Tracker(tracker, 7106, raw=b"d5:peers99999:" + bytes(9 << 20)),
    }
    nodes = {}
    for number, (kind, _) in enumerate(trackers.items()):
        port = trackers[kind].port
        way = [f"http://{tracker.address}:{port}/a"] if number % 2 == 0 or kind == "endless" else [f"udp://{tracker.address}:{port}"]
        host = world.machine(f"lied{number}", f"198.51.100.{200 + number}", 200 + number)
        nodes[kind] = Node(world, host, kind, way)
    wait_for(lambda: all(tracker.heard for tracker in trackers.values()), 30, "an announcement at each")
    time.sleep(12)
    check(report, len(victim.calls) <= 3, f"a victim that two of them name 40 times and among thousands was called "
                 f"{len(victim.calls)} times in all")
    dials = lambda kind: len(set(re.findall(r"no link with (\S+):", nodes[kind].log())))
    check(report, dials("home") == 0, f"addresses of the home and of other services are not dialled ({dials('home')})")
    check(report, dials("crowd") <= 8, f"of 10,000 addresses {dials('crowd')} were tried")
    for kind, node in nodes.items():
        status = node.status()
        resident = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{node.process.pid}/status").read_text())[1])
        fine = node.process.poll() is None and node.waited < 5 and node.played > 10 and not status["network"]["peers"]
        check(report, fine and resident < 40_000, f"{kind}: plays on, {node.played} segments, {resident} KiB at the most")
        node.end()


def hearsay(report, world, victim):
    """Members that name one victim four times a second: as nodes that they know, and as one to be met now."""
    liar = binary().parent / "examples" / "liar"
    if not liar.exists():
        report.skip("hearsay", "no program liar: cargo build --release --example liar")
        return []
    node = Node(world, world.machine("told", "198.51.100.240", 240), "home", [])
    (world.folder / "liars").write_bytes(SECRET)
    for number in (241, 242, 243):
        host = world.machine(f"liar{number}", f"192.0.{number}.1", number)
        host.start([liar, f"names={victim.host.address}", world.folder / "liars", f"{node.host.address}:8644"],
                   stdout=subprocess.DEVNULL)
    wait_for(lambda: len(node.peers()) == 3, 10, "three liars to be linked")
    time.sleep(12)
    syns, datagrams = victim.heard.values()
    check(report, 1 <= syns + datagrams and syns <= 4 and datagrams <= 16, f"a victim that three members name thousands of "
                 f"times heard {datagrams} datagrams and {syns} calls")
    return [node]


if __name__ == "__main__":
    main()
