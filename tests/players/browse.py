#!/usr/bin/env python3
"""hls.js, dash.js and Shaka play through the endpoint in headless Chromium, on demand and live: no error, no stall.

usage: tests/players/browse.py [--endpoint neap|nginx|direct] [--together N] [CASE...]
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from endpoint import ROOT, Endpoint
from frames import load_media
from licence import LicenceServer
from low_latency import LowLatencyOrigin
from origin import Origin, get
from report import Report

BROWSER = ROOT / "target" / "browser"
SCRIPTS = {"hls.js": "hls.js/dist/hls.min.js", "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
           "shaka.js": "shaka-player/dist/shaka-player.compiled.js"}

# (name, player, origin, path, what else the page must know)
LIVE = {"live": True, "renditions": 2}
CASES = [
    ("hls.js live", "hls", "cdn", "live/hls/master.m3u8", LIVE),
    ("dash.js live", "dash", "cdn", "live/dash/manifest.mpd", LIVE),
    ("Shaka live DASH", "shaka", "tls", "live/dash/manifest.mpd", LIVE),
    ("Shaka live HLS", "shaka", "tls", "live/hls/master.m3u8", LIVE),
    ("hls.js low latency", "hls", "ll", "one/index.m3u8", {"live": True, "lowLatency": True}),
    ("hls.js TS", "hls", "cdn", "hls-ts/index.m3u8", {}),
    ("hls.js fMP4", "hls", "cdn", "hls-fmp4/index.m3u8", {}),
    ("hls.js BYTERANGE", "hls", "cdn", "hls-byterange/index.m3u8", {}),
    ("hls.js AES-128", "hls", "cdn", "hls-aes/index.m3u8", {}),
    ("hls.js ads", "hls", "cdn", "absolute/ads/index.m3u8", {}),
    ("hls.js renditions", "hls", "cdn", "hls-multi/master.m3u8", {"renditions": 2}),
    ("hls.js renditions over https", "hls", "tls", "hls-multi/master.m3u8", {"renditions": 2}),
    ("dash.js number", "dash", "cdn", "dash-number/manifest.mpd", {"renditions": 2}),
    ("dash.js timeline over https", "dash", "tls", "dash-timeline/manifest.mpd", {"renditions": 2}),
    ("dash.js SegmentBase", "dash", "cdn", "dash-base/manifest.mpd", {"renditions": 2}),
    ("dash.js SegmentList", "dash", "cdn", "dash-list/manifest.mpd", {"renditions": 2}),
    ("dash.js ads", "dash", "cdn", "absolute/ads/manifest.mpd", {"renditions": 2}),
    ("Shaka ads", "shaka", "cdn", "absolute/ads/manifest.mpd", {"renditions": 2}),
    ("Shaka HLS renditions", "shaka", "cdn", "hls-multi/master.m3u8", {"renditions": 2}),
    ("Shaka number", "shaka", "cdn", "dash-number/manifest.mpd", {"renditions": 2}),
    ("Shaka timeline", "shaka", "cdn", "dash-timeline/manifest.mpd", {"renditions": 2}),
    ("Shaka SegmentBase over https", "shaka", "tls", "dash-base/manifest.mpd", {"renditions": 2}),
    ("hls.js ClearKey", "hls", "cdn", "cenc/master.m3u8", {"licence": "hls"}),
    ("dash.js ClearKey", "dash", "cdn", "cenc/manifest.mpd", {"licence": "dash"}),
    ("Shaka ClearKey", "shaka", "cdn", "cenc/manifest.mpd", {"licence": "shaka"}),
]


def pages():
    """The folder that the origin serves as /pages/: our page and the three players."""
    folder = BROWSER / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in SCRIPTS.items():
        shutil.copy(BROWSER / "node_modules" / source, folder / name)
    shutil.copy(pathlib.Path(__file__).parent / "browser" / "page.html", folder / "page.html")
    return folder


def judge(said):
    """A remark when the trial went well; raises what went wrong."""
    wrong = said["errors"] + said["statuses"]
    wrong += [f"stall at {s['at']:.2f} s, buffered {s['buffered']}" for s in said["stalls"]]
    if said["outside"]:
        wrong.append(f"{said['outside']} requests went past the endpoint")
    if wrong:
        raise AssertionError("; ".join(wrong[:5]))
    behind = said.get("latency")
    latency = f", {behind:.1f} s behind" if behind and behind < 15 else ""
    return (f"start {said['startMs']} ms, seeks {said['seeks']} ms, "
            f"{said['shown']} lines, {said['requests']} requests{latency}")


def play(cases, together):
    """Runs the cases in one browser; yields each verdict as it comes."""
    environment = {**os.environ, "NEAP_BROWSER": str(BROWSER)}
    process = subprocess.Popen(["node", pathlib.Path(__file__).parent / "browser" / "play.mjs"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    process.stdin.write(json.dumps({"cases": cases, "together": together}))
    process.stdin.close()
    for line in process.stdout:
        yield json.loads(line)
    if process.wait():
        yield {"name": "the browser", "errors": [f"ended with {process.returncode}"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", choices=("neap", "nginx", "direct"))
    parser.add_argument("--together", type=int, default=2, help="pages at a time")
    parser.add_argument("names", nargs="*", help="only cases whose name contains one of these")
    options = parser.parse_args()
    folder = ROOT / "target" / "media"
    media = load_media()
    media.make(folder)
    report = Report("browser")
    with Origin(folder, pages()) as origin, LicenceServer(media.KEY, media.KEY_ID) as licences, \
            LowLatencyOrigin(folder / "low-latency" / "parts.mp4") as low_latency:
        origin.start_live()
        origin.write_ads()
        origins = {"cdn": origin.url, "tls": origin.tls_url, "ll": low_latency.url, "drm": licences.url}
        with Endpoint(origins, ca=origin.ca, kind=options.endpoint) as endpoint:
            run(report, (origin, licences), endpoint, options)
            if report.failed and endpoint.kind != "direct":
                print(endpoint.output())
    report.close()


def run(report, origins, endpoint, options):
    origin, licences = origins
    origin.wait_live()
    # Only neap leads the player to itself for what a playlist names by full URL.
    hosts = [] if endpoint.kind == "neap" else [origin.url, origin.tls_url, licences.url]
    cases = []
    for name, player, where, path, more in CASES:
        if options.names and not any(word in name for word in options.names):
            continue
        # Without an endpoint the page's own origin is the one that a player may ask.
        where = "cdn" if endpoint.kind == "direct" and where == "tls" else where
        if "licence" in more:
            more = {"licence": f"{endpoint.base('drm')}licence?{more['licence']}"}
        cases.append({"name": name, "player": player, "page": origin.url + "pages/page.html",
                      "url": endpoint.base(where) + path, "hosts": hosts, **more})
    heard = set()
    mark = len(licences.seen)
    for said in play(cases, options.together):
        heard.add(said["name"])
        report.case(said["name"], lambda: judge(said), said["seconds"])
    for missing in {c["name"] for c in cases} - heard:
        def unheard():
            raise AssertionError("the browser never answered")
        report.case(missing, unheard)
    wanted = [case["licence"] for case in cases if "licence" in case]
    if wanted:
        report.case("licences and what tells of them", lambda: licensed((origin, licences), endpoint, wanted, mark))


def licensed(origins, endpoint, wanted, mark):
    """Each player's licence came from the server, and whoever asks again is led there; playlists tell of keys as they did."""
    origin, licences = origins
    asked = {path: body for method, path, body in licences.seen[mark:] if method == "POST"}
    if lacking := [url for url in wanted if not any(url.endswith(path) for path in asked)]:
        raise AssertionError(f"the server never heard of {lacking}")
    body = next(iter(asked.values()))
    url = endpoint.base("drm") + "licence?again"
    before = len(licences.seen)
    said = [get(url, {"Content-Type": "application/json"}, body=body) for _ in range(2)]
    plain = get(url)
    if [one[0] for one in (*said, plain)] != [200, 200, 404] or len(licences.seen) != before + 3:
        raise AssertionError(f"{said}, then {plain}; the server was asked {len(licences.seen) - before} times")
    if any(b"kids" not in words for words in asked.values()):
        raise AssertionError(f"asked for in other words: {asked}")
    for name in ("master.m3u8", "v360.m3u8", "manifest.mpd"):
        if get(f"{endpoint.base('cdn')}cenc/{name}")[2] != (origin.media / "cenc" / name).read_bytes():
            raise AssertionError(f"{name} came otherwise")
    return f"{len(asked)} players"


if __name__ == "__main__":
    main()
