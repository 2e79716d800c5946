#!/usr/bin/env python3
"""Whole homes in network namespaces: real multicast, rates, players and kills, and what neap does in them.

usage: tests/lab/home.py [--sharing on|off] [--finding mdns|static] [--numbers] [PART...]
       parts: live narrow mixed dash film strangers discovery many      (default: all)

Needs root. `--sharing off` runs the same with nothing shared: the figures that the others are compared with.
`--numbers` prints the table of docs/performance.md instead (8 devices, about ten minutes).
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from namespaces import Home, missing
from broadcast import Broadcast
from film import film
from live import Live
from node import Nodes
from report import Report

PARTS = ("live", "narrow", "mixed", "dash", "film")
LINE = {"down": 20e6, "up": 5e6, "delay_ms": 20}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sharing", choices=("on", "off"), default="on")
    parser.add_argument("--finding", choices=("mdns", "static"), default="mdns")
    parser.add_argument("--numbers", action="store_true")
    parser.add_argument("--seconds", type=int, default=60, help="of each run with --numbers")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if why := missing():
        print(f"SKIPPED  lab: {why}\nlab: 0 passed, 0 failed, 1 skipped")
        return
    Nodes.finding = options.finding
    report = Report("lab")
    wanted = options.parts or PARTS
    with Home(4, **LINE) as home, Broadcast(home) as origin:
        origin.start_live()
        live = Live(report, home, origin, options.sharing == "on")
        for part, trial in (("live", live.evening), ("narrow", live.narrow), ("mixed", live.mixed),
                            ("dash", live.dash)):
            if part in wanted:
                trial()
        if "film" in wanted:
            film(report, home, origin, options.sharing == "on")
    report.close()


if __name__ == "__main__":
    main()
