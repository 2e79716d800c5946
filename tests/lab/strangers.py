"""Who does not belong stays outside: other networks, and nodes without, with an old and with a stolen admission."""

import pathlib
import struct
import subprocess
import tempfile
import time

from namespaces import Capture
from node import Nodes, make_key
from origin import wait_for

PORT = 8644
DAY = 86400
# Long enough for two rounds of announcements and for a node that dials what it should not.
LOOK = 8


def strangers(report, home, origin):
    apart(report, home, origin)
    admissions(report, home, origin)
    secrets(report, home, origin)


def apart(report, home, origin):
    """Two nodes of one network and two of another, all on one bridge, all looking for company."""
    for device in home.devices[:4]:
        # Kernels ask after neighbours of an earlier trial for some seconds.
        device.ip("neighbour", "flush", "dev", "eth0")
    with Nodes(home, origin) as nodes, Capture(home) as seen:
        nodes.finding = "mdns"
        for device, network in zip(home.devices[:4], ("home", "home", "flat", "flat")):
            nodes.add(device, network=network, secret=f"the secret of all those in {network}")
        nodes.start()
        ours = [[n for n in nodes.all if n.more["network"] == name] for name in ("home", "flat")]
        wait_for(lambda: all(len(n.linked()) == 1 for n in nodes.all), 20, "the pairs to be linked")
        time.sleep(LOOK)

        def none():
            sides = [{a for n in side for a in (n.host.address, n.host.address6)} for side in ours]
            links = {a: n.host.name for n in nodes.all for a in locals_of(n.host)}
            names = [{n.host.name for n in side} for side in ours]

            def crosses(flow):
                pair = [links.get(flow[i]) for i in (1, 2)]
                return None not in pair and (pair[0] in names[0]) != (pair[1] in names[0])
            found = seen.matching(crosses)
            if found:
                raise AssertionError(f"frames between them: {found}")
            inside = seen.matching(lambda f: links.get(f[1]) and links.get(f[2]) and f[3] == "tcp")
            if not inside:
                raise AssertionError(f"none between nodes of one network either: wrong test {sides}")
            return f"{sum(n for n, _ in inside.values())} frames inside the networks, none between them"
        report.case("two networks on one bridge exchange nothing", none)
        report.case("and nobody was refused, since nobody asked", lambda: refused(nodes, 0))
    report.case("the capture lost nothing", lambda: lossless(seen))


def locals_of(host):
    """Every address that a machine speaks from, its link-local ones too."""
    words = host.ip("-o", "address", "show", "dev", "eth0").split()
    return [word.split("/")[0] for before, word in zip(words, words[1:]) if before in ("inet", "inet6")]


def refused(nodes, count):
    said = [n.counters().get("peers_refused", 0) for n in nodes.all]
    if sum(said) != count:
        raise AssertionError(f"refused: {said}")


def lossless(seen):
    if seen.lost:
        raise AssertionError(f"{seen.lost} frames were not counted")
    return f"{sum(n for n, _ in seen.flows.values())} frames"


def secrets(report, home, origin):
    """One knows the name and where to go, not the secret."""
    with Nodes(home, origin) as nodes:
        inside = nodes.add(home.devices[0])
        outside = nodes.add(home.devices[1], secret="a guess of more than sixteen bytes",
                            peers=[f"{home.devices[0].address}:{PORT}"], discovery=False)
        nodes.start()
        heard(report, "a wrong secret", (inside, "it does not know the network's secret"),
              (outside, "its secret is another"))


def heard(report, name, inside, outside):
    """Both logs say why within some seconds, nothing is linked and the counter shows it."""
    def judge():
        for node, words in (inside, outside):
            wait_for(lambda: words in node.output(), 15, f"'{words}' in the log of {node.host.name}")
        linked = [n.host.name for n, _ in (inside, outside) if n.linked()]
        if linked:
            raise AssertionError(f"linked all the same: {linked}")
        if not inside[0].counters().get("peers_refused"):
            raise AssertionError("peers_refused stands at 0")
        lines = [next(x for x in n.output().splitlines() if w in x) for n, w in (inside, outside)]
        print("".join(f"         {line[:200]}\n" for line in lines), end="")
    report.case(f"{name} is refused, in both logs", judge)


def admissions(report, home, origin):
    """A network with an operator; each of four nodes knocks at the same door."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="neap-operator-"))
    try:
        operator = make_key(folder / "operator.key")
        for name, words, admission in (
                ("a node without admission", ("it has no admission", "asks this node for an admission"),
                 lambda node, other: None),
                ("an expired admission", ("its admission is over", "admission is over"),
                 lambda node, other: admit(folder, operator, node, time.time() - DAY)),
                ("a stolen admission", ("its admission was not made for its key",
                                        "admission is not by its operator"),
                 lambda node, other: admit(folder, operator, other, time.time() + DAY)),
                ("a good admission", None, lambda node, other: admit(folder, operator, node, time.time() + DAY))):
            knock(report, (home, origin), (name, words), (operator, folder, admission))
    finally:
        subprocess.run(["rm", "-r", str(folder)], check=True)


def knock(report, place, told, papers):
    """One door with a good admission of its own, one node that knocks with what `papers` gives it."""
    (home, origin), (name, words), (operator, folder, admission) = place, told, papers
    with Nodes(home, origin) as nodes:
        file = lambda who: folder / f"{name.replace(' ', '-')}-{who}"
        line = f'operators = ["{operator}"]'
        door = nodes.add(home.devices[0], extra=f'{line}\nadmission-file = "{file("door")}"')
        file("door").write_text(admit(folder, operator, door.key, time.time() + DAY))
        guest = nodes.add(home.devices[1], peers=[f"{home.devices[0].address}:{PORT}"], discovery=False)
        brought = admission(guest.key, door.key)
        guest.more["extra"] = line
        if brought:
            file("guest").write_text(brought)
            guest.more["extra"] += f'\nadmission-file = "{file("guest")}"'
        nodes.start()
        if words:
            heard(report, name, (door, words[0]), (guest, words[1]))
        else:
            report.case(f"{name} opens the door", lambda: wait_for(
                lambda: door.linked() and guest.linked(), 15, "a link") and None)


def admit(folder, operator, node, until):
    """An admission of `node` ("ed25519:...") as neap writes it, signed by OpenSSL with the operator's key."""
    key = lambda text: bytes.fromhex(text.removeprefix("ed25519:"))
    fixed = key(operator) + key(node) + struct.pack(">q", int(until))
    (folder / "content").write_bytes(b"neap/1 admission\n" + fixed)
    done = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey",
                           folder / "operator.key", "-in", folder / "content"], capture_output=True, check=True)
    return f"admission:{(fixed + done.stdout).hex()}\n"
