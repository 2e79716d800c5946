#!/usr/bin/env python3
"""What a player of low-latency and popular streams relies on: blocking reloads, parts that pass as they come, one fetch for a crowd.

usage: tests/players/streaming.py [--endpoint neap|nginx|direct]
"""

import argparse
import hashlib
import http.client
import pathlib
import re
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from endpoint import ROOT, Endpoint
from frames import load_media
from low_latency import PARTS, LowLatencyOrigin
from origin import Origin, get
from report import Report


def expect(holds, words):
    if not holds:
        raise AssertionError(words)


def state(text):
    """(segments before the open one, parts of the open one) that a low-latency playlist lists."""
    first = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)[1])
    last = int(re.search(r'PRELOAD-HINT:TYPE=PART,URI="part(\d+)', text)[1])
    expect(first + text.count("#EXTINF") == last // PARTS, "the playlist contradicts itself")
    return last // PARTS, last % PARTS


class Trials:
    def __init__(self, origin, low_latency, endpoint):
        self.origin, self.low_latency, self.endpoint = origin, low_latency, endpoint

    def blocking_reload(self):
        """Each reload names the next part and gets a playlist that has it; none is an old one from a cache."""
        base = self.endpoint.base("ll") + "reload/"
        _, _, body = get(base + "index.m3u8")
        msn, part = state(body.decode())
        for _ in range(2 * PARTS):
            status, _, body = get(f"{base}index.m3u8?_HLS_msn={msn}&_HLS_part={part}")
            got = state(body.decode())
            expect(status == 200 and got > (msn, part), f"asked for {msn}.{part}, got {status} {got}")
            msn, part = got
        return f"up to {msn}.{part}"

    def plain_reload(self):
        """A playlist that must be asked for anew each time moves on."""
        url = self.endpoint.base("ll") + "plain/index.m3u8"
        before = state(get(url)[2].decode())
        time.sleep(1.5)
        after = state(get(url)[2].decode())
        expect(after > before, f"stood still at {before}")

    def shared_reload(self):
        """Players that block on one part are answered by one request to the origin."""
        base = self.endpoint.base("ll") + "shared/"
        msn, _ = state(get(base + "index.m3u8")[2].decode())
        mark = len(self.low_latency.seen)
        query = f"index.m3u8?_HLS_msn={msn + 1}&_HLS_part=2"
        bodies = together(8, lambda: get(base + query)[2])
        asked = [p for _, p in self.low_latency.seen[mark:] if p.endswith(query)]
        expect(len(set(bodies)) == 1, "the players got different playlists")
        expect(len(asked) == 1 or self.endpoint.kind == "direct", f"{len(asked)} origin requests")

    def chunk_by_chunk(self):
        """The bytes of a part reach the player before the origin has made the segment's last part."""
        base = self.endpoint.base("ll") + "chunks/"
        msn, part = state(get(base + "index.m3u8")[2].decode())
        # Begin with a segment that has just begun.
        get(f"{base}index.m3u8?_HLS_msn={msn + 1}&_HLS_part=0")
        address = urllib.parse.urlsplit(f"{base}seg{msn + 1}.m4s")
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        connection.request("GET", address.path)
        reply = connection.getresponse()
        first = reply.read(1)
        came = time.monotonic()
        rest = reply.read()
        last = self.low_latency.sent[f"/chunks/seg{msn + 1}.m4s", PARTS - 1]
        want = b"".join(self.low_latency.parts[(msn + 1) * PARTS:(msn + 2) * PARTS])
        expect(first + rest == want, "the segment came wrong")
        expect(came < last, f"the first byte came {came - last:.2f} s after the last was made")
        return f"first byte {last - came:.1f} s before the origin made the last"

    def hinted_part(self):
        """A part that is only hinted at is answered, whole, when it exists."""
        base = self.endpoint.base("ll") + "hint/"
        text = get(base + "index.m3u8")[2].decode()
        number = int(re.search(r'PRELOAD-HINT:TYPE=PART,URI="part(\d+)', text)[1])
        status, _, body = get(f"{base}part{number}.m4s")
        expect(status == 200 and body == self.low_latency.parts[number], f"{status}, {len(body)} bytes")

    def crowd(self):
        """64 players ask for one cold object: right bodies, one origin request, none waits for the last byte."""
        url = self.endpoint.base("cdn") + "slow/hls-multi/high/s003.m4s?crowd"
        want = hashlib.md5((self.origin.media / "hls-multi/high/s003.m4s").read_bytes()).digest()
        mark = len(self.origin.log())
        said = together(64, lambda: hashlib.md5(get(url)[2]).digest())
        asked = [e for e in self.origin.settled_log(mark) if e["path"].endswith("/s003.m4s")]
        expect(all(digest == want for digest in said), "some bodies are wrong")
        expect(len(asked) == 1 or self.endpoint.kind == "direct", f"{len(asked)} origin requests")

    def one_leaves(self):
        """The player who started the download goes; the other still gets the whole body, from the same download."""
        path = "slow/movie/movie.mp4?leaves"
        address = urllib.parse.urlsplit(self.endpoint.base("cdn") + path)
        mark = len(self.origin.log())
        span = {"Range": "bytes=0-1572863"}

        def ask():
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
            connection.request("GET", f"{address.path}?{address.query}", headers=span)
            return connection, connection.getresponse()
        first, reply = ask()
        reply.read(1000)
        second, other = ask()
        other.read(1000)
        first.close()
        rest = other.read()
        want = (self.origin.media / "movie/movie.mp4").read_bytes()[1000:1572864]
        expect(other.status == 206 and rest == want, f"{other.status}, {len(rest)} bytes")
        took = sum(e["bytes"] for e in self.origin.settled_log(mark))
        expect(took < 2 * 1572864 or self.endpoint.kind == "direct", f"the origin sent {took} bytes")


def together(count, work):
    """Runs `work` in `count` threads that start as one; the results, or the first fault."""
    said, faults, gate = [], [], threading.Barrier(count)

    def one():
        gate.wait()
        try:
            said.append(work())
        except Exception as fault:
            faults.append(fault)
    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", choices=("neap", "nginx", "direct"))
    options = parser.parse_args()
    folder = ROOT / "target" / "media"
    load_media().make(folder)
    report = Report("streaming")
    with Origin(folder) as origin, \
            LowLatencyOrigin(folder / "low-latency" / "parts.mp4") as low_latency:
        origins = {"cdn": origin.url, "ll": low_latency.url}
        with Endpoint(origins, kind=options.endpoint) as endpoint:
            trials = Trials(origin, low_latency, endpoint)
            report.case("a blocking reload has what it waited for", trials.blocking_reload)
            report.case("a plain reload moves on", trials.plain_reload)
            report.case("eight blocked players, one origin request", trials.shared_reload)
            report.case("a segment passes chunk by chunk", trials.chunk_by_chunk)
            report.case("a hinted part comes when it exists", trials.hinted_part)
            report.case("64 players, one origin request", trials.crowd)
            report.case("the first of two players leaves", trials.one_leaves)
            if report.failed:
                print(endpoint.output() if endpoint.kind != "direct" else "")
    report.close()


if __name__ == "__main__":
    main()
