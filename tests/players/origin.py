"""The origin of the tests: a real nginx on loopback, HTTP and HTTPS with a certificate authority of its own."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

MEDIA_ENDINGS = (".ts", ".m4s", ".mp4")


def leave(number, _):
    """A signal ends us as an error would, so that everything that we started ends too."""
    raise SystemExit(128 + number)


for one in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(one, leave)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds, what):
    """Waits until `condition()` is true and returns what it said; raises after `seconds`, and says in vain for `what`.

    `what` is a text, or a function that says how far it came.
    """
    end = time.monotonic() + seconds
    while True:
        said = condition()
        if said:
            return said
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s in vain for {what() if callable(what) else what}")
        time.sleep(0.05)


def answers(port, address="127.0.0.1"):
    try:
        socket.create_connection((address, port), 0.5).close()
        return True
    except OSError:
        return False


def stop(process, seconds=10):
    """Ends a process that we started: politely, then not."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def as_root():
    """nginx started by root would read the media as another user, who may not."""
    return "user root;" if os.geteuid() == 0 else ""


class Origin:
    """nginx serving `media`; `live` and `pages` are folders beside it. A context manager."""

    # Where it listens, and what stands before its command: the lab puts it into a namespace.
    address = "127.0.0.1"
    wrap = ()

    def __init__(self, media, pages=None):
        self.media = pathlib.Path(media).resolve()
        self.pages = pathlib.Path(pages).resolve() if pages else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="neap-origin-"))
        self.folder.chmod(0o755)
        self.live = self.folder / "live"
        self.port = free_port()
        self.tls_port = free_port()
        self.ca = self.folder / "ca.pem"
        self.process = None
        self.children = []

    @property
    def url(self):
        return f"http://{self.address}:{self.port}/"

    @property
    def tls_url(self):
        return f"https://localhost:{self.tls_port}/"

    def __enter__(self):
        self.live.mkdir()
        self._certificates()
        (self.folder / "nginx.conf").write_text(self._config())
        self.process = subprocess.Popen(
            [*self.wrap, "nginx", "-p", self.folder, "-c", "nginx.conf", "-e", "error.log"],
            cwd=self.folder)
        try:
            wait_for(self._listens, 10, "nginx")
        except TimeoutError:
            stop(self.process)
            raise
        return self

    def _listens(self):
        return answers(self.port, self.address) and answers(self.tls_port, self.address)

    def __exit__(self, *_):
        for child in self.children:
            stop(child)
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _certificates(self):
        """A root that nobody trusts but who is told to, and a leaf for localhost."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, cwd=self.folder,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
                "-subj", "/CN=neap test root", "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign")
        openssl("req", *curve, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=localhost")
        (self.folder / "leaf.ext").write_text(
            f"basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,DNS:origin.test,IP:{self.address}\n"
            "extendedKeyUsage=serverAuth\n")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "30", "-extfile", "leaf.ext", "-out", "leaf.pem")

    def _config(self):
        # The cleartext server sends no CORS fields (the endpoint must), the other does (the
        # endpoint must not double them).
        shared = f"""
            root {self.media};
            location /live/ {{ alias {self.live}/; add_header Cache-Control "max-age=1"; CORS }}
            location ~ ^/live/.*\\.(ts|m4s|mp4)$ {{
                root {self.folder}; add_header Cache-Control "max-age=60"; CORS }}
            location ~ ^/absolute/ {{ root {self.folder}; add_header Cache-Control "max-age=60"; CORS }}
            location /slow/ {{ alias {self.media}/; limit_rate 1m; add_header Cache-Control "max-age=3600"; CORS }}
            location /unstated/ {{ alias {self.media}/; CORS }}
            location / {{ add_header Cache-Control "max-age=3600"; CORS }}
            {f'location /pages/ {{ alias {self.pages}/; add_header Cache-Control no-store; }}'
             if self.pages else ''}"""
        cors = 'add_header Access-Control-Allow-Origin "*";'
        return f"""
{as_root()} daemon off; worker_processes 1; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 1024; }}
http {{
    log_format json escape=json '{{"at":$msec,"from":"$remote_addr","scheme":"$scheme","method":"$request_method",'
        '"path":"$uri","query":"$args","status":$status,"bytes":$body_bytes_sent,'
        '"range":"$http_range","if_none_match":"$http_if_none_match","via":"$http_via","coding":"$http_accept_encoding",'
        '"forwarded":"$http_x_forwarded_for","host":"$http_host","agent":"$http_user_agent",'
        '"origin":"$http_origin","connection":$connection}}';
    access_log access.log json;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    keepalive_requests 100000; sendfile on; tcp_nopush on; default_type application/octet-stream;
    types {{ application/vnd.apple.mpegurl m3u8; application/dash+xml mpd; video/mp2t ts;
            video/mp4 mp4 m4s; text/html html; text/javascript js mjs; }}
    # As CDNs do: playlists packed for who asks, and said to depend on that.
    gzip on; gzip_proxied any; gzip_vary on; gzip_types application/vnd.apple.mpegurl application/dash+xml;
    server {{ listen {self.address}:{self.port}; {shared.replace("CORS", "")} }}
    server {{ listen {self.address}:{self.tls_port} ssl; ssl_certificate leaf.pem;
        ssl_certificate_key leaf.key; {shared.replace("CORS", cors)} }}
}}
"""

    def log(self, since=0):
        """The access log's entries from number `since` on."""
        file = self.folder / "access.log"
        # What stands behind the last line's end is still being written.
        lines = file.read_text().rpartition("\n")[0].splitlines() if file.exists() else []
        return [json.loads(line) for line in lines[since:]]

    def settled_log(self, since=0):
        """As `log`, once nothing was added for half a second (what runs ahead has ended)."""
        seen, quiet = -1, time.monotonic()
        while time.monotonic() - quiet < 0.5:
            count = len(self.log())
            if count != seen:
                seen, quiet = count, time.monotonic()
            time.sleep(0.05)
        return self.log(since)

    def media_bytes(self, since=0):
        """Bytes of media that left since entry `since`; playlists and keys do not count."""
        return sum(e["bytes"] for e in self.settled_log(since)
                   if e["status"] in (200, 206) and e["path"].endswith(MEDIA_ENDINGS))

    def write_absolute(self):
        """Writes playlists that name everything by full URL, as many CDNs' do."""
        for scheme, base in (("http", self.url), ("https", self.tls_url)):
            to = self.folder / "absolute" / scheme
            to.mkdir(parents=True, exist_ok=True)
            lines = (self.media / "hls-ts" / "index.m3u8").read_text().splitlines()
            lines = [x if x.startswith("#") or not x else f"{base}hls-ts/{x}" for x in lines]
            (to / "index.m3u8").write_text("\n".join(lines) + "\n")

    def write_ads(self):
        """Writes a show with an advertisement from another host in its middle, as HLS and as DASH of three periods."""
        to = self.folder / "absolute" / "ads"
        to.mkdir(parents=True, exist_ok=True)
        show, ads = "../../hls-ts/", f"{self.tls_url}hls-ts/"
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2", "#EXT-X-PLAYLIST-TYPE:VOD"]
        for base, numbers in ((show, range(4)), (ads, range(8, 12)), (show, range(4, 8))):
            lines += ["#EXT-X-DISCONTINUITY"] * (numbers[0] > 0)
            lines += [line for n in numbers for line in ("#EXTINF:2.0,", f"{base}s{n:03}.ts")]
        (to / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
        numbers = 'timescale="1000" duration="2000" startNumber="{}" presentationTimeOffset="{}"/>'
        runs = ('timescale="{}" startNumber="{}" presentationTimeOffset="0"><SegmentTimeline>{}</SegmentTimeline>'
                "</SegmentTemplate>")
        video, sound = '<S t="0" d="25600" r="3"/>', '<S t="0" d="95232"/><S d="96256" r="2"/>'
        periods = (
            ("one", "../../dash-number/", [numbers.format(1, 0)] * 2),
            ("ad", f"{self.tls_url}dash-timeline/", [runs.format(12800, 1, video), runs.format(48000, 1, sound)]),
            ("two", f"{self.url}dash-number/", [numbers.format(5, 8000)] * 2))
        (to / "manifest.mpd").write_text(
            '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" minBufferTime="PT4S"\n'
            ' profiles="urn:mpeg:dash:profile:isoff-live:2011" mediaPresentationDuration="PT24S">\n'
            + "".join(period(*one) for one in periods) + "</MPD>\n")

    def start_live(self):
        """Starts one encoder that writes live HLS and live DASH, 2 s segments, old ones deleted."""
        for name in ("hls", "dash"):
            (self.live / name).mkdir()
        video = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt",
                 "yuv420p", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-r", "25",
                 "-b:v:0", "600k", "-b:v:1", "200k", "-c:a", "aac", "-b:a", "96k"]
        split = "[0:v]split=4[a][b][c][d];[b]scale=320:180[bs];[d]scale=320:180[ds]"
        hls = ["-f", "hls", "-hls_time", "2", "-hls_list_size", "6", "-hls_delete_threshold", "3",
               "-hls_flags", "delete_segments+program_date_time+independent_segments+temp_file",
               "-hls_segment_type", "fmp4", "-var_stream_map",
               "v:0,agroup:sound,name:high v:1,agroup:sound,name:low a:0,agroup:sound,name:audio,default:yes",
               "-master_pl_name", "master.m3u8", "-hls_segment_filename", "hls/%v/s%05d.m4s",
               "hls/%v/index.m3u8"]
        dash = ["-f", "dash", "-seg_duration", "2", "-window_size", "8", "-extra_window_size", "4",
                "-use_template", "1", "-use_timeline", "1", "-adaptation_sets",
                "id=0,streams=v id=1,streams=a", "dash/manifest.mpd"]
        command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi",
                   "-i", "testsrc2=size=640x360:rate=25", "-re", "-f", "lavfi", "-i",
                   "sine=frequency=440:sample_rate=48000", "-filter_complex", split,
                   "-map", "[a]", "-map", "[bs]", "-map", "1:a", *video, *hls,
                   "-map", "[c]", "-map", "[ds]", "-map", "1:a", *video, *dash]
        self.children.append(subprocess.Popen(
            command, cwd=self.live, stderr=open(self.folder / "live.log", "w")))

    def wait_live(self, seconds=40):
        """Waits until both live streams list four segments."""
        def ready():
            hls = self.live / "hls" / "high" / "index.m3u8"
            mpd = self.live / "dash" / "manifest.mpd"
            return (hls.exists() and hls.read_text().count("#EXTINF") >= 4 and mpd.exists()
                    and len(list((self.live / "dash").glob("chunk-stream0-*.m4s"))) >= 4)
        wait_for(ready, seconds, "the live encoder")


