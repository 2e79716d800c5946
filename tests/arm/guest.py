"""An ARM machine of its own: Debian's kernel in qemu, a read-only root of busybox and neap, one disk as flash.

The machine is driven over its console, where a shell waits; its network is qemu's and ends at this host's
loopback: the guest has no route and no resolver beyond it.
"""

import gzip
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MADE = ROOT / "target" / "cross" / "guest"

# Architecture: Debian's name, qemu, CPU, the kernel's package, rust target.
MACHINES = {
    "armv7": ("armhf", "qemu-system-arm", "cortex-a7", "linux-image-armmp", "armv7-unknown-linux-musleabihf"),
    "aarch64": ("arm64", "qemu-system-aarch64", "cortex-a53", "linux-image-cloud-arm64", "aarch64-unknown-linux-musl"),
}
# What the image needs as modules; what a kernel has built in is not found and left out.
MODULES = ("virtio_mmio", "virtio_blk", "virtio_net", "ext4", "rtc-pl031")
# Where the guest reaches this host's loopback; it has no route to anywhere else.
ORIGIN = "10.0.2.2"

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod $module; done
while ! [ -e /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t proc proc /proc
mode=ro; case " $(/bin/busybox cat /proc/cmdline) " in *" rw "*) mode=rw ;; esac
/bin/busybox umount /proc
/bin/busybox mount -t ext4 -o $mode /dev/vda /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""

INITTAB = """::sysinit:/etc/rc
::respawn:/etc/neap.run
::respawn:/etc/console
::ctrlaltdel:/sbin/reboot
"""

# vda is the read-only root; of the two other disks vdb is the flash.
RC = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o size=4m run /run
mount -t ext4 -o errors=remount-ro /dev/vdb /var/cache/neap
mkdir -p /run/neap
chown neap:neap /run/neap /var/cache/neap
chmod 750 /var/cache/neap
: > /run/hosts
cp /etc/neap/neap.toml /run/neap.toml
echo thirty-two bytes that only we know > /run/secret
chown neap:neap /run/secret
chmod 600 /run/secret
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
echo 1 > /proc/sys/vm/panic_on_oom
"""

# Lines from outside, one after the other; a shell with an editor would ask the terminal things.
CONSOLE = """#!/bin/sh
stty -echo
echo CONSOLE-IS-HERE
while read -r line; do eval "$line"; done
"""

# What stands between init and neap on a device without systemd.
RUN = """#!/bin/sh
exec >>/run/neap.log 2>&1
exec start-stop-daemon -S -c neap:neap -x /usr/bin/neap -- --config /run/neap.toml
"""


def fetch(debian, kernel):
    """The kernel's and busybox's files, unpacked below target/cross; Debian's packages, nothing is installed."""
    to = MADE / debian
    if (to / "complete").exists():
        return to
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    view = MADE.parent / "apt"
    if not (view / "parts").is_dir():
        target = next(m[4] for m in MACHINES.values() if m[0] == debian)
        subprocess.run([ROOT / "cross/toolchain", target], check=True, stdout=subprocess.DEVNULL)
    options = ["-qq", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={view}/parts",
               "-o", f"Dir::State::lists={view}/lists", "-o", f"Dir::Cache={view}/cache",
               "-o", "APT::Architectures=amd64,armhf,arm64", "-o", "APT::Sandbox::User=root"]
    depends = subprocess.run(["apt-cache", *options[1:], "depends", f"{kernel}:{debian}"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    image = next(line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line)
    subprocess.run(["apt-get", *options, "download", image, f"busybox-static:{debian}"], cwd=to, check=True)
    for package in to.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, to], check=True)
        package.unlink()
    (to / "complete").touch()
    return to


def modules(kernel):
    """The paths of the modules that the image needs, each after what it needs itself."""
    version = next(path.name for path in (kernel / "lib/modules").iterdir())
    tools = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    subprocess.run(["depmod", "-b", kernel, version], check=True, env=tools, stderr=subprocess.DEVNULL)
    found = []
    for name in MODULES:
        run = subprocess.run(["modprobe", "-d", kernel, "-S", version, "--show-depends", name], env=tools,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in run.stdout.splitlines():
            path = line.split()[-1]
            if line.startswith("insmod") and path not in found:
                found.append(path)
    return found


def tree(folder, files):
    """Writes files: {path: text, bytes, a path to copy, or ("link", to)}; a text that begins with #! may be run."""
    for name, what in files.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, tuple):
            path.symlink_to(what[1])
        elif isinstance(what, pathlib.Path):
            shutil.copy(what, path)
            path.chmod(0o755)
        else:
            path.write_bytes(what.encode() if isinstance(what, str) else what)
            path.chmod(0o755 if what[:2] in ("#!", b"#!") else 0o644)


