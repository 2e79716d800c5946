"""A home and its internet, made of network namespaces: bridge, devices, gateway, a line with a rate and a delay.

    dev1 .. devN -- br0 [gateway] wan0 -- [line] -- net0 [internet]

All of it is gone when the `Home` ends, also after an error; what a killed run left is taken away at the next start.
"""

import ctypes
import fcntl
import os
import pathlib
import queue
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "players"))
from origin import stop, wait_for

CLONE_NEWNET = 0x40000000
ORIGIN = "203.0.113.2"
PREFIX = "neap-lab-"
# SIOCETHTOOL and its switches for offloads: a relay in user space must see packets as they are on a wire.
SIOCETHTOOL = 0x8946
OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)
libc = ctypes.CDLL(None, use_errno=True)


def run(*command, check=True):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def missing():
    """Why no namespace can be made here, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("ip", "tc"):
        if not shutil.which(program):
            return f"no program {program} (Debian: iproute2)"
    name = f"{PREFIX}{os.getpid()}-probe"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "add", "name", "probe0", "type", "veth", "peer", "name", "probe1")
        run("ip", "-n", name, "link", "add", "name", "br0", "type", "bridge")
        run("tc", "-n", name, "qdisc", "add", "dev", "probe0", "root", "tbf",
            "rate", "1mbit", "burst", "16k", "latency", "100ms")
    except (OSError, RuntimeError) as error:
        return f"no namespaces, bridges or rates here: {error}"
    finally:
        run("ip", "netns", "del", name, check=False)
    return None


def enter(namespace):
    """Moves the calling thread, and it alone, into a namespace for good."""
    with open(f"/run/netns/{namespace}") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


def within(namespace, work):
    """What `work()` says when a thread inside the namespace does it."""
    said = queue.Queue()

    def one():
        try:
            enter(namespace)
            said.put((work(), None))
        except BaseException as error:
            said.put((None, error))
    threading.Thread(target=one, daemon=True).start()
    result, error = said.get()
    if error:
        raise error
    return result


class Host:
    """One machine: a namespace with its address in the home (or beyond)."""

    def __init__(self, home, name, number=None):
        self.home, self.name = home, name
        self.space = f"{PREFIX}{os.getpid()}-{name}"
        self.address = f"192.168.77.{number}" if number else None
        self.address6 = f"fd00:6e65:6170::{number}" if number else None
        run("ip", "netns", "add", self.space)
        run("ip", "netns", "exec", self.space, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
            "net.ipv6.conf.default.accept_dad=0")
        self.ip("link", "set", "lo", "up")

    @property
    def wrap(self):
        """What stands before a command that runs here."""
        return ["ip", "netns", "exec", self.space]

    def ip(self, *words):
        return run("ip", "-n", self.space, *words)

    def within(self, work):
        return within(self.space, work)

    def start(self, command, **more):
        """Starts a program here; the home ends it if nobody else did."""
        process = subprocess.Popen([*self.wrap, *map(str, command)], **more)
        self.home.children.append(process)
        return process

    def counters(self, device):
        """(bytes in, bytes out) of an interface since it was made."""
        lines = run("ip", "netns", "exec", self.space, "cat", "/proc/net/dev").splitlines()
        for line in lines:
            name, _, rest = line.strip().partition(":")
            if name == device:
                figures = rest.split()
                return int(figures[0]), int(figures[8])
        raise RuntimeError(f"no interface {device} in {self.name}")


class Home:
    """`devices` machines on a bridge behind a gateway. `down` and `up` are the line's rates in bit/s, 0 for none."""

    def __init__(self, devices, down=0, up=0, delay_ms=0):
        self.count, self.down, self.up, self.delay_ms = devices, down, up, delay_ms
        self.hosts, self.children, self.devices, self.relay = [], [], [], None

    def __enter__(self):
        sweep()
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in self.children:
            stop(child, 5)
        for host in self.hosts:
            run("ip", "netns", "del", host.space, check=False)

    def host(self, name, number=None):
        host = Host(self, name, number)
        self.hosts.append(host)
        return host

    def _make(self):
        self.gateway = self.host("gateway", 1)
        self.internet = self.host("internet")
        self.line = self.host("line")
        gateway = self.gateway
        gateway.ip("link", "add", "name", "br0", "type", "bridge")
        gateway.ip("link", "set", "br0", "up")
        gateway.ip("address", "add", f"{gateway.address}/24", "dev", "br0")
        gateway.ip("address", "add", f"{gateway.address6}/64", "dev", "br0")
        run("ip", "netns", "exec", gateway.space, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self._line()
        for number in range(1, self.count + 1):
            self.devices.append(self.device(number))

    def _line(self):
        """The line: two wires that meet in a machine of their own, where the delay is made."""
        wire(self.gateway, "wan0", self.line, "home0")
        wire(self.internet, "net0", self.line, "far0")
        self.gateway.ip("address", "add", "203.0.113.1/24", "dev", "wan0")
        self.internet.ip("address", "add", f"{ORIGIN}/24", "dev", "net0")
        self.internet.ip("route", "add", "192.168.77.0/24", "via", "203.0.113.1")
        if self.delay_ms:
            for host, device in ((self.gateway, "wan0"), (self.internet, "net0"),
                                 (self.line, "home0"), (self.line, "far0")):
                host.within(lambda: plain(device))
            self.far(self.delay_ms)
        else:
            self.line.ip("link", "add", "name", "br0", "type", "bridge", "mcast_snooping", "0")
            self.line.ip("link", "set", "br0", "up")
            for device in ("home0", "far0"):
                self.line.ip("link", "set", device, "master", "br0")
        self.rates(self.down, self.up)

    def far(self, delay_ms):
        """Sets how long a round trip over the line takes, where it has a delay at all."""
        if self.relay:
            stop(self.relay, 5)
            self.children.remove(self.relay)
        self.relay = self.line.start([sys.executable, HERE / "delay.py", "home0", "far0", delay_ms])

    def rates(self, down, up):
        """Sets the line's rates anew, in the middle of what goes on."""
        for host, device, rate in ((self.internet, "net0", down), (self.gateway, "wan0", up)):
            run("tc", "-n", host.space, "qdisc", "del", "dev", device, "root", check=False)
            if rate:
                # A queue of a quarter of a second, as a modem's.
                run("tc", "-n", host.space, "qdisc", "add", "dev", device, "root", "tbf", "rate",
                    f"{int(rate)}bit", "burst", max(16000, int(rate / 8 / 100)), "latency", "250ms")

    def device(self, number):
        """A new machine on the bridge."""
        host = self.host(f"dev{number}", number + 10)
        host.number = number
        wire(host, "eth0", self.gateway, f"port{number}")
        self.gateway.ip("link", "set", f"port{number}", "master", "br0")
        host.ip("address", "add", f"{host.address}/24", "dev", "eth0")
        host.ip("address", "add", f"{host.address6}/64", "dev", "eth0")
        host.ip("route", "add", "default", "via", self.gateway.address)
        return host

    def port(self, host, switch, to):
        """Sets a switch of the bridge for a device's cable, such as `isolated` or `mcast_flood`."""
        self.gateway.ip("link", "set", f"port{host.number}", "type", "bridge_slave", switch, to)

    def plug(self, host, into):
        """Pulls a device's cable, or puts it back."""
        self.gateway.ip("link", "set", f"port{host.number}", "up" if into else "down")


def wire(one, name, other, peer):
    """A cable between two machines, both ends up."""
    one.ip("link", "add", "name", name, "type", "veth", "peer", "name", peer, "netns", other.space)
    one.ip("link", "set", name, "up")
    other.ip("link", "set", peer, "up")


def plain(device):
    """Switches off what a card would do for the kernel: joint packets, sums not yet made."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for switch in OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", switch, 0))
            request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(s, SIOCETHTOOL, request)
            except OSError:
                pass  # one that this kind of card does not have


def sweep():
    """Takes away the namespaces of runs that were killed; nothing runs on in them but what they left."""
    for line in run("ip", "netns", "list", check=False).splitlines():
        found = re.match(rf"({PREFIX}(\d+)-\S+)", line)
        if found and not pathlib.Path(f"/proc/{found[2]}").exists():
            for process in run("ip", "netns", "pids", found[1], check=False).split():
                try:
                    os.kill(int(process), 9)
                except ProcessLookupError:
                    pass
            run("ip", "netns", "del", found[1], check=False)


class Capture:
    """Counts every frame that devices send into the bridge, by who, to whom and what; `lost` must be 0.

    Frames are counted where they come in, so that each counts once.
    """

    def __init__(self, home, keep=()):
        self.home, self.keep, self.flows, self.kept, self.lost = home, keep, {}, [], 0
        self.ending = threading.Event()
        self.ready = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        wait_for(self.ready.is_set, 5, "the capture")
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(5)

    def _run(self):
        enter(self.home.gateway.space)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as s:
            s.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
            s.settimeout(0.2)
            self.ready.set()
            while not self.ending.is_set():
                try:
                    frame, (device, _, kind, *_) = s.recvfrom(65600)
                except TimeoutError:
                    continue
                # 4: PACKET_OUTGOING. What comes in by a port has a device's own frame.
                if device.startswith("port") and kind != 4:
                    self._note(device, frame)
            self.lost = struct.unpack("II", s.getsockopt(263, 6, 8))[1]  # PACKET_STATISTICS

    def _note(self, device, frame):
        flow = (device, *flow_of(frame))
        count, size = self.flows.get(flow, (0, 0))
        self.flows[flow] = count + 1, size + len(frame)
        if flow[3] in self.keep and len(self.kept) < 10000:
            self.kept.append((flow, frame))

    def matching(self, condition):
        """The flows (port, from, to, kind, its port) -> (frames, bytes) that `condition(flow)` picks."""
        return {f: n for f, n in self.flows.items() if condition(f)}


def flow_of(frame):
    """(from, to, kind, destination port) of a frame; kind is tcp, udp, icmp6, arp or a number."""
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == 0x0806:
        return socket.inet_ntoa(frame[28:32]), socket.inet_ntoa(frame[38:42]), "arp", 0
    if kind == 0x0800:
        inner, at = frame[23], 14 + 4 * (frame[14] & 15)
        source, target = socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34])
    elif kind == 0x86DD:
        inner, at = frame[20], 54
        source, target = (socket.inet_ntop(socket.AF_INET6, frame[i:i + 16]) for i in (22, 38))
        if inner == 0 and len(frame) > at + 8:  # a hop-by-hop header, as listener reports have
            inner, at = frame[at], at + 8 * (frame[at + 1] + 1)
    else:
        return "", "", hex(kind), 0
    name = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6"}.get(inner, str(inner))
    port = struct.unpack("!H", frame[at + 2:at + 4])[0] if name in ("tcp", "udp") else 0
    return source, target, name, port
