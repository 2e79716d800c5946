#!/usr/bin/env python3
"""The caps, shown from outside: real processes and links, and meters of the kernel's that neap cannot reach.

usage: tests/caps/caps.py [--long] [PART...]    parts: standby memory cpu rates sensors volume smallest     (default: all)

Needs root, for network namespaces and cgroups; says SKIPPED where there is none. `--long` has the windows of the
standby (ten minutes) and of the CPU (60 s) in full, and every cap and rate, about twenty minutes in all.
"""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lab"), str(HERE.parent / "players"), str(HERE)]
from namespaces import Home, missing
from bed import Source
from load import cpu, rates
from memory import memory
from report import Report
from rest import standby
from trees import sensors
from smallest import smallest
from volume import volume

PARTS = ("standby", "memory", "cpu", "rates", "sensors", "volume", "smallest")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--giver", default="", help="with cpu: the program under test, with words before it as an emulator's")
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if why := missing():
        print(f"SKIPPED  caps: {why}\ncaps: 0 passed, 0 failed, 1 skipped")
        return
    report, wanted = Report("caps"), options.parts or PARTS
    with Home(3) as home, Source(home, 16 if options.long else 10) as origin:
        if "standby" in wanted:
            standby(report, home, origin, 600 if options.long else 20)
        if "memory" in wanted:
            memory(report, home, origin, options.long)
        if "cpu" in wanted:
            cpu(report, home, origin, options.long, options.giver.split())
        if "rates" in wanted:
            rates(report, home, origin, options.long)
        if "sensors" in wanted:
            sensors(report, home, origin)
        if "volume" in wanted:
            volume(report, home, origin)
        if "smallest" in wanted:
            smallest(report, home, origin)
    report.close()


if __name__ == "__main__":
    main()
