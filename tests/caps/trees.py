"""Caps that hang on sensors: trees of files in place of /sys and /proc, and the kernel's counters for what follows."""

import pathlib
import shutil
import tempfile
import time

from bed import SENT, WRITTEN, Bed, Meter, pid_of
from origin import wait_for

# What leaves while nothing is shared: announcements, acknowledgements.
STILL = 40_000
SHARING = 400_000


class Tree:
    """Files that stand in for the kernel's."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="neap-tree-"))
        self.write("proc/net/route", "Iface Destination Gateway Flags RefCnt Use Metric Mask\n"
                   "eth0 00000000 0101A8C0 0003 0 0 100 00000000\n")
        self.write("sys/class/thermal/thermal_zone0/type", "cpu-thermal")
        self.write("sys/class/thermal/thermal_zone0/temp", "45000")

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        # In one step, as the kernel's files are read in one.
        aside = file.with_name(f".{file.name}")
        aside.write_text(text)
        aside.rename(file)

    def remove(self, path):
        (self.folder / path).unlink()

    def caps(self, *lines):
        roots = (f'sysfs = "{self.folder}/sys"', f'procfs = "{self.folder}/proc"', 'cpu = ""')
        return "\n".join([*roots, *lines])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)


def sensors(report, home, origin):
    with Tree() as tree, Bed(home, origin) as bed:
        bed.build(caps=tree.caps('temperature = "80 °C"', 'battery = "never"'), takers=1)
        bed.warm()
        giver = bed.giver
        rate = lambda seconds=2: flow(giver, seconds)
        with bed.demand():
            report.case("sensors: shares while all is well", lambda: until(lambda: rate() > SHARING, rate))
            tree.write("sys/class/thermal/thermal_zone0/temp", "91000")
            report.case("temperature: nothing is shared at 91 °C", lambda: until(lambda: rate() < STILL, rate))
            report.case("temperature: the status says so", lambda: named(giver, "temperature"))
            tree.write("sys/class/thermal/thermal_zone0/temp", "60000")
            report.case("temperature: shares again at 60 °C", lambda: until(lambda: rate() > SHARING, rate))
            for name, text in (("type", "Battery"), ("status", "Discharging"), ("capacity", "80")):
                tree.write(f"sys/class/power_supply/BAT0/{name}", text)
            report.case("battery: nothing is shared on battery", lambda: until(lambda: rate() < STILL, rate))
            tree.write("sys/class/power_supply/BAT0/status", "Charging")
            report.case("battery: shares again on mains", lambda: until(lambda: rate() > SHARING, rate))
            giver.recap(tree.caps('power = "0.5 W"'))
            tree.write("sys/class/hwmon/hwmon0/name", "ina219")
            tree.write("sys/class/hwmon/hwmon0/power1_input", "4000000")
            time.sleep(12)
            tree.write("sys/class/hwmon/hwmon0/power1_input", "9000000")
            report.case("power: held back by the sensor", lambda: until(lambda: rate() < SHARING / 2, rate))
            report.case("power: the status says so", lambda: named(giver, "power"))
            # 5 W beyond its rest use up 3.6 J in a second.
            giver.recap(tree.caps('energy = "1 mWh/day"'))
            # The power cap before it left little to flow: only what is still once this cap acts tells of it.
            report.case("energy: the status says so", lambda: named(giver, "energy is used up"))
            report.case("energy: a day's energy and no more", lambda: until(lambda: rate() < STILL, rate))


def flow(node, seconds):
    """Bytes a second that leave."""
    with Meter(node.host, pid_of(node)) as meter:
        time.sleep(seconds)
    return meter.mean(SENT)


def until(condition, rate, seconds=30):
    """Waits for it; the governor reads its sensors every few seconds and lets sharing come back slowly."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            raise AssertionError(f"after {seconds} s {rate() / 1e3:.0f} kB/s leave")
    return f"after {time.monotonic() - begin:.0f} s"


def named(node, cap):
    """What the status names as holding sharing back."""
    text, begin = "", time.monotonic()
    while time.monotonic() - begin < 6:  # The next reading names it.
        text = str(node.status().get("caps"))
        if cap in text:
            return ""
        time.sleep(0.5)
    raise AssertionError(f"the status says {text}")
