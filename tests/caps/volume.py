"""Caps over a span: volume across restarts, a kill and clocks that jump; hours, paid lines, writes to flash."""

import os
import pathlib
import time

from bed import SENT, Bed, Meter, fetch_all, pid_of, written
from origin import wait_for
from trees import SHARING, STILL, Tree, flow, until

# Bytes a day beyond the home; a block more may be under way, and messages are beside it.
DAY = 4_000_000
BESIDE = 1.1
# Bytes a second that leave at most while nothing is given and something is fetched.
ACKNOWLEDGED = 150_000
# Bytes a day to the disk, and what logs, notes and folders take beside.
FLASH = 16 << 20
FLASH_BESIDE = 2 << 20
# Bytes that logs and notes take alone.
NOTES = 256 << 10
FAKE = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
QUICK = 'cpu = ""\nupload-wan = "20 Mbit/s"\nmonth-upload-wan = ""'
CAPPED = f'{QUICK}\nday-upload-wan = "{DAY // 1_000_000} MB"'


def volume(report, home, origin):
    with Bed(home, origin) as bed:
        # The interface has counted since the home was made.
        before = leaving(home.devices[0])
        bed.build(caps=CAPPED, far=True)
        bed.warm()
        giver = bed.giver
        rate = lambda seconds=2: flow(giver, seconds)
        with bed.demand():
            back = lambda: until(lambda: rate() > SHARING, rate, 45)
            report.case("volume: a day's bytes and no more", lambda: spent(giver, before, 8), 8)
            giver.end()
            anew(giver, origin)
            report.case("volume: a restart gives nothing back", lambda: silent(giver))
            giver.kill()
            anew(giver, origin)
            report.case("volume: a kill after that gives nothing back", lambda: silent(giver))
            jumps(report, giver, origin)
            # By a clock of next year all records are over, and it learns them anew with what it fetches.
            giver.end()
            giver.more.pop("env", None)
            anew(giver, origin)
            giver.recap(QUICK)
            report.case("volume: shares once the cap is gone", back)
            giver.recap(QUICK.replace('month-upload-wan = ""', 'month-upload-wan = "1 MB"'))
            report.case("volume: a month's bytes that are used hold as well",
                        lambda: until(lambda: rate() < STILL, rate))
            giver.recap(f'{QUICK}\nvpn-interfaces = ["eth0"]')
            report.case("vpn: nothing leaves through a tunnel", lambda: until(lambda: rate() < STILL, rate))
            giver.recap(f'{QUICK}\nmetered-interfaces = ["eth0"]')
            report.case("metered: nothing leaves over a paid line", lambda: until(lambda: rate() < STILL, rate))
            giver.recap(QUICK)
            report.case("metered: shares over any other", back)
            giver.recap(f'{QUICK}\nschedule = ["{hours(-1, 1)} upload-wan=0"]')
            report.case("schedule: nothing leaves in its hours", lambda: until(lambda: rate() < STILL, rate))
            giver.recap(f'{QUICK}\nschedule = ["{hours(2, 3)} upload-wan=0"]')
            report.case("schedule: shares outside of them", back)
    with Tree() as tree, Bed(home, origin) as bed:
        bed.build(caps=tree.caps(f'flash-writes = "{FLASH >> 20} MiB/day"'), disk="256 MiB", memory="16 MiB",
                  takers=1)
        worn(report, bed.giver, tree)
        report.case("flash: a day's writes and no more", lambda: flash(bed.giver, origin.segments))


def spent(giver, before, seconds):
    """Demand until the day's bytes are used."""
    with Meter(giver.host, pid_of(giver)) as meter:
        time.sleep(seconds)
    sent = leaving(giver.host) - before
    last = flow(giver, 2)
    said = f"{sent / 1e6:.2f} MB left since the start, then {last / 1e3:.1f} kB/s"
    if sent > DAY * BESIDE + STILL * seconds or last > STILL:
        raise AssertionError(f"more than {DAY / 1e6:.0f} MB: {said}")
    if sent < DAY * 0.8:
        raise AssertionError(f"it was not used: {said}; at most {meter.most(SENT, 1) / 1e3:.0f} kB/s")
    return said


