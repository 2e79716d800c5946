"""The internet of the lab: nginx as origin behind the line, with real-time live streams and films.

The pictures are encoded once, with grain so that they need their bits; what runs in a test only cuts them into
segments in real time, so that the encoder does not take the processor from what is measured.
"""

import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "players"))
from namespaces import ORIGIN
from origin import Origin, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
VERSION = 3
SEGMENT = 2
FILM_SEGMENT = 4
# Bit/s of a stream with its sound, for the line's rates.
HIGH, LOW = 2_600_000, 700_000
RENDITIONS = ("high", "low")
FILM_SECONDS = 48


def media():
    """The folder with the encoded source and the films, made once."""
    folder = ROOT / "target" / "media-lab"
    stamp = folder / "complete.json"
    if stamp.exists() and json.loads(stamp.read_text()).get("version") == VERSION:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    high = ["-b:v:0", "2400k", "-maxrate:v:0", "2600k", "-bufsize:v:0", "2600k"]
    low = ["-b:v:1", "600k", "-maxrate:v:1", "650k", "-bufsize:v:1", "650k"]
    ffmpeg(folder, "-f", "lavfi", "-i", "testsrc2=size=480x270:rate=25,noise=alls=24:allf=t",
           "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
           "-filter_complex", "[0:v]split=2[a][b];[b]scale=240:136[c]",
           "-map", "[a]", "-map", "[c]", "-map", "1:a", "-t", 60, "-c:v", "libx264", "-preset",
           "ultrafast", "-pix_fmt", "yuv420p", "-g", 50, "-keyint_min", 50, "-sc_threshold", 0,
           "-bf", 0, *high, *low, "-c:a", "aac", "-b:a", "64k", "source.mp4")
    (folder / "film").mkdir()
    for name, stream in (("high", 0), ("low", 1)):
        (folder / "film" / name).mkdir()
        ffmpeg(folder, "-i", "source.mp4", "-map", f"0:v:{stream}", "-map", "0:a", "-c", "copy",
               "-t", FILM_SECONDS, "-f", "hls", "-hls_time", FILM_SEGMENT, "-hls_playlist_type", "vod",
               "-hls_segment_filename", f"film/{name}/s%03d.ts", f"film/{name}/index.m3u8")
    stamp.write_text(json.dumps({"version": VERSION}))
    return folder


def ffmpeg(folder, *words):
    subprocess.run(["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y",
                    *map(str, words)], cwd=folder, check=True)


class Inside(Origin):
    """An origin in the home's internet, at the address that all of it knows."""

    def __init__(self, home, folder):
        super().__init__(folder)
        self.home, self.address, self.wrap = home, ORIGIN, home.internet.wrap
        self.port, self.tls_port = 80, 443

    @property
    def tls_url(self):
        return f"https://{ORIGIN}/"

    def _listens(self):
        listens = super()._listens
        return self.home.internet.within(listens)


class Broadcast(Inside):
    """The home's origin with live streams; `copies` tells how often each segment crossed the line."""

    def __init__(self, home):
        super().__init__(home, media())

    def start_live(self, segment=SEGMENT):
        """Cuts live HLS (TS, two renditions) and live DASH (fMP4) out of the source, in real time.

        Old segments leave the playlists but stay on disk, so that the frames can be compared afterwards.
        """
        for name in ("hls/high", "hls/low", "dash"):
            (self.live / name).mkdir(parents=True)
        hls = ["-c", "copy", "-f", "hls", "-hls_time", segment, "-hls_list_size", 6,
               "-hls_flags", "program_date_time+independent_segments+temp_file",
               "-var_stream_map", "v:0,a:0,name:high v:1,a:1,name:low",
               "-master_pl_name", "master.m3u8", "-hls_segment_filename", "hls/%v/s%05d.ts",
               "hls/%v/index.m3u8"]
        dash = ["-c", "copy", "-f", "dash", "-seg_duration", segment, "-window_size", 6, "-extra_window_size", 1000,
                "-use_template", 1, "-use_timeline", 1, "-adaptation_sets",
                "id=0,streams=v id=1,streams=a", "dash/manifest.mpd"]
        command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-re",
                   "-stream_loop", -1, "-i", self.media / "source.mp4",
                   "-map", "0:v:0", "-map", "0:v:1", "-map", "0:a", "-map", "0:a", *hls,
                   "-map", "0:v:0", "-map", "0:v:1", "-map", "0:a", *dash]
        self.children.append(subprocess.Popen(
            [str(word) for word in command], cwd=self.live, stderr=open(self.folder / "live.log", "w")))
        self.wait_live(8 * segment + 10)

    def wait_live(self, seconds=40):
        """Waits until the live streams list four segments."""
        def ready():
            listed = self.live / "hls" / "high" / "index.m3u8"
            return (listed.exists() and listed.read_text().count("#EXTINF") >= 4
                    and len(list((self.live / "dash").glob("chunk-stream0-*.m4s"))) >= 4)
        wait_for(ready, seconds, "the live encoder")

    def size(self, path):
        """The bytes of one segment, as it lies at the origin."""
        inner = path.removeprefix("/live/")
        return (self.live / inner if inner != path else self.media / path.lstrip("/")).stat().st_size

    def copies(self, since, under, but=None):
        """{path: copies} of the segments below `under` that the origin sent since an entry of its log, to all `but` one
        address."""
        taken = {}
        for entry in self.settled_log(since):
            path = entry["path"]
            media = path.startswith(under) and path.endswith((".ts", ".m4s")) and entry["status"] in (200, 206)
            if media and entry["from"] != but:
                taken[path] = taken.get(path, 0) + entry["bytes"]
        return {path: count / self.size(path) for path, count in sorted(taken.items())}

    def segments(self, name):
        """The files of a live HLS rendition so far, in order of play."""
        return sorted((self.live / "hls" / name).glob("s*.ts"))


def middle(copies, cut=1):
    """The copies of all but the first and last `cut` segments, which a run may have caught in part."""
    names = sorted(copies)
    return [copies[name] for name in names[cut:len(names) - cut]]


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else 0.0
