"""A home of 25 nodes, 24 of them watching: what it costs the device that most are linked to."""

import time

from live import LOW_PATH
from node import Nodes
from origin import wait_for
from watch import Watcher

PEERS = 24
# What a node may hold beside its cache, in KiB.
RESIDENT = 16 * 1024
PLAY = 24
PORT = 8644


def many(report, home, origin):
    while len(home.devices) < PEERS + 1:
        home.devices.append(home.device(len(home.devices) + 1))
    with Nodes(home, origin) as nodes:
        nodes.finding = "file"
        hub = nodes.add(home.devices[0], memory="24 MiB")
        witness = nodes.add(home.gateway, role="witness",
                            peers=[f"{home.devices[0].address}:{PORT}"])
        for device in home.devices[1:PEERS]:
            nodes.add(device, memory="16 MiB", peers=[f"{home.devices[0].address}:{PORT}"])
        nodes.start()
        if not report.case(f"{PEERS} links to one node", lambda: wait_for(
                lambda: len(hub.linked()) >= PEERS, 40, lambda: f"{PEERS} links, not {len(hub.linked())}") and None):
            return
        last = nodes.all[-1]
        if not report.case("who came last is linked to nearly all", lambda: wait_for(
                lambda: len(last.linked()) >= PEERS - 4, 30, lambda: f"links to nearly all, not {len(last.linked())}") and None):
            return
        rest = beside(hub)
        players = {n.host.name: Watcher(n.host, n.base() + LOW_PATH) for n in nodes.all if n is not witness}
        time.sleep(4)
        begin, used, most = time.monotonic(), hub.processor(), 0
        while time.monotonic() - begin < PLAY:
            time.sleep(0.5)
            most = max(most, beside(hub))
        share = (hub.processor() - used) / (time.monotonic() - begin)
        for player in players.values():
            player.ending.set()
        for player in players.values():
            player.end()

        def memory():
            said = (f"{most} KiB beside the cache while all watch, {rest} KiB before, all in all "
                    f"{hub.resident()[0]} KiB ({hub.resident()[1]} KiB anonymous)")
            if most > RESIDENT:
                raise AssertionError(f"{said}; the aim is {RESIDENT}")
            return said
        report.case(f"memory with {PEERS} peers", memory)
        report.case(f"{PEERS} peers: all links stand", lambda: stands(hub))
        given = hub.counters()
        print(f"         {share:.1%} of one core on the node in the middle; it gave "
              f"{given.get('peer_given_bytes', 0) / 1e6:.1f} MB, took {given.get('peer_taken_bytes', 0) / 1e6:.1f} MB")
        late = sum(len(p.stalls.waits) for p in players.values())
        waited = sum(wait for p in players.values() for _, wait in p.stalls.waits)
        print(f"         {late} stalls of {len(players)} players that begin at once, {waited:.1f} s in all")


def stands(hub):
    if len(hub.linked()) < PEERS:
        raise AssertionError(f"{len(hub.linked())} of {PEERS}")


def beside(node):
    """KiB resident without the bytes of the RAM tier."""
    return node.resident()[0] - node.status()["memory"]["used"] // 1024
