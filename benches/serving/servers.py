"""The servers that are measured side by side: neap, and each competitor as its makers advise for a warm cache on one core."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "players"))
from endpoint import binary
from origin import answers, as_root, free_port, stop, wait_for

SERVER_CORE, LOAD_CORE = 0, 1
TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """One started server, pinned to the server core; `url` is where its bodies are. A context manager."""

    def __init__(self, name, origin):
        self.name, self.origin = name, origin
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"neap-bench-{name}-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/" + ("bench/" if self.name == "neap" else "")

    def __enter__(self):
        command, environment = COMMANDS[self.name](self)
        log = open(self.folder / "output.log", "w")
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command], cwd=self.folder, stdout=log, stderr=log,
            env={**os.environ, **environment})
        try:
            wait_for(self._up, 30, f"{self.name} to listen")
            self.pin()
        except Exception:
            print((self.folder / "output.log").read_text()[-3000:], file=sys.stderr)
            self.__exit__()
            raise
        return self

    def _up(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended at once with {self.process.returncode}")
        return answers(self.port)

    def __exit__(self, *_):
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu(self):
        """Seconds of processor that the whole process tree has used, user and system."""
        return sum(cpu_of(pid) for pid in tree(self.process.pid))

    def tasks(self):
        return [t for pid in tree(self.process.pid) for t in pathlib.Path(f"/proc/{pid}/task").iterdir()]

    def pin(self):
        """Pins every thread again: Traffic Server binds its threads itself, past taskset."""
        for task in self.tasks():
            os.sched_setaffinity(int(task.name), {SERVER_CORE})

    def cores(self):
        """The cores that any of its threads may run on, as the kernel lists them."""
        return {line.split()[1] for t in self.tasks() for line in (t / "status").read_text().splitlines()
                if line.startswith("Cpus_allowed_list")}


def tree(pid):
    """`pid` and all its descendants that live."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += tree(int(child))
    return found


def cpu_of(pid):
    """utime + stime of all threads, the ended ones too (proc(5), fields 14 and 15)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def machine_busy():
    """Seconds that both cores were busy with anything since boot (proc(5), /proc/stat)."""
    busy = 0
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        words = line.split()
        if words[0] in (f"cpu{SERVER_CORE}", f"cpu{LOAD_CORE}"):
            user, nice, system, _, _, irq, soft, steal = map(int, words[1:9])
            busy += user + nice + system + irq + soft + steal
    return busy / TICK


def neap(server):
    (server.folder / "neap.toml").write_text(f"""
[player]
listen = ["127.0.0.1:{server.port}"]
[admin]
listen = ""
control = "{server.folder}/control.sock"
[log]
target = "stderr"
level = "warn"
[network]
state = "{server.folder}/state"
[[origin]]
name = "bench"
url = "{server.origin}"
""")
    return [str(binary()), "--config", "neap.toml"], {}


def nginx(sendfile):
    # tcp_nopush stays off: on loopback, whose segments hold 64 KB, it makes bodies of just that
    # size wait 40 ms for a delayed acknowledgement.
    def start(server):
        (server.folder / "nginx.conf").write_text(f"""
{as_root()} daemon off; worker_processes 1; pid nginx.pid; error_log error.log error;
events {{ worker_connections 4096; use epoll; }}
http {{
    access_log off; sendfile {sendfile}; tcp_nopush off; tcp_nodelay on;
    keepalive_timeout 300s; keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=300s; open_file_cache_valid 300s; open_file_cache_min_uses 1;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    proxy_cache_path cache levels=1:2 keys_zone=all:10m max_size=1g inactive=1d use_temp_path=off;
    upstream origin {{ server {server.origin.split("/")[2]}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{server.port} backlog=4096;
        location / {{
            proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_cache all; proxy_cache_valid 200 1d; proxy_cache_lock on;
        }}
    }}
}}
""")
        return ["nginx", "-p", str(server.folder), "-c", "nginx.conf", "-e", "error.log"], {}
    return start


def varnish(server):
    host, port = server.origin.split("/")[2].split(":")
    (server.folder / "bench.vcl").write_text(f"""vcl 4.1;
backend default {{ .host = "{host}"; .port = "{port}"; }}
sub vcl_recv {{ return (hash); }}
sub vcl_backend_response {{ set beresp.ttl = 1d; }}
""")
    # One pool, since there is one core; threads enough for every connection of the widest cell.
    return ["varnishd", "-F", "-j", "none", "-n", str(server.folder / "work"),
            "-a", f"127.0.0.1:{server.port}", "-f", str(server.folder / "bench.vcl"),
            "-s", "malloc,256m", "-T", "none", "-p", "thread_pools=1", "-p", "thread_pool_min=300",
            "-p", "thread_pool_max=1000", "-p", "listen_depth=4096", "-p", "timeout_idle=300"], {}


def traffic_server(server):
    for name in ("etc", "run", "log", "cache", "share"):
        (server.folder / name).mkdir()
    (server.folder / "runroot.yaml").write_text("\n".join(
        f"{key}: {value}" for key, value in {
            "prefix": server.folder, "exec_prefix": server.folder, "bindir": "/usr/bin",
            "sbindir": "/usr/sbin", "libdir": "/usr/lib", "datadir": server.folder / "share",
            "sysconfdir": server.folder / "etc", "libexecdir": "/usr/lib/trafficserver/modules",
            "localstatedir": server.folder, "runtimedir": server.folder / "run",
            "logdir": server.folder / "log", "cachedir": server.folder / "cache"}.items()) + "\n")
    # One event thread, since there is one core; nothing logged; everything fits the RAM cache.
    (server.folder / "etc" / "records.config").write_text("\n".join((
        "CONFIG proxy.config.admin.user_id STRING #-1",
        f"CONFIG proxy.config.http.server_ports STRING {server.port}:ip-in=127.0.0.1",
        "CONFIG proxy.config.exec_thread.autoconfig INT 0",
        "CONFIG proxy.config.exec_thread.limit INT 1",
        "CONFIG proxy.config.exec_thread.affinity INT 0",
        "CONFIG proxy.config.accept_threads INT 0",
        "CONFIG proxy.config.task_threads INT 1",
        "CONFIG proxy.config.log.logging_enabled INT 0",
        "CONFIG proxy.config.diags.show_location INT 0",
        "CONFIG proxy.config.cache.ram_cache.size INT 256M",
        "CONFIG proxy.config.cache.ram_cache_cutoff INT 16M",
        "CONFIG proxy.config.http.keep_alive_no_activity_timeout_in INT 300",
        "CONFIG proxy.config.http.insert_response_via_str INT 0",
        "CONFIG proxy.config.http.cache.required_headers INT 0",
        "CONFIG proxy.config.url_remap.pristine_host_hdr INT 0",
        "CONFIG proxy.config.net.listen_backlog INT 4096",
        "CONFIG proxy.config.reverse_proxy.enabled INT 1")) + "\n")
    (server.folder / "etc" / "remap.config").write_text(f"map / {server.origin}\n")
    (server.folder / "etc" / "storage.config").write_text(f"{server.folder}/cache 256M\n")
    (server.folder / "etc" / "ip_allow.yaml").write_text(
        "ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.1\n    action: allow\n    methods: ALL\n")
    return ["traffic_server", f"--run-root={server.folder}/runroot.yaml"], {}


COMMANDS = {"neap": neap, "nginx-sendfile": nginx("on"), "nginx-copy": nginx("off"),
            "varnish": varnish, "trafficserver": traffic_server}
