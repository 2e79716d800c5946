"""On demand: a household that starts the same film within a minute takes it once from the origin."""

import hashlib
import time

from live import Live
from node import Nodes
from watch import Watcher

FILM = "film/high/index.m3u8"
# What the origin sends of the film, in copies: the aim, and what fails, on a machine with more work than cores.
AIM, COPIES = 1.3, 1.7
# Seconds between one start and the next.
APART = 5


def film(report, home, origin, sharing):
    """Four devices, one film, each starts some seconds after the last; a fifth look costs nothing more."""
    live = Live(report, home, origin, sharing)
    devices = home.devices[:4]
    with live.nodes(devices) as nodes:
        mark = len(origin.log())
        players = {}
        for device in devices:
            players[device.name] = Watcher(device, nodes.all[0].base() + FILM)
            time.sleep(APART)
        for player in players.values():
            player.end(75)
        taken = origin.copies(mark, "/film/high")
        sizes = {path: origin.size(path) for path in taken}

        def cost():
            whole = sum(f.stat().st_size for f in (origin.media / "film" / "high").glob("*.ts"))
            copies = sum(taken[p] * sizes[p] for p in taken) / whole
            said = f"{copies:.2f} copies of {whole / 1e6:.1f} MB for {len(devices)} devices"
            if sharing and copies > COPIES:
                raise AssertionError(f"{said}; more than {COPIES}")
            if sharing and copies > AIM:
                said += f"; ABOVE the aim of {AIM}"
            return said

        def right():
            for name, player in players.items():
                if not player.ended:
                    raise AssertionError(f"{name} did not come to the end: {player.faults[:3]}")
                wrong = [s for s, digest in player.digests.items()
                         if digest != hashlib.sha256((origin.media / "film/high" / s).read_bytes()).hexdigest()]
                if wrong or player.faults:
                    raise AssertionError(f"{name}: wrong bytes {wrong[:3]}, faults {player.faults[:3]}")
            return f"{sum(len(p.digests) for p in players.values())} segments"
        report.case("a film on four devices: what the origin sent", cost)
        report.case("a film on four devices: every byte right", right)
        live.quiet("a film on four devices", players)
        live.played(nodes, "a film on four devices")
        live.faults(nodes)
