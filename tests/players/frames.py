#!/usr/bin/env python3
"""ffmpeg decodes every on-demand kind through the endpoint and directly: the same frames, and the second time from the cache.

usage: tests/players/frames.py [--endpoint neap|nginx|direct] [KIND...]
"""

import argparse
import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from endpoint import ROOT, Endpoint
from origin import Origin
from report import Report

# ffmpeg's reader does not know lists of byte ranges; the web players play them.
NOT_FFMPEG = ("dash-list",)
SEEKS = (0, 13.7, 57, 41.2, 3.3)


def load_media():
    """tests/media as a module: it has no ending, being a command."""
    loader = importlib.machinery.SourceFileLoader("media", str(ROOT / "tests" / "media"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("media", loader))
    loader.exec_module(module)
    return module


def frames(url, seek=None):
    """The digest of every decoded frame and sound block of `url`, as ffmpeg's framemd5 prints them."""
    where = [] if seek is None else ["-ss", str(seek)]
    length = [] if seek is None else ["-t", "2"]
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-rw_timeout", "20000000",
               *where, "-i", url, *length, "-map", "0:v", "-map", "0:a", "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    lines = [x for x in done.stdout.splitlines() if not x.startswith("#")]
    # What ffmpeg complains of counts as a frame does: its DASH reader asks past the last $Number$
    # segment and says so, with an endpoint between or not.
    said = {re.sub(r"0x[0-9a-f]+|127.0.0.1:\d+", "_", x) for x in done.stderr.splitlines()
            if "Last message repeated" not in x}
    if done.returncode:
        raise AssertionError(f"ffmpeg said of {url}: {'; '.join(sorted(said)[:4])}")
    lines += sorted(said)
    if len(lines) < (300 if seek is None else 40):
        raise AssertionError(f"only {len(lines)} frames from {url}")
    return lines


def same(expected, got, what):
    if expected != got:
        at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), len(got))
        raise AssertionError(f"{what}: {len(expected)} frames direct, {len(got)} through, "
                             f"first difference at {at}")


class Trials:
    def __init__(self, report, origin, endpoint):
        self.report, self.origin, self.endpoint = report, origin, endpoint
        self.references = {}

    def reference(self, path, seek=None):
        if (path, seek) not in self.references:
            self.references[path, seek] = frames(self.origin.url + path, seek)
        return self.references[path, seek]

    def kind(self, path, where):
        """The same frames cold and warm; warm, the origin gives no byte of media."""
        expected = self.reference(path)
        url = self.endpoint.base(where) + path
        mark = len(self.origin.log())
        same(expected, frames(url), "cold")
        cold = self.origin.media_bytes(mark)
        mark = len(self.origin.log())
        same(expected, frames(url), "warm")
        warm = self.origin.media_bytes(mark)
        if self.endpoint.kind != "direct":
            if not cold:
                raise AssertionError("the first run took nothing from the origin: wrong test")
            if warm:
                raise AssertionError(f"the second run took {warm} bytes of media from the origin")
        return f"{len(expected)} frames, origin {cold / 1e6:.2f} MB then {warm / 1e6:.2f} MB"

    def seeks(self, path, where):
        """Seeks in a plain file: the same frames at each point, cold and warm, then nothing new."""
        expected = {seek: self.reference(path, seek) for seek in SEEKS}
        url = self.endpoint.base(where) + path
        for seek in SEEKS:
            same(expected[seek], frames(url, seek), f"at {seek} s, cold")
        frames(url)
        mark = len(self.origin.log())
        for seek in SEEKS:
            same(expected[seek], frames(url, seek), f"at {seek} s, warm")
        warm = self.origin.media_bytes(mark)
        if warm and self.endpoint.kind != "direct":
            raise AssertionError(f"warm seeks took {warm} bytes from the origin")
        return f"at {', '.join(map(str, SEEKS))} s"

    def cold_seek(self, path, where):
        """A seek to the end of a file that nobody asked for yet takes less than half of it.

        The origin sends 1 MB/s, so that what runs on after the player has left is seen.
        """
        mark = len(self.origin.log())
        frames(f"{self.endpoint.base(where)}slow/{path}?cold-seek", 57)
        took = self.origin.media_bytes(mark)
        size = (self.origin.media / path).stat().st_size
        if took > size / 2:
            raise AssertionError(f"took {took} of {size} bytes")
        return f"{took / 1e6:.1f} of {size / 1e6:.1f} MB"

    def absolute(self, where, scheme):
        """A playlist of full URLs: the player must come to us for the segments too."""
        expected = self.reference("hls-ts/index.m3u8")
        mark = len(self.origin.log())
        same(expected, frames(f"{self.endpoint.base(where)}absolute/{scheme}/index.m3u8"), "absolute")
        self.all_came(mark)

    def ads(self, where):
        """An advertisement from another host, after whose end the timestamps go back: it comes through us too."""
        # Directly, ffmpeg complains of the change of hosts: the frames alone compare.
        shown = lambda lines: [line for line in lines if line[0].isdigit()]
        expected = shown(self.reference("absolute/ads/index.m3u8"))
        mark = len(self.origin.log())
        same(expected, shown(frames(f"{self.endpoint.base(where)}absolute/ads/index.m3u8")), "ads")
        self.all_came(mark)
        return f"{len(expected)} frames"

    def all_came(self, mark):
        """Since `mark`, no request of the player went past the endpoint: ffmpeg asks for no coding, and neap names itself
        where it does not ask for one."""
        direct = [e for e in self.origin.settled_log(mark) if e["agent"].startswith("Lavf")
                  and not e["via"] and e["coding"] != "gzip"]
        if direct:
            raise AssertionError(f"the player went past the endpoint: {direct[0]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", choices=("neap", "nginx", "direct"))
    parser.add_argument("kinds", nargs="*")
    options = parser.parse_args()
    media = load_media()
    folder = ROOT / "target" / "media"
    media.make(folder)
    report = Report("frames")
    with Origin(folder) as origin:
        origin.write_absolute()
        origin.write_ads()
        origins = {"cdn": origin.url, "tls": origin.tls_url}
        with Endpoint(origins, ca=origin.ca, kind=options.endpoint) as endpoint:
            run(report, Trials(report, origin, endpoint), media.KINDS, options.kinds)
            if not endpoint.alive():
                report.case("the endpoint lives on", lambda: 1 / 0)
            if report.failed:
                print(endpoint.output() if endpoint.kind != "direct" else "")
    report.close()


def run(report, trials, kinds, chosen):
    tls = ["cdn", "tls"] if trials.endpoint.kind != "direct" else ["cdn"]
    for where in tls:
        scheme = "http" if where == "cdn" else "https"
        for name, path in kinds.items():
            if name in NOT_FFMPEG or chosen and name not in chosen:
                continue
            if name == "movie":
                if trials.endpoint.kind != "nginx":
                    report.case(f"{name}, cold seek, over {scheme}", lambda: trials.cold_seek(path, where))
                report.case(f"{name}, seeks, over {scheme}", lambda: trials.seeks(path, where))
            # The seeks have filled the cache; another query makes the file a cold one again.
            whole = path + "?whole" if name == "movie" else path
            report.case(f"{name} over {scheme}", lambda: trials.kind(whole, where))
        if trials.endpoint.kind == "neap" and not chosen:
            report.case(f"absolute URLs over {scheme}", lambda: trials.absolute(where, scheme))
            report.case(f"ads from another host over {scheme}", lambda: trials.ads(where))


if __name__ == "__main__":
    main()
