"""One neap on one machine of the home: its key, its configuration, its life and what it says of itself."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from endpoint import binary
from namespaces import run
from origin import answers, get, stop, wait_for

NETWORK = "home"
SECRET = "thirty-two bytes that only we know"


class Node:
    """neap on `host`. `peers` are addresses, `role` and `sharing` as in the file, `extra` more [network] lines."""

    def __init__(self, home, host, role="device", **more):
        self.home, self.host, self.role, self.more = home, host, role, more
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="neap-node-"))
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)
        self.key = make_key(self.state / "node.key")
        self.process, self.log = None, self.folder / "neap.log"

    def start(self, origin, witnesses=()):
        self.write(origin, witnesses)
        return self.again()

    def again(self):
        """Starts it, or starts it once more, with the file that it has."""
        with open(self.log, "a") as log:
            self.process = self.host.start([binary(), "--config", self.folder / "neap.toml"],
                                           stdout=log, stderr=log)
        wait_for(self._up, 20, f"neap on {self.host.name}")
        return self

    def _up(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"neap on {self.host.name} ended with {self.process.returncode}: "
                               f"{self.output()[-600:]}")
        return self.host.within(lambda: answers(8642))

    def write(self, origin, witnesses):
        more = self.more
        folder = self.folder
        (folder / "secret").write_text(more.get("secret", SECRET))
        (folder / "secret").chmod(0o600)
        shown = lambda values: json.dumps([str(v) for v in values])
        network = (f'[network]\nname = "{more.get("network", NETWORK)}"\n'
                   f'secret-file = "{folder}/secret"\nstate = "{self.state}"\nrole = "{self.role}"\n'
                   f'witnesses = {shown(witnesses)}\npeers = {shown(more.get("peers", ()))}\n'
                   f'discovery = {str(more.get("discovery", True)).lower()}\n{more.get("extra", "")}\n')
        if more.get("network", NETWORK) is None:
            network = ""
        sharing = f'[sharing]\nenabled = {str(more.get("sharing", True)).lower()}\nmin-audience = 1\n'
        (folder / "neap.toml").write_text(
            f'[player]\nlisten = ["127.0.0.1:8642"]\n[admin]\nlisten = "127.0.0.1:8643"\n'
            f'control = "{folder}/control.sock"\n[log]\ntarget = "stderr"\nlevel = "{more.get("level", "info")}"\n'
            f'[cache]\nmemory = "{more.get("memory", "48 MiB")}"\n{network}{sharing}'
            f'[[origin]]\nname = "cdn"\nurl = "{origin.tls_url}"\nca = "{origin.ca}"\nshare = "any"\n'
            f'[[origin]]\nname = "plain"\nurl = "{origin.url}"\nshare = "any"\n')

    def base(self, name="cdn"):
        return f"http://127.0.0.1:8642/{name}/"

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def status(self):
        """/status.json as it stands now."""
        code, _, body = self.host.within(lambda: get("http://127.0.0.1:8643/status.json"))
        if code != 200:
            raise RuntimeError(f"the status of {self.host.name}: {code}")
        return json.loads(body)

    def counters(self):
        """The counters of the status, by name."""
        return self.status()["counters"]

    def linked(self):
        """The keys' first digits of the peers that are linked now."""
        return {peer["key"] for peer in (self.status().get("network") or {}).get("peers", ())}

    def resident(self):
        """KiB resident, all and anonymous."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        read = lambda name: int(text.split(f"{name}:")[1].split()[0])
        return read("VmRSS"), read("RssAnon")

    def processor(self):
        """Seconds of processor time since its start."""
        parts = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        stop(self.process)
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def drop(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nodes:
    """The neaps of one trial; all are ended, and their folders gone, when it ends. A context manager."""

    # `mdns`: they find each other. `static`: each has the others' addresses in its file.
    finding = "mdns"

    def __init__(self, home, origin):
        self.home, self.origin, self.all, self.trusted = home, origin, [], ()
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="neap-trial-"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.all:
            node.drop()
        shutil.rmtree(self.place, ignore_errors=True)

    def add(self, host, **more):
        node = Node(self.home, host, **more)
        self.all.append(node)
        return node

    def start(self):
        """Starts all that do not run yet; the witnesses among them are trusted by all."""
        self.trusted = [n.key for n in self.all if n.role == "witness" and n.more.get("trusted", True)]
        for node in self.all:
            if self.finding == "static":
                others = [f"{n.host.address}:8644" for n in self.all if n is not node]
                node.more = {"peers": others, "discovery": False, **node.more}
            if node.process is None:
                node.start(self.origin, self.trusted)
        return self

    def wait_links(self, seconds=20):
        """Waits until every node that shares is linked with every other."""
        sharing = [n for n in self.all if n.more.get("sharing", True)]
        wait_for(lambda: all(len(n.linked()) >= len(sharing) - 1 for n in sharing), seconds,
                 "links between all nodes")
        return self

    def sums(self, name):
        """A counter, added up over the nodes that run."""
        return sum(n.counters().get(name, 0) for n in self.all if n.alive())

    def tail(self, lines=12):
        """The last lines of every log, for when something went wrong."""
        return "\n".join(f"--- {n.host.name} ({n.role}): {'runs' if n.alive() else 'ended'}\n"
                         + "\n".join(n.output().splitlines()[-lines:]) for n in self.all)


def make_key(file):
    """A node's key, made by OpenSSL (PKCS#8); returns how neap writes the public part."""
    run("openssl", "genpkey", "-algorithm", "ed25519", "-outform", "DER", "-out", file)
    file.chmod(0o600)
    done = subprocess.run(["openssl", "pkey", "-inform", "DER", "-in", file, "-pubout", "-outform", "DER"],
                          capture_output=True, check=True)
    return f"ed25519:{done.stdout[-32:].hex()}"

