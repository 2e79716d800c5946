"""Memory under the kernel's own limit: neap plays and shares in 24, 32 and 64 MiB, and is never killed."""

import pathlib
import time

from bed import Bed, fetch_all

SIZES = (24, 32, 64)
V2 = pathlib.Path("/sys/fs/cgroup")
V1 = V2 / "memory"


class Group:
    """A cgroup with a limit: of version 2 where the machine has its memory controller, else of version 1, whose
    limit kills as the other's does. A context manager."""

    def __init__(self, mebibytes):
        self.limit = mebibytes << 20
        self.version = 2 if unified() else 1
        root = V2 if self.version == 2 else V1
        self.folder = root / f"neap-caps-{mebibytes}"

    def __enter__(self):
        if self.version == 2:
            (V2 / "cgroup.subtree_control").write_text("+memory")
        self.folder.mkdir(exist_ok=True)
        name = "memory.max" if self.version == 2 else "memory.limit_in_bytes"
        (self.folder / name).write_text(str(self.limit))
        return self

    def __exit__(self, *_):
        for _ in range(50):
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.1)

    def killed(self):
        file = "memory.events" if self.version == 2 else "memory.oom_control"
        return int((self.folder / file).read_text().split("oom_kill ")[1].split()[0])

    def peak(self):
        names = ("memory.peak", "memory.max_usage_in_bytes")
        return next(int((self.folder / n).read_text()) for n in names if (self.folder / n).exists())


def available():
    """Why there is no such limit here, or nothing."""
    return None if unified() or V1.is_dir() else "no memory controller of cgroups"


def unified():
    """Whether the memory controller is one of version 2."""
    file = V2 / "cgroup.controllers"
    return file.exists() and "memory" in file.read_text().split()


def memory(report, home, origin, long):
    if why := available():
        return report.skip("memory", why)
    if not unified():
        report.skip("memory: cgroup v2", "this machine's memory controller is of version 1: its limit is used here, and "
                    "tests/arm/cgroup shows version 2 on a booted machine")
    for size in SIZES if long else SIZES[::2]:
        try:
            trial(report, home, origin, size)
        except Exception as fault:  # the next size is another trial
            report.case(f"memory: {size} MiB", lambda: throw(fault))


def trial(report, home, origin, size):
    with Group(size) as group, Bed(home, origin) as bed:
        # A quarter for the cache: what neap needs beside it stands in docs/caps.md.
        bed.build(takers=1, memory=f"{size // 4} MiB", caps=f'memory = "{size - 2} MiB"', group=group.folder)

        def plays():
            with bed.demand() as demand:
                for _ in range(2):
                    fetch_all(bed.giver, 6)
                time.sleep(3)
                taken = demand.bytes
            if group.killed() or not bed.giver.alive():
                raise AssertionError(f"killed {group.killed()} times, {bed.giver.output()[-300:]}")
            given = bed.giver.counters().get("peer_given_bytes", 0)
            if not given:
                raise AssertionError(f"it gave nothing while {taken} bytes were wanted")
            return (f"played 75 MB, gave {given / 1e6:.1f} MB; at most {group.peak() / 2**20:.1f} MiB, never killed "
                    f"(cgroup v{group.version})")
        report.case(f"memory: plays and shares within {size} MiB", plays)


def throw(fault):
    raise fault