def anew(giver, origin, clock=None):
    """Starts it again, with the film in its cache and the takers linked."""
    giver.again()
    if clock:
        # The origin's certificate is of today.
        clock.write_text("+0d")
    wait_for(lambda: len(giver.linked()) >= 2, 30, "links after a restart")
    # Linked first: what it fetches while it knows no witness it cannot prove, nor give.
    fetch_all(giver, origin.segments)


def leaving(host):
    """Bytes that have left by a device's interface."""
    return host.counters("eth0")[1]


def silent(giver, seconds=4):
    # What it fetches ahead of its own player is acknowledged meanwhile; given were 2500 kB/s.
    time.sleep(2)
    left = flow(giver, seconds)
    if left > ACKNOWLEDGED:
        raise AssertionError(f"{left / 1e3:.0f} kB/s leave")
    return f"{left / 1e3:.1f} kB/s while takers want all"


def jumps(report, giver, origin):
    """The clock is back while it starts, and jumps while it runs."""
    if not FAKE:
        return report.skip("volume: clocks that jump", "no libfaketime: apt-get install libfaketime")
    clock = giver.folder / "clock"
    clock.write_text("-2d")
    giver.more["env"] = {"LD_PRELOAD": FAKE[0], "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": 1,
                         "FAKETIME_DONT_FAKE_MONOTONIC": 1}
    giver.end()
    anew(giver, origin, clock)
    report.case("volume: a clock set back at the start gives nothing back", lambda: silent(giver))
    clock.write_text("+400d")
    report.case("volume: a clock set forward while it runs gives nothing back", lambda: silent(giver))
    clock.write_text("+0d")


def hours(begin, end):
    """A window of the schedule, in hours from now, by the clock of the machine."""
    at = lambda shift: time.strftime("%H:%M", time.localtime(time.time() + shift * 3600))
    return f"daily {at(begin)}-{at(end)}"


def worn(report, giver, tree):
    """Storage near its end, as an eMMC tells it (JESD84-B51)."""
    number = giver.folder.stat().st_dev
    if not os.major(number):
        return report.skip("wear: worn storage is not written to", "the folder lies on no block device")
    disk = "sys/devices/mmc0/block/mmcblk0"
    tree.write(f"{disk}/device/life_time", "0x0b 0x01")
    link = tree.folder / f"sys/dev/block/{os.major(number)}:{os.minor(number)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(tree.folder / disk)

    def none():
        # A player has the device read; what it says holds from then on.
        fetch_all(giver, 1)
        time.sleep(6)
        before = written(pid_of(giver))
        fetch_all(giver, 4)
        time.sleep(1)
        if (grown := written(pid_of(giver)) - before) > NOTES:
            raise AssertionError(f"{grown} bytes were written")
        return f"{grown} bytes were written while 25 MB were played"
    report.case("wear: worn storage is not written to", none)
    tree.write(f"{disk}/device/life_time", "0x01 0x01")
    time.sleep(6)


def flash(giver, segments):
    before = written(pid_of(giver))
    # What is asked for again is kept when it leaves memory.
    for _ in range(2):
        fetch_all(giver, segments)
    time.sleep(3)
    # Pages count as written when they are made dirty, so that nothing has to be flushed.
    grown = written(pid_of(giver)) - before
    said = f"{grown / 2**20:.1f} MiB written of {2 * segments * 6.25:.0f} MB played, cap {FLASH >> 20} MiB"
    if grown > FLASH + FLASH_BESIDE:
        raise AssertionError(f"more than the cap: {said}")
    if not grown:
        raise AssertionError(f"nothing was written: {said}")
    if grown < FLASH * 0.9:
        raise AssertionError(f"it was not used: {said}")
    return said
