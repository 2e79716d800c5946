#!/usr/bin/python3
"""One GStreamer player, as a process of its own: plays a URL, as fast as it can or live, and tells in JSON what it showed.

usage: tests/players/gstreamer_play.py '{"url": "...", "player": "playbin3", "rank": "", "seeks": [...], "seconds": 20}'
"""

import hashlib
import json
import os
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

# Of GstPlayFlags: video, audio, and both as they were decoded.
FLAGS = 0x01 | 0x02 | 0x20 | 0x40
# Pictures come every 40 ms; such a gap, in seconds, is one that a viewer sees.
STALL = 1
# In kbit/s: what every rendition fits into, so that each run chooses the same one.
LINE = 3000
# How long anything may take that is not live, in seconds.
PATIENCE = 40


class Player:
    def __init__(self, task):
        self.task, self.live = task, "seconds" in task
        self.video, self.sound, self.errors, self.gaps, self.elements = [], [], [], [], set()
        self.begin, self.start, self.last = time.monotonic(), None, None
        self.loop = GLib.MainLoop()
        self.pipe = Gst.ElementFactory.make(task["player"])
        self.pipe.set_property("uri", task["url"])
        self.pipe.set_property("flags", FLAGS)
        self.pipe.set_property("video-sink", self.sink("video/x-raw,format=I420", self.picture))
        self.pipe.set_property("audio-sink", self.sink("audio/x-raw", self.block))
        self.pipe.connect("deep-element-added", self.added)
        bus = self.pipe.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.message)

    def sink(self, caps, handler):
        """Takes decoded media alone and hands each buffer to `handler`."""
        sync = "true" if self.live else "false"
        box = Gst.parse_bin_from_description(
            f"capsfilter caps={caps} ! fakesink name=end signal-handoffs=true sync={sync}", True)
        box.get_by_name("end").connect("handoff", handler)
        return box

    def added(self, _, __, element):
        name = element.get_factory().get_name()
        # GStreamer 1.22 takes some of ffmpeg's manifests for any XML, directly as well.
        if name == "typefind" and name not in self.elements and self.task["url"].endswith(".mpd"):
            element.set_property("force-caps", Gst.Caps.from_string("application/dash+xml"))
        self.elements.add(name)
        for key, value in (("connection-bitrate", LINE * 1000), ("connection-speed", LINE)):
            if element.find_property(key):
                element.set_property(key, value)

    def picture(self, _, buffer, __):
        now = time.monotonic()
        if self.start is None:
            self.start = round(now - self.begin, 2)
        elif self.live and now - self.last > STALL:
            self.gaps.append(f"{now - self.last:.1f} s at {now - self.begin:.1f} s")
        self.last = now
        self.video.append(line(buffer))

    def block(self, _, buffer, __):
        self.sound.append(line(buffer))

    def message(self, _, message):
        if message.type == Gst.MessageType.ERROR:
            error, more = message.parse_error()
            self.errors.append(f"{error.message} {(more or '').splitlines()[-1:]}")
        if message.type in (Gst.MessageType.ERROR, Gst.MessageType.EOS):
            self.loop.quit()

    def run(self, seconds):
        """Until the end, an error, or for so long; tells which."""
        late = []
        timer = GLib.timeout_add(int(seconds * 1000), lambda: late.append(1) or self.loop.quit())
        self.loop.run()
        if not late:
            GLib.source_remove(timer)
        return bool(late)

    def settle(self, state):
        self.pipe.set_state(state)
        self.pipe.get_state(PATIENCE * Gst.SECOND)

    def seek(self, to):
        """The pictures of the second behind `to`."""
        self.settle(Gst.State.PAUSED)
        self.video.clear()
        begin, end = (int(at * Gst.SECOND) for at in (to, to + 1))
        self.pipe.seek(1.0, Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE,
                       Gst.SeekType.SET, begin, Gst.SeekType.SET, end)
        self.pipe.get_state(PATIENCE * Gst.SECOND)
        self.pipe.set_state(Gst.State.PLAYING)
        if self.run(PATIENCE):
            self.errors.append(f"no end of the second behind {to} s")
        return sorted(set(self.video))

    def play(self):
        if "seeks" in self.task:
            said = {"seeks": [self.seek(to) for to in self.task["seeks"]]}
        else:
            said = {}
            self.pipe.set_state(Gst.State.PLAYING)
            if self.run(self.task.get("seconds", PATIENCE)) and not self.live:
                self.errors.append(f"no end in {PATIENCE} s, {len(self.video)} frames")
        said.update(video=self.video, sound=self.sound, errors=self.errors, gaps=self.gaps,
                    elements=sorted(self.elements), start=self.start)
        self.pipe.set_state(Gst.State.NULL)
        return said


def line(buffer):
    """When a buffer is shown, in microseconds, and its digest."""
    _, held = buffer.map(Gst.MapFlags.READ)
    digest = hashlib.md5(held.data).hexdigest()
    buffer.unmap(held)
    return f"{buffer.pts // 1000} {digest}"


def main():
    task = json.loads(sys.argv[1])
    os.environ["GST_PLUGIN_FEATURE_RANK"] = task["rank"]
    Gst.init(None)
    print(json.dumps(Player(task).play()))


if __name__ == "__main__":
    main()
