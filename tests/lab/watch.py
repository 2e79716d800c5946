"""Two players: ffmpeg, whose frames and stalls are judged, and a small one that only fetches and keeps time.

Both play as a television does: from three segments before the live edge, a picture each 40 ms, waiting when
there is none. A stall is such a wait.
"""

import hashlib
import http.client
import re
import signal
import subprocess
import threading
import time
import urllib.parse

from namespaces import enter
from origin import stop

# A gap that nobody sees: three pictures, and the jitter of a machine with more work than cores.
UNSEEN = 0.15


class Stalls:
    """Keeps the clock of a player that has shown everything up to now; every wait longer than a blink is noted."""

    def __init__(self):
        self.zero = None
        self.waits = []

    def have(self, begin, at):
        """Media from stream time `begin` on came at the moment `at`."""
        if self.zero is None:
            self.zero = at - begin
        late = at - (self.zero + begin)
        if late > 0:
            if late > UNSEEN:
                self.waits.append((at, late))
            self.zero += late


class Ffmpeg:
    """ffmpeg playing `url` on a device, as fast as the stream comes; `frames` is {(stream, time): digest}."""

    def __init__(self, host, url, decode=False):
        self.url, self.frames, self.stalls, self.bases = url, {}, Stalls(), {}
        self.said, self.decode = [], decode
        self.process = host.start(
            ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-rw_timeout", "20000000",
             "-copyts", "-i", url, *mapped(decode), "-flush_packets", 1, "-f", "framemd5", "-"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._hear)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            if found := re.match(r"#tb (\d): (\d+)/(\d+)", line):
                self.bases[int(found[1])] = int(found[2]) / int(found[3])
            elif not line.startswith("#"):
                self._frame(*frame_of(line))

    def _frame(self, stream, when, digest):
        # ffmpeg may choose another time base for the frames of another run: seconds compare.
        self.frames[stream, round(when * self.bases[stream], 3)] = digest
        if stream == 0:
            self.stalls.have(when * self.bases[0], time.monotonic())

    def _hear(self):
        for line in self.process.stderr:
            self.said.append(line.strip())

    def end(self):
        """Stops it where it is, and waits for the last of what it said."""
        stop(self.process)
        for thread in self.threads:
            thread.join(5)
        return self

    def finish(self, seconds):
        """Waits for the film's end."""
        self.process.wait(seconds)
        return self.end()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        return self.end()


def mapped(decode):
    """Picture and sound; decoded, or as they come out of the segments, which costs a tenth."""
    how = ("-c:a", "copy", "-fps_mode", "passthrough") if decode else ("-c", "copy")
    return ["-map", "0:v:0", "-map", "0:a:0", *how]


def frame_of(line):
    """(stream, time in its base, digest) of a line of framemd5; side data may follow."""
    stream, _, when, _, _, digest = (part.strip() for part in line.split(",")[:6])
    return int(stream), int(when), digest


