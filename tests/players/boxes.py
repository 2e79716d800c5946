#!/usr/bin/env python3
"""The players of TVs and set-top boxes, GStreamer and VLC, on demand and live: the same frames directly and through the endpoint.

usage: tests/players/boxes.py [--endpoint neap|nginx|direct] [CASE...]
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from endpoint import ROOT, Endpoint
from frames import load_media, same
from origin import MEDIA_ENDINGS, Origin, wait_for
from report import Report

# Debian's bindings are those of Debian's Python.
PYTHON = "/usr/bin/python3"
# What neap may ask for beyond what its player does: the next segments of a rendition that the player has left.
AHEAD = 8
LIVE_SECONDS = 16
LIVE = ("live/box/index.m3u8", "live/box/later.mpd")
SEEKS = {"hls-ts": (0, 13.7, 17, 2.2), "dash-timeline": (0, 13.7, 17, 2.2), "movie": (57, 13.7, 41.2, 3.3)}


class GStreamer:
    """`playbin3` with the demuxers of plugins-good, or `playbin` with the older ones of plugins-bad."""

    def __init__(self, name, playbin, demuxers, others=()):
        self.name, self.playbin, self.demuxers = name, playbin, demuxers
        self.rank = ",".join(f"{one}:0" for one in others)

    def lacks(self):
        if not shutil.which("gst-inspect-1.0") or not pathlib.Path(PYTHON).exists():
            return f"no gst-inspect-1.0 or no {PYTHON}"
        if subprocess.run([PYTHON, "-c", "import gi; gi.require_version('Gst', '1.0')"], capture_output=True).returncode:
            return f"{PYTHON} has no bindings of GStreamer"
        lacking = [one for one in (self.playbin, *self.demuxers, "avdec_h264")
                   if subprocess.run(["gst-inspect-1.0", "--exists", one]).returncode]
        return f"GStreamer here has no {', '.join(lacking)}" if lacking else ""

    def play(self, url, **more):
        task = {"url": url, "player": self.playbin, "rank": self.rank, **more}
        done = subprocess.run([PYTHON, pathlib.Path(__file__).with_name("gstreamer_play.py"), json.dumps(task)],
                              capture_output=True, text=True, timeout=90)
        if done.returncode:
            raise AssertionError(f"GStreamer ended with {done.returncode}: {done.stderr[-300:]}")
        said = json.loads(done.stdout)
        if not url.endswith(".mp4") and not set(self.demuxers) & set(said["elements"]):
            said["errors"].append(f"played by {', '.join(said['elements'])}")
        if said["errors"]:
            raise AssertionError("; ".join(said["errors"][:3]))
        return said

    def frames(self, url):
        """Every decoded frame and block of sound, in order."""
        said = self.play(url)
        return said["video"] + said["sound"]


class Vlc:
    """VLC and its own HTTP client; what it would decode is written down."""

    name = "VLC"

    def lacks(self):
        return "" if shutil.which("cvlc") else "no cvlc"

    def frames(self, url):
        with tempfile.TemporaryDirectory(prefix="neap-vlc-") as folder:
            os.chmod(folder, 0o777)
            file = pathlib.Path(folder) / "out.ts"
            # VLC refuses to be root.
            other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
            subprocess.run([*other, "env", f"HOME={folder}", "cvlc", "-I", "dummy", "--adaptive-logic=highest", url,
                            "--sout", f"#std{{access=file,mux=ts,dst={file}}}", "vlc://quit"],
                           capture_output=True, timeout=60)
            if not file.exists():
                raise AssertionError(f"VLC played nothing of {url}")
            done = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", "0", "-c", "copy", "-f",
                                   "framemd5", "-"], capture_output=True, text=True)
        return sorted(x.rpartition(",")[2].strip() for x in done.stdout.splitlines() if not x.startswith("#"))


PLAYERS = (GStreamer("GStreamer", "playbin3", ("hlsdemux2", "dashdemux2")),
           GStreamer("old GStreamer", "playbin", ("hlsdemux", "dashdemux"), ("hlsdemux2", "dashdemux2")),
           Vlc())


class Trials:
    def __init__(self, origin, endpoint, player):
        self.origin, self.endpoint, self.player = origin, endpoint, player

    def both(self, path, play):
        """What `play` has of a path directly and through the endpoint, which run side by side."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            urls = self.origin.url + path, self.endpoint.base("cdn") + path
            return [run.result() for run in [pool.submit(play, url) for url in urls]]

    def kind(self, path):
        """The same frames cold and warm, and no more requests than directly but for what runs ahead."""
        mark = len(self.origin.log())
        expected, got = self.both(path, self.player.frames)
        if len(expected) < 900:
            raise AssertionError(f"only {len(expected)} frames directly")
        same(expected, got, "cold")
        # Where neap does not name itself it asks for gzip alone.
        asked = [bool(entry["via"] or entry["coding"] == "gzip") for entry in self.origin.settled_log(mark)]
        ours, direct = asked.count(True), asked.count(False)
        if self.endpoint.kind != "neap":
            return f"{len(got)} frames"
        if ours > direct + AHEAD:
            raise AssertionError(f"{ours} requests, {direct} directly")
        return f"{len(got)} frames, {ours} requests, {direct} directly{self.warm(path, expected)}"

    def warm(self, path, expected):
        """VLC says `no-cache` with all that it asks for, and plays what is here all the same."""
        if not isinstance(self.player, Vlc):
            return ""
        mark = len(self.origin.log())
        same(expected, self.player.frames(self.endpoint.base("cdn") + path), "warm")
        again = [one for one in self.origin.settled_log(mark) if one["path"].endswith(MEDIA_ENDINGS)]
        # VLC opens a file to see what it is; that no playlist lists.
        if len(again) > ("movie" in path):
            raise AssertionError(f"{len(again)} requests for media the second time, such as {again[0]}")
        return f", then {len(again)}"

    def seeks(self, path, points):
        """The same pictures behind each point that the player seeks."""
        expected, got = self.both(path, lambda url: self.player.play(url, seeks=points)["seeks"])
        for at, one, other in zip(points, expected, got):
            if not one:
                raise AssertionError(f"nothing at {at} s directly")
            same(one, other, f"at {at} s")
        return f"at {', '.join(map(str, points))} s"

    def ads(self):
        """A show with an advertisement from another host, whose certificate the player itself does not know."""
        said = self.player.play(self.endpoint.base("cdn") + "absolute/ads/index.m3u8")
        plain = self.player.play(self.origin.url + "hls-ts/index.m3u8")
        pictures = [sorted(line.split()[1] for line in one["video"]) for one in (plain, said)]
        same(*pictures, "the pictures of the show and of the advertisement")
        return f"{len(pictures[0])} frames"


