"""A scripted low-latency HLS origin: parts of 0.4 s come into being as time passes, reloads block (RFC 8216bis).

Each first path component is a stream of its own, whose clock starts when it is first asked for.
A segment that is not complete is sent chunk by chunk, each part the moment it exists.
"""

import http.server
import pathlib
import re
import struct
import threading
import time
import urllib.parse

from serving import Served

PART = 0.4
PARTS = 5
LISTED = 6
# Segments that are already there when a stream begins.
AHEAD = 5


class Stream:
    def __init__(self):
        self.begin = time.monotonic() - AHEAD * PARTS * PART

    def complete(self):
        """Parts that exist now."""
        return int((time.monotonic() - self.begin) / PART)

    def wait(self, part):
        """Returns once part number `part` exists."""
        time.sleep(max(0.0, self.begin + (part + 1) * PART - time.monotonic()) + 0.002)


class LowLatencyOrigin(Served):
    """Serves a fragmented file on `url`; `seen` has (time, path and query) of every request. A context manager."""

    def __init__(self, file):
        self.init, self.parts = split(pathlib.Path(file).read_bytes())
        self.streams, self.seen, self.sent, self.lock = {}, [], {}, threading.Lock()
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                try:
                    origin.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    # Who asked has gone, as players do who leave.
                    self.close_connection = True

            def log_message(self, *_):
                pass

        super().__init__(Handler)

    def answer(self, handler):
        with self.lock:
            self.seen.append((time.monotonic(), handler.path))
        address = urllib.parse.urlsplit(handler.path)
        found = re.fullmatch(r"/(\w+)/(index\.m3u8|init\.mp4|(part|seg)(\d+)\.m4s)", address.path)
        if not found:
            return reply(handler, 404, b"no such thing\n")
        with self.lock:
            stream = self.streams.setdefault(found[1], Stream())
        if found[2] == "index.m3u8":
            return self.playlist(handler, stream, urllib.parse.parse_qs(address.query))
        if found[2] == "init.mp4":
            return reply(handler, 200, self.init, "video/mp4", "max-age=60")
        number = int(found[4])
        if found[3] == "part":
            return self.part(handler, stream, number)
        return self.segment(handler, stream, number)

    def playlist(self, handler, stream, query):
        if "_HLS_msn" in query:
            msn = int(query["_HLS_msn"][0])
            part = int(query.get("_HLS_part", [PARTS - 1])[0])
            want = msn * PARTS + part
            if want > stream.complete() + 3 * PARTS:
                return reply(handler, 400, b"too far ahead\n")
            stream.wait(want)
        # Blocking replies name their state in the URL and may be kept; the plain one may not.
        kept = "max-age=2" if "_HLS_msn" in query else "no-cache"
        body = self.listing(stream.complete()).encode()
        return reply(handler, 200, body, "application/vnd.apple.mpegurl", kept)

    def listing(self, complete):
        segments = complete // PARTS
        first = max(0, segments - LISTED)
        lines = ["#EXTM3U", "#EXT-X-VERSION:9", f"#EXT-X-TARGETDURATION:{round(PART * PARTS)}",
                 f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={PART * 3:.1f}",
                 f"#EXT-X-PART-INF:PART-TARGET={PART}", f"#EXT-X-MEDIA-SEQUENCE:{first}",
                 '#EXT-X-MAP:URI="init.mp4"']
        for segment in range(first, segments + 1):
            if segment >= segments - 2:
                for part in range(segment * PARTS, min(complete, (segment + 1) * PARTS)):
                    key = ",INDEPENDENT=YES" if part % PARTS == 0 else ""
                    lines.append(f'#EXT-X-PART:DURATION={PART},URI="part{part}.m4s"{key}')
            if segment < segments:
                lines += [f"#EXTINF:{PART * PARTS:.3f},", f"seg{segment}.m4s"]
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part{complete}.m4s"')
        return "\n".join(lines) + "\n"

    def part(self, handler, stream, number):
        if number > stream.complete() + 2 * PARTS or number >= len(self.parts):
            return reply(handler, 404, b"not yet\n")
        stream.wait(number)
        return reply(handler, 200, self.parts[number], "video/mp4", "max-age=60")

    def segment(self, handler, stream, number):
        begin = number * PARTS
        if begin > stream.complete() or begin + PARTS > len(self.parts):
            return reply(handler, 404, b"not yet\n")
        handler.send_response(200)
        handler.send_header("Content-Type", "video/mp4")
        handler.send_header("Cache-Control", "max-age=60")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in range(begin, begin + PARTS):
            stream.wait(part)
            data = self.parts[part]
            with self.lock:
                self.sent[handler.path, part - begin] = time.monotonic()
            handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")


def reply(handler, status, body, kind="text/plain", keep="no-store"):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Cache-Control", keep)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def split(data):
    """A fragmented MP4 file as its init segment and its fragments (`moof` with `mdat`)."""
    init, parts, at = b"", [], 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        box, at = data[at:at + size], at + size
        if kind in (b"ftyp", b"moov"):
            init += box
        elif kind == b"moof":
            parts.append(box)
        elif kind == b"mdat":
            parts[-1] += box
    return init, parts