def reference(files, decode):
    """What ffmpeg makes of the origin's own files, put one behind the other: direct play, afterwards."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-copyts", "-i",
         f"concat:{'|'.join(map(str, files))}", *mapped(decode), "-f", "framemd5", "-"],
        capture_output=True, text=True, check=True)
    frames, bases = {}, {}
    for line in done.stdout.splitlines():
        if found := re.match(r"#tb (\d): (\d+)/(\d+)", line):
            bases[int(found[1])] = int(found[2]) / int(found[3])
        elif not line.startswith("#"):
            stream, when, digest = frame_of(line)
            frames[stream, round(when * bases[stream], 3)] = digest
    return frames


def same(expected, frames, least):
    """Every frame is that of direct play; a remark, or a raised difference."""
    wrong = [key for key, digest in sorted(frames.items()) if expected.get(key) != digest]
    if wrong:
        unknown = sum(key not in expected for key in wrong)
        raise AssertionError(f"{len(wrong)} of {len(frames)} frames differ ({unknown} are not in direct "
                             f"play at all), first at {wrong[0]}")
    if len(frames) < least:
        raise AssertionError(f"only {len(frames)} frames, not {least}")
    return f"{len(frames)} frames"


class Watcher:
    """A player of media playlists without pictures: fetches in order, waits as a buffer would, keeps time.

    `had` is [(segment, seconds from its end at the origin's encoder to its last byte here)] for live, which
    holds the wait for the playlist; `took` counts from the moment when the player's playlist listed it.
    `digests` has the SHA-256 of each segment's bytes.
    """

    def __init__(self, host, url, ahead=12.0, listed=None):
        self.host, self.url, self.ahead, self.listed = host, url, ahead, listed
        self.stalls, self.had, self.took, self.faults, self.digests = Stalls(), [], [], [], {}
        self.ending, self.connection, self.ended, self.seen = threading.Event(), None, False, 0.0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def end(self, seconds=0):
        """Waits up to `seconds` for the film's end, then stops."""
        self.thread.join(seconds)
        self.ending.set()
        self.thread.join(30)
        return self

    def _run(self):
        enter(self.host.space)
        seen, clock = None, 0.0
        while not self.ending.is_set():
            begin = time.monotonic()
            try:
                body, _ = self._get(self.url)
                if body is None:
                    raise OSError("the playlist's answer is no 200")
            except (OSError, http.client.HTTPException) as fault:
                self.faults.append(f"playlist: {fault}")
                self.ending.wait(1)
                continue
            self.seen, listing = time.monotonic(), playlist(body.decode(), self.url)
            if seen is None:
                seen = -1 if listing["ended"] else max(0, listing["segments"][-3:][0][0]) - 1
            fresh = [one for one in listing["segments"] if one[0] > seen]
            for number, length, address in fresh:
                if self.ending.is_set():
                    return
                self._segment(address, clock)
                seen, clock = number, clock + length
                self._hold(clock)
            if listing["ended"]:
                self.ended = True
                return
            pause = listing["target"] if fresh else listing["target"] / 2
            self.ending.wait(max(0.05, pause - (time.monotonic() - begin)))

    def _segment(self, address, clock):
        """One segment, tried as a player tries: again, a few times."""
        for _ in range(4):
            try:
                body, _ = self._get(address)
            except (OSError, http.client.HTTPException) as fault:
                body = None
                self.faults.append(f"{address.rsplit('/', 1)[1]}: {fault}")
            if body is not None:
                break
            self.ending.wait(0.3)
        else:
            return
        end = time.monotonic()
        self.stalls.have(clock, end)
        name = address.rsplit("/", 1)[1]
        self.took.append((name, end - self.seen))
        self.digests[name] = hashlib.sha256(body).hexdigest()
        if self.listed and (since := self.listed(name)):
            self.had.append((name, time.time() - since))

    def _hold(self, clock):
        """Waits while as much is buffered as a player buffers."""
        full = self.stalls.zero + clock - self.ahead if self.stalls.zero is not None else 0
        self.ending.wait(max(0.0, full - time.monotonic()))

    def _get(self, url):
        """(body or None, status) by a connection that is kept, as players keep theirs."""
        parts = urllib.parse.urlsplit(url)
        if self.connection is None:
            self.connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=20)
        try:
            self.connection.request("GET", parts.path)
            reply = self.connection.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise
        if reply.status != 200:
            self.faults.append(f"{parts.path}: {reply.status}")
            return None, reply.status
        return body, 200


def playlist(text, url):
    """The segments (number, seconds, URL) of a media playlist, its target duration and whether it ended."""
    found = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
    number = int(found[1]) if found else 0
    lengths = [float(x) for x in re.findall(r"#EXTINF:([\d.]+)", text)]
    names = [x for x in text.splitlines() if x and not x.startswith("#")]
    target = float(re.search(r"#EXT-X-TARGETDURATION:(\d+)", text)[1])
    segments = [(number + i, length, urllib.parse.urljoin(url, name))
                for i, (length, name) in enumerate(zip(lengths, names))]
    return {"segments": segments, "target": target, "ended": "#EXT-X-ENDLIST" in text}