class Guest:
    """A machine that runs while the `with` block does. `toml` is its /etc/neap/neap.toml, `flash` its disk in MiB."""

    def __init__(self, machine, toml, forwards, files=None, flash=24):
        self.debian, self.qemu, self.cpu, kernel, target = MACHINES[machine]
        self.files = fetch(self.debian, kernel)
        self.neap = pathlib.Path(os.environ.get("NEAP_GUEST_BIN") or ROOT / "target" / target / "small" / "neap")
        self.toml, self.forwards, self.more, self.flash = toml, forwards, files or {}, flash
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="neap-guest-"))
        self.text, self.heard = [], threading.Condition()
        self.process = None
        self.build()

    def build(self):
        busybox = self.files / "bin" / "busybox"
        small = self.folder / "initrd"
        found = [pathlib.Path(path) for path in modules(self.files)]
        tree(small, {"bin/busybox": busybox, "init": INIT,
                     **{f"modules/{at:02}-{path.name}": path for at, path in enumerate(found)}})
        for name in ("dev", "root", "proc", "modules"):
            (small / name).mkdir(exist_ok=True)
        names = "\n".join(str(path.relative_to(small)) for path in sorted(small.rglob("*")))
        archive = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "--owner=0:0"], cwd=small, check=True,
                                 input=names.encode(), stdout=subprocess.PIPE).stdout
        (self.folder / "initrd.gz").write_bytes(gzip.compress(archive, 1))
        root = self.folder / "root"
        tree(root, {
            "bin/busybox": busybox, "usr/bin/neap": self.neap, "sbin/init": ("link", "/bin/busybox"),
            "etc/inittab": INITTAB, "etc/rc": RC, "etc/neap.run": RUN, "etc/console": CONSOLE, "etc/neap/neap.toml": self.toml,
            "etc/passwd": "root:x:0:0::/:/bin/sh\nneap:x:64:64::/var/cache/neap:/bin/false\n",
            "etc/group": "root:x:0:\nneap:x:64:\n",
            # Names come when the test writes them; nobody answers at the resolver.
            "etc/hosts": ("link", "/run/hosts"), "etc/resolv.conf": "nameserver 127.0.0.1\n",
            **self.more,
        })
        applets = subprocess.run([f"qemu-{'arm' if self.debian == 'armhf' else 'aarch64'}-static", busybox, "--list"],
                                 check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        for name in applets:
            link = root / "bin" / name
            if not link.exists():
                link.symlink_to("/bin/busybox")
        for name in ("dev", "proc", "sys", "run", "tmp", "var/cache/neap"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.disk("root.ext4", 24, root)
        self.disk("flash.ext4", self.flash)

    def disk(self, name, mebibytes, content=None):
        tools = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        given = ["-d", str(content)] if content else []
        subprocess.run(["mke2fs", "-q", "-q", "-t", "ext4", "-E", "root_owner=0:0", *given, str(self.folder / name),
                        f"{mebibytes}M"], check=True, env=tools,
                       stdout=subprocess.DEVNULL)

    def boot(self, clock, mebibytes=64, counted=False, patience=180, write=False):
        """Switches on; returns when the shell answers. Returns the seconds that took."""
        begin = time.monotonic()
        kernel = next((self.files / "boot").glob("vmlinuz-*"))
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-:{theirs}" for ours, theirs in self.forwards.items())
        drives = []
        # The last drive named becomes the first disk.
        for at, (name, how) in enumerate((("flash.ext4", "cache=writethrough"), ("root.ext4", "cache=unsafe" if write else "readonly=on"))):
            drives += ["-drive", f"if=none,id=d{at},file={self.folder / name},format=raw,{how}",
                       "-device", f"virtio-blk-device,drive=d{at}"]
        command = [self.qemu, "-M", "virt", "-cpu", self.cpu, "-smp", "1", "-m", str(mebibytes), "-kernel", str(kernel),
                   "-initrd", str(self.folder / "initrd.gz"), "-append", f"console=ttyAMA0 quiet panic=-1 root=/dev/vda {'rw' if write else 'ro'}",
                   "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-rtc", f"base={clock}",
                   *drives, "-netdev", f"user,id=n{forwards}", "-device", "virtio-net-device,netdev=n"]
        if counted:
            # Time is instructions, 2 ns each, and idling takes none.
            command += ["-icount", "shift=1,sleep=off"]
        self.text.clear()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, bufsize=0)
        threading.Thread(target=self.listen, args=(self.process,), daemon=True).start()
        with self.heard:
            if not self.heard.wait_for(lambda: "CONSOLE-IS-HERE" in self.console(), patience):
                raise TimeoutError(f"no console:\n{self.console()[-1500:]}")
        self.tell("true")
        return time.monotonic() - begin

    def listen(self, process):
        while chunk := process.stdout.read(4096):
            with self.heard:
                self.text.append(chunk.decode(errors="replace"))
                self.heard.notify_all()
        with self.heard:
            self.heard.notify_all()

    def console(self):
        return "".join(self.text)

    def tell(self, command, seconds=60):
        """Runs a line in the guest's shell; returns what it printed, and raises where it failed."""
        # The halves of both marks are joined by the guest's shell only, so the echo of the line is no answer;
        # init makes the terminal echo whenever it starts something.
        mark = uuid.uuid4().hex[:8]
        begin = len(self.console())
        line = f"echo \"{mark}\"\"+\"; {{ {command}; }} </dev/null 2>&1; echo \"{mark}\"\"-$?.\"\n"
        self.process.stdin.write(line.encode())
        end = time.monotonic() + seconds
        with self.heard:
            while f"{mark}-" not in self.console()[begin:] or not self.console()[begin:].split(f"{mark}-")[1].count("."):
                if self.process.poll() is not None:
                    raise RuntimeError(f"the machine went off at '{command}':\n{self.console()[-1500:]}")
                if time.monotonic() > end:
                    raise TimeoutError(f"'{command}' took more than {seconds} s:\n{self.console()[-1500:]}")
                self.heard.wait(0.5)
        said, _, rest = self.console()[begin:].replace("\r", "").partition(f"{mark}+\n")[2].partition(f"{mark}-")
        code = int(rest.split(".")[0])
        if code:
            raise AssertionError(f"'{command}' ended with {code}: {said.strip()[-400:]}")
        return said.strip()

    def until(self, command, seconds=30):
        """Runs a line until it succeeds."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self.tell(command)
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)

    def cut(self):
        """Takes the power away: nothing is written that was not."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
        shutil.rmtree(self.folder, ignore_errors=True)