def period(name, base, templates):
    """Eight seconds of a manifest: two renditions and a sound below `base`, whose segments are named as the templates say."""
    def one(number, kind, codec, rate, more, template):
        return (f'<Representation id="{number}" mimeType="{kind}/mp4" codecs="{codec}" bandwidth="{rate}" {more}>'
                '<SegmentTemplate initialization="init-stream$RepresentationID$.m4s"'
                f' media="chunk-stream$RepresentationID$-$Number%05d$.m4s" {template}</Representation>\n')
    video, sound = templates
    return (f' <Period id="{name}" duration="PT8S">\n  <BaseURL>{base}</BaseURL>\n'
            '  <AdaptationSet contentType="video" segmentAlignment="true" startWithSAP="1">\n'
            + one(0, "video", "avc1.4d401e", 808643, 'width="640" height="360"', video)
            + one(1, "video", "avc1.4d400c", 251636, 'width="320" height="180"', video)
            + '  </AdaptationSet>\n  <AdaptationSet contentType="audio" segmentAlignment="true" startWithSAP="1">\n'
            + one(2, "audio", "mp4a.40.2", 96108, 'audioSamplingRate="48000"', sound)
            + "  </AdaptationSet>\n </Period>\n")


def get(url, headers=None, timeout=30, body=None):
    """One plain request, POST where it has a body: (status, headers, body)."""
    request = urllib.request.Request(url, headers=headers or {}, data=body)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()
