"""CPU time and bytes under demand that never ends, each cap in its own run."""

import re
import time

from bed import CPU, SENT, Bed, Meter, fetch_all, pid_of, stalls
from bed import FILM
from origin import wait_for
from watch import Watcher

# Percent of one core, and how much above it a window of ten seconds may be.
SHARES = (5, 15, 50)
ABOVE = 1.10
# Mbit/s, and how much of that must be used where it is wanted.
RATES = (0.5, 2, 20, 200)
USED = 0.95
# Six seconds hold few blocks of a small rate: one more or less is some per cent, so short windows fail only below this.
REACHED = 0.90
# Seconds in which a small rate holds fifty blocks.
SMALL, SMALL_SECONDS = 1, 60
# What an uplink carries whose quarter is below what goes by itself.
LINE = 4e6
# What is stated in docs/caps.md: a bucket holds so many seconds of its rate, and never less than two blocks.
BURST_SECONDS, BURST_LEAST = 0.125, 2 * 64 * 1024
# What is counted is the wire already (docs/caps.md); messages and acknowledgements are beside it.
WIRE = 1.02


def cpu(report, home, origin, long, giver=()):
    """At each cap: what the process uses while takers want all and a player of its own plays 25 Mbit/s. `giver` is
    the program under test where that is another one: a slow one, for takers that want more than a cap allows."""
    seconds = 65 if long else 11
    with Bed(home, origin) as bed:
        bed.build(caps='cpu = "50 %"', program=giver)
        bed.warm()
        with Meter(bed.giver.host, pid_of(bed.giver)) as meter:
            player = Watcher(bed.giver.host, bed.giver.base() + FILM)
            time.sleep(8)
            player.end()
        alone = meter.mean(CPU)
        for share in SHARES if long else SHARES[1:2]:
            bed.giver.recap(f'cpu = "{share} %"')

            def held():
                with bed.demand() as demand:
                    time.sleep(3)
                    player = Watcher(bed.giver.host, bed.giver.base() + FILM)
                    with Meter(bed.giver.host, pid_of(bed.giver)) as meter:
                        time.sleep(seconds)
                    player.end()
                windows = {w: meter.most(CPU, w) - alone for w in (1, 10, 60) if w < seconds}
                said = ", ".join(f"{w} s: {most:.1%}" for w, most in windows.items())
                said += f"; the player alone {alone:.1%}; {demand.bytes / 1e6:.0f} MB taken"
                if windows[10] > share / 100 * ABOVE:
                    raise AssertionError(f"more than the cap: {said}")
                if stalls(player) > 0.15 or player.faults:
                    raise AssertionError(f"the player waited {stalls(player):.2f} s, {player.faults[:2]}; {said}")
                return said
            report.case(f"cpu: {share} % of one core", held, seconds)


def rates(report, home, origin, long):
    """At each rate, in the home and beyond: what leaves by the giver's interface."""
    seconds = 20 if long else 6
    short = {"home": RATES[2:3], "wan": RATES[1:2]}
    for tier, far in (("home", False), ("wan", True)):
        with Bed(home, origin) as bed:
            bed.build(caps='cpu = ""', far=far)
            bed.warm()
            for rate in RATES if long else short[tier]:
                bed.giver.recap(f'cpu = ""\nupload-{tier} = "{rate} Mbit/s"\nmonth-upload-wan = ""')
                window = SMALL_SECONDS if long and rate < SMALL else seconds
                least = USED if long else REACHED
                report.case(f"rates: {rate} Mbit/s to {tier}",
                            lambda: within(bed, rate * 1e6 / 8, (window, least)), window)
            if far:
                # Last, since what waits in links for a narrow line leaves at once when that is wide again.
                report.case("rates: auto is a quarter of what the uplink carries", lambda: uplink(bed))


def uplink(bed):
    """A line that carries LINE upward, of which nobody tells."""
    bed.home.rates(0, LINE)
    bed.giver.recap('cpu = ""\nupload-wan = "auto"\nmonth-upload-wan = ""')
    shown = lambda: next(cap for cap in bed.giver.status()["caps"] if cap["name"] == "upload")
    with bed.demand():
        begin = time.monotonic()
        # What was seen of the wide line before may stand for up to sixteen blocks.
        wait_for(lambda: 0.8 * LINE < carried(shown()["period"]) < 1.2 * LINE, 30, "a measurement of this line")
        took = time.monotonic() - begin
        # What queued before is on its way still.
        time.sleep(4)
        with Meter(bed.giver.host, pid_of(bed.giver)) as meter:
            time.sleep(4)
    bed.home.rates(0, 0)
    mean = meter.mean(SENT) * 8
    said = f"after {took:.0f} s: {shown()['period']}; {mean / 1e6:.2f} Mbit/s leave, {meter.most(SENT, 1) * 8 / 1e6:.2f} at most"
    if not LINE / 4 * 0.8 < mean < LINE / 4 * 1.2:
        raise AssertionError(said)
    return said


def carried(period):
    """Bit/s that a cap says its uplink carries; 0 where it has not measured any."""
    found = re.search(r"the uplink carries ([0-9.]+) ([kM]?)bit/s, measured", period)
    return float(found[1]) * {"": 1, "k": 1e3, "M": 1e6}[found[2]] if found else 0


def within(bed, limit, window):
    seconds, least = window
    with bed.demand() as demand:
        time.sleep(3)
        with Meter(bed.giver.host, pid_of(bed.giver)) as meter:
            time.sleep(seconds)
    most, mean = meter.most(SENT, 1), meter.mean(SENT)
    burst = max(BURST_LEAST, limit * BURST_SECONDS)
    said = (f"{mean * 8 / 1e6:.2f} Mbit/s on the wire, at most {most * 8 / 1e6:.2f} in a second, "
            f"{mean / limit:.0%} of the cap")
    if demand.faults:
        raise AssertionError(f"takers' bodies were cut: {demand.faults[:3]}; {said}; {bed.takers[0].output()[-400:]}")
    if most > (limit + burst) * WIRE:
        raise AssertionError(f"above the cap and its burst: {said}")
    if mean < limit * least:
        raise AssertionError(f"below {least:.0%}: {said}")
    return said if mean >= limit * USED else f"MISSES THE AIM of {USED:.0%}: {said}"
