#!/usr/bin/env python3
"""Whole homes in network namespaces: real multicast, rates, players and kills, and what neap does in them.

usage: tests/lab/home.py [--sharing on|off] [--finding mdns|static] [--numbers] [PART...]
       parts: alone live narrow apart mixed dash film liars strangers discovery many      (default: all)

Needs root. `--sharing off` runs the same with nothing shared: the figures that the others are compared with.
`--numbers` prints the table of docs/performance.md instead (8 devices, about ten minutes).
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from alone import alone
from namespaces import Home, missing
from broadcast import Broadcast
from discovery import discovery
from film import film
from live import Live
from many import many
from node import Nodes
from report import Report
from strangers import strangers

PARTS = ("alone", "live", "narrow", "apart", "mixed", "dash", "film", "liars", "strangers", "discovery", "many")
# What says nothing while sharing is off.
SHARED = ("apart", "liars", "strangers", "discovery", "many")
LINE = {"down": 20e6, "up": 5e6, "delay_ms": 20}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sharing", choices=("on", "off"), default="on")
    parser.add_argument("--finding", choices=("mdns", "static"), default="mdns")
    parser.add_argument("--numbers", action="store_true")
    parser.add_argument("--seconds", type=int, default=20, help="of each run with --numbers")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if why := missing():
        print(f"SKIPPED  lab: {why}\nlab: 0 passed, 0 failed, 1 skipped")
        return
    Nodes.finding = options.finding
    if options.numbers:
        return numbers(options.seconds)
    report = Report("lab")
    wanted = options.parts or [p for p in PARTS if options.sharing == "on" or p not in SHARED]
    with Home(4, **LINE) as home, Broadcast(home) as origin:
        origin.start_live()
        live = Live(report, home, origin, options.sharing == "on")
        if "alone" in wanted:
            alone(report, home, origin, LINE)
        for part, trial in (("live", live.evening), ("narrow", live.narrow), ("apart", live.apart), ("mixed", live.mixed),
                            ("dash", live.dash), ("liars", live.liars)):
            if part in wanted:
                trial()
        if "film" in wanted:
            film(report, home, origin, options.sharing == "on")
        for part, trial in (("strangers", strangers), ("discovery", discovery), ("many", many)):
            if part in wanted:
                trial(report, home, origin)
    report.close()


def numbers(seconds):
    """The table of docs/performance.md: one live channel of 2.6 Mbit/s on 2, 4 and 8 devices."""
    print("| devices | | copies a segment, after the start / in all | stalls | waited s | listed to whole, p50 / p95 ms | encoded to "
          "whole, p50 / p95 s | origin late | neap's CPU, cores |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with Home(8, **LINE) as home, Broadcast(home) as origin:
        origin.start_live()
        apart, shared = Live(None, home, origin, False), Live(None, home, origin, True)
        for count in (1, 2, 4, 8):
            for name, live, direct in (("no neap", apart, True), ("not shared", apart, False), ("shared", shared, False)):
                if count == 1 and name == "shared":
                    continue
                f = live.crowd(count, seconds, direct)
                print(f"| {count} | {name} | {f['copies']:.2f} / {f['whole']:.2f} | {f['stalls']} | {f['waited']:.1f} | "
                      f"{f['took50'] * 1000:.0f} / {f['took95'] * 1000:.0f} | {f['had50']:.2f} / {f['had95']:.2f} | "
                      f"{f['late']} | {f['cpu']:.3f} |", flush=True)


if __name__ == "__main__":
    main()
