"""All caps at once at their smallest: the player plays as from the CDN directly."""

from bed import FILM, Bed, stalls
from watch import Watcher

SMALLEST = """cpu = "1 %"
upload = "10 kbit/s"
upload-home = "10 kbit/s"
upload-isp = "10 kbit/s"
upload-wan = "10 kbit/s"
upload-peer = "10 kbit/s"
download = "10 kbit/s"
download-home = "10 kbit/s"
download-isp = "10 kbit/s"
download-wan = "10 kbit/s"
day-upload-wan = "1 MB"
month-upload-wan = "1 MB"
day-download-wan = "1 MB"
month-download-wan = "1 MB"
schedule = ["daily 00:00-24:00 upload=0 download=0"]
memory = "24 MiB"
flash-writes = "0"
power = "0.1 W"
energy = "1 mWh/day"
temperature = "10 °C"
battery = "never"
conntrack = "1 %"
"""


def smallest(report, home, origin):
    with Bed(home, origin) as bed:
        bed.build(caps=SMALLEST, takers=1, memory="8 MiB")
        with bed.demand():
            players = [Watcher(bed.giver.host, url) for url in (f"{origin.url}{FILM}", bed.giver.base() + FILM)]
            direct, capped = (player.end(45) for player in players)

        def plays():
            if not capped.ended or capped.faults:
                raise AssertionError(f"ended: {capped.ended}, faults {capped.faults[:3]}")
            if capped.digests != direct.digests:
                raise AssertionError("other bytes than from the CDN")
            if stalls(capped) > stalls(direct) + 0.15:
                raise AssertionError(f"waited {stalls(capped):.2f} s, directly {stalls(direct):.2f} s")
            return f"{len(capped.digests)} segments, waited {stalls(capped):.2f} s, directly {stalls(direct):.2f} s"
        report.case("all caps at their smallest: plays as directly", plays)
