"""What every trial of the caps stands on: a home with a giver, takers and a witness, and meters that neap cannot reach.

The giver is the node under test. A film of random bytes at 25 Mbit/s is in its cache, proven by the witness; takers
fetch it over and over with caches that cannot hold it, so that demand never ends.
"""

import http.client
import os
import pathlib
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))
from broadcast import Inside
from endpoint import binary
from namespaces import ORIGIN, enter, plain
from node import Node, Nodes
from origin import get, wait_for

ROOT = HERE.parent.parent
RATE = 25_000_000
SECONDS = 2
FILM = "film/index.m3u8"
TICK = os.sysconf("SC_CLK_TCK")


def media(segments):
    """The folder with the film, made once: its bytes come from /dev/urandom, since nobody looks at pictures here."""
    folder = ROOT / "target" / "media-caps"
    film = folder / "film"
    stamp = folder / f"complete-{segments}"
    if not stamp.exists():
        film.mkdir(parents=True, exist_ok=True)
        for number in range(segments):
            (film / f"s{number:03}.ts").write_bytes(os.urandom(RATE * SECONDS // 8))
        stamp.touch()
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SECONDS}", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for number in range(segments):
        lines += [f"#EXTINF:{SECONDS}.0,", f"s{number:03}.ts"]
    (film / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n")
    return folder


class Source(Inside):
    """nginx in the home's internet, with the film."""

    def __init__(self, home, segments):
        super().__init__(home, media(segments))
        self.segments = segments

    def size(self):
        return self.segments * RATE * SECONDS // 8


class Capped(Node):
    """A node with caps: `caps` holds lines of the section."""

    def write(self, origin, witnesses):
        super().write(origin, witnesses)
        file = self.folder / "neap.toml"
        caps = self.more.get("caps", "")
        disk = self.more.get("disk")
        text = file.read_text()
        if disk:
            text = text.replace("[cache]\n", f'[cache]\ndisk = "{disk}"\npath = "{self.folder}/cache"\n')
        file.write_text(f"{text}\n[caps]\n{caps}\n" if caps else text)

    def recap(self, caps):
        """Other caps, taken over while it runs."""
        self.more["caps"] = caps
        self.write(*self.written)
        # Each reload is numbered in its line.
        number = self.output().count("configuration read again") + 1
        self.process.send_signal(1)
        try:
            wait_for(lambda: f", reload {number}\n" in self.output(), 10, "the reload")
        except TimeoutError as fault:
            raise TimeoutError(f"{fault}; the log ends: {self.output()[-1500:]}") from fault

    def start(self, origin, witnesses=()):
        self.written = (origin, witnesses)
        return super().start(origin, witnesses)

    def again(self):
        """As any node, but within a cgroup where one is named, which counts all that it holds, with more of an
        environment, and by another `program`, as an emulator and what it runs."""
        group, more = self.more.get("group"), self.more.get("env", {})
        # Into the group first: what `ip netns exec` mounts for its program hides the cgroups.
        join = ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"] if group else []
        env = ["env", *(f"{name}={value}" for name, value in more.items())] if more else []
        program = self.more.get("program") or [binary()]
        command = [*join, *self.host.wrap, *env, *program, "--config", self.folder / "neap.toml"]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        self.home.children.append(self.process)
        wait_for(self._up, 20, f"neap on {self.host.name}")
        return self

    def call(self, word):
        """`neap standby` and its like."""
        done = subprocess.run([str(binary()), word, "--config", str(self.folder / "neap.toml")],
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"neap {word}: {done.returncode}: {done.stderr}")
        return done.stdout


class Bed(Nodes):
    """Giver, takers and witness in a home, linked by their addresses."""

    finding = "static"

    def __init__(self, home, origin):
        super().__init__(home, origin)
        self.giver = self.witness = None
        self.takers = []

    def add(self, host, **more):
        node = Capped(self.home, host, **more)
        self.all.append(node)
        return node

    def build(self, caps="", takers=2, far=False, **more):
        """All of them, running and linked; `far` puts the takers into the internet, where addresses are public."""
        self.giver = self.add(self.home.devices[0], **{"memory": "256 MiB", "caps": caps, **more})
        self.witness = self.add(self.home.gateway, role="witness", memory="256 MiB", caps='cpu = ""')
        hosts = [self.home.internet] if far else self.home.devices[1:1 + takers]
        # The interface is to count packets as they are on a wire, not as the kernel joins them.
        self.giver.host.within(lambda: plain("eth0"))
        for host in hosts:
            extra = {"peers": [], "discovery": False} if far else {}
            self.takers.append(self.add(host, memory="8 MiB", caps='cpu = ""', **extra))
        if far:
            # Who is dialled at a public address is linked over QUIC.
            near, beyond = f"{self.home.gateway.address}:8644", f"{ORIGIN}:8644"
            self.giver.more = {"peers": [near, beyond], "discovery": False, **self.giver.more}
            self.witness.more = {"peers": [f"{self.giver.host.address}:8644"], "discovery": False, **self.witness.more}
        self.start()
        for taker in self.takers:
            wait_for(lambda: len(taker.linked()) >= 1, 20, f"links of {taker.host.name}")
        return self

    def warm(self, seconds=90):
        """Has the giver fetch the film, and waits until the takers can have it of the giver."""
        fetch_all(self.giver, self.origin.segments)
        wait_for(lambda: self.witness.counters().get("origin_bytes", 0) >= 0, seconds, "the witness")

    def demand(self):
        """Takers that want everything, all the time."""
        return Demand(self.takers, self.origin.segments)


def fetch_all(node, segments, path="cdn/film/"):
    def work():
        for number in range(segments):
            code, _, body = get(f"http://127.0.0.1:8642/{path}s{number:03}.ts")
            if code != 200 or len(body) != RATE * SECONDS // 8:
                raise RuntimeError(f"{node.host.name}: s{number:03}.ts: {code}, {len(body)} bytes")
        return True
    node.host.within(lambda: get(f"http://127.0.0.1:8642/{path}index.m3u8"))
    return node.host.within(work)


class Demand:
    """Players that fetch the film's segments as fast as they come, over and over. A context manager."""

    def __init__(self, takers, segments):
        self.ending, self.threads, self.bytes, self.faults = threading.Event(), [], 0, []
        for taker in takers:
            self.threads.append(threading.Thread(target=self._run, args=(taker, segments), daemon=True))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(30)

    def _run(self, taker, segments):
        enter(taker.host.space)
        while not self.ending.is_set():
            try:
                get("http://127.0.0.1:8642/cdn/film/index.m3u8", timeout=20)
                for number in range(segments):
                    if self.ending.is_set():
                        return
                    code, _, body = get(f"http://127.0.0.1:8642/cdn/film/s{number:03}.ts", timeout=60)
                    self.bytes += len(body)
                    if code != 200:
                        self.faults.append(code)
            except (OSError, http.client.HTTPException) as fault:
                self.faults.append(str(fault))
                self.ending.wait(0.5)


class Meter:
    """Samples, ten times a second, of what the kernel counts: an interface's bytes and packets, a process's CPU
    time and writes. `figures` are (moment, sent, packets sent, received, CPU seconds, bytes written). A context
    manager."""

    def __init__(self, host, pid, device="eth0"):
        self.host, self.pid, self.device = host, pid, device
        self.figures, self.ending = [], threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(5)

    def _run(self):
        enter(self.host.space)
        while not self.ending.is_set():
            self.figures.append(self.now())
            self.ending.wait(0.1)

    def now(self):
        text = pathlib.Path("/proc/thread-self/net/dev").read_text()
        line = next(x for x in text.splitlines() if x.strip().startswith(f"{self.device}:"))
        figures = line.split(":")[1].split()
        return (time.monotonic(), int(figures[8]), int(figures[9]), int(figures[0]), cpu(self.pid), written(self.pid))

    def most(self, column, seconds):
        """The most that a column grew in any window of so many seconds, by the second."""
        best, begin = 0.0, 0
        for end in range(len(self.figures)):
            while self.figures[end][0] - self.figures[begin][0] > seconds:
                begin += 1
            # The window from the sample before, which is a little longer than asked for.
            first = self.figures[max(0, begin - 1)]
            took = self.figures[end][0] - first[0]
            if took >= seconds * 0.95:
                best = max(best, (self.figures[end][column] - first[column]) / took)
        return best

    def mean(self, column):
        first, last = self.figures[0], self.figures[-1]
        return (last[column] - first[column]) / (last[0] - first[0])


SENT, PACKETS, RECEIVED, CPU, WRITTEN = 1, 2, 3, 4, 5


def cpu(pid):
    """Seconds of CPU time of a process, by /proc/PID/stat."""
    parts = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / TICK


def written(pid):
    """Bytes that a process had written to storage, by /proc/PID/io."""
    text = pathlib.Path(f"/proc/{pid}/io").read_text()
    return int(text.split("write_bytes:")[1].split()[0])


def wakeups(pid):
    """How often the threads of a process were woken, each wait counted once by the kernel."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        total += int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return total


def pid_of(node):
    """neap's own process: `ip netns exec` becomes it."""
    return node.process.pid


def stalls(player):
    return sum(late for _, late in player.stalls.waits)