def start_live(origin):
    """A live channel as HLS and as DASH: a film that was encoded before, over and over."""
    to = origin.live / "box"
    to.mkdir()
    streams = ["-map", "0:v", "-map", "0:a", "-c", "copy"]
    origin.children.append(subprocess.Popen(
        ["ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", origin.media / "movie" / "movie.mp4",
         *streams, "-f", "hls", "-hls_time", "2", "-hls_list_size", "8", "-hls_delete_threshold", "8", "-hls_flags",
         "delete_segments+temp_file", "-hls_segment_filename", "s%05d.ts", "index.m3u8",
         *streams, "-f", "dash", "-seg_duration", "2", "-window_size", "12", "-extra_window_size", "8",
         "-use_template", "1", "-use_timeline", "0", "-adaptation_sets", "id=0,streams=v id=1,streams=a", "manifest.mpd"],
        cwd=to, stderr=open(origin.folder / "box.log", "w")))
    wait_for((to / "manifest.mpd").exists, 20, "the live manifest")
    # ffmpeg has each segment be there the moment that it ends; a player that asks to the moment, as the older demuxer does,
    # gets 404 of each then, and stands, directly as well. The manifest holds for all of the stream: it counts by time.
    text = (to / "manifest.mpd").read_text()
    found = re.search('availabilityStartTime="([^"]+)Z"', text)
    later = datetime.datetime.fromisoformat(found[1]) + datetime.timedelta(seconds=6)
    (to / "later.mpd").write_text(text.replace(found[1], later.isoformat(timespec="milliseconds")))


def live(report, origin, endpoint, players):
    """All at once, since their time is real; ten seconds of the channel are there."""
    wait_for(lambda: len(list((origin.live / "box").glob("s*.ts"))) >= 5, 40, "the live encoder")
    tasks = [(player, path) for path in LIVE for player in players]

    def judge(said):
        if said["gaps"] or len(said["video"]) < 25 * (LIVE_SECONDS - 4):
            raise AssertionError(f"{len(said['video'])} frames in {LIVE_SECONDS} s, gaps {said['gaps'][:3]}")
        return f"{len(said['video'])} frames, start {said['start']} s"
    with concurrent.futures.ThreadPoolExecutor(len(tasks)) as pool:
        runs = [pool.submit(player.play, endpoint.base("cdn") + path, seconds=LIVE_SECONDS) for player, path in tasks]
        for (player, path), run in zip(tasks, runs):
            kind = "HLS" if path.endswith("m3u8") else "DASH"
            report.case(f"{player.name}, live {kind}", lambda: judge(run.result()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", choices=("neap", "nginx", "direct"))
    parser.add_argument("names", nargs="*", help="only cases whose name contains one of these")
    options = parser.parse_args()
    media = load_media()
    folder = ROOT / "target" / "media"
    media.make(folder)
    report = Report("boxes")
    chosen = lambda name: not options.names or any(word in name for word in options.names)
    with Origin(folder) as origin:
        origin.write_absolute()
        origin.write_ads()
        start_live(origin)
        ready = []
        for player in PLAYERS:
            if lacking := player.lacks():
                report.skip(player.name, lacking)
                continue
            ready.append(player)
            # Each has a cold cache.
            with Endpoint({"cdn": origin.url, "tls": origin.tls_url}, ca=origin.ca, kind=options.endpoint) as endpoint:
                run(report, Trials(origin, endpoint, player), media.KINDS, chosen)
                tell(report, endpoint)
        living = [player for player in ready if isinstance(player, GStreamer)]
        if living and chosen("live"):
            with Endpoint({"cdn": origin.url}, kind=options.endpoint) as endpoint:
                live(report, origin, endpoint, living)
                tell(report, endpoint)
    report.close()


def run(report, trials, kinds, chosen):
    player = trials.player
    for name, path in kinds.items():
        # A plain film is sought in; that all of it is the same, VLC shows.
        if (name != "movie" or isinstance(player, Vlc)) and chosen(case := f"{player.name}, {name}"):
            report.case(case, lambda: trials.kind(path))
        if name in SEEKS and isinstance(player, GStreamer) and chosen(case := f"{player.name}, seeks in {name}"):
            report.case(case, lambda: trials.seeks(path, SEEKS[name]))
    if trials.endpoint.kind == "neap" and isinstance(player, GStreamer) and chosen(case := f"{player.name}, ads"):
        report.case(case, trials.ads)


def tell(report, endpoint):
    if not endpoint.alive():
        report.case("the endpoint lives on", lambda: 1 / 0)
    if report.failed and endpoint.kind != "direct":
        print(endpoint.output())


if __name__ == "__main__":
    main()
