"""What stands between player and origin: neap, nginx's proxy_cache in its place, or nothing.

The choice is `NEAP_ENDPOINT` or an argument: `neap` (default), `nginx` (a stand-in that proves the
harness), `direct`. `NEAP_BIN` names another binary than target/release/neap.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse

from origin import answers, as_root, free_port, get, stop, wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def binary():
    return pathlib.Path(os.environ.get("NEAP_BIN") or ROOT / "target" / "release" / "neap")


class Endpoint:
    """A started endpoint for `origins` {name: url}; `base(name)` is where a player asks. A context manager."""

    def __init__(self, origins, ca=None, kind=None, extra="", wrap=()):
        self.kind = kind or os.environ.get("NEAP_ENDPOINT", "neap")
        self.origins, self.ca, self.extra = origins, ca, extra
        self.wrap = list(wrap)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="neap-endpoint-"))
        self.folder.chmod(0o755)
        self.port, self.admin_port = free_port(), free_port()
        self.process = None

    def base(self, name):
        if self.kind == "direct":
            return self.origins[name]
        return f"http://127.0.0.1:{self.port}/{name}/"

    def __enter__(self):
        if self.kind == "direct":
            return self
        command = {"neap": self._neap, "nginx": self._nginx}[self.kind]()
        self.log = open(self.folder / "endpoint.log", "w")
        self.process = subprocess.Popen(self.wrap + command, cwd=self.folder,
                                        stdout=self.log, stderr=self.log)
        try:
            wait_for(self._up, 20, f"{self.kind} to listen")
        except Exception:
            print(self.output())
            self.__exit__()
            raise
        return self

    def _up(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.kind} ended at once with {self.process.returncode}")
        return answers(self.port)

    def __exit__(self, *_):
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def output(self):
        """What the endpoint wrote so far, its last part."""
        return (self.folder / "endpoint.log").read_text()[-4000:]

    def alive(self):
        return self.process is None or self.process.poll() is None

    def status(self):
        """/status.json, or nothing where there is none."""
        if self.kind != "neap":
            return {}
        code, _, body = get(f"http://127.0.0.1:{self.admin_port}/status.json")
        return json.loads(body) if code == 200 else {}

    def _neap(self):
        origins = "".join(
            f'[[origin]]\nname = "{name}"\nurl = "{url}"\n'
            + (f'ca = "{self.ca}"\n' if url.startswith("https") and self.ca else "")
            for name, url in self.origins.items())
        (self.folder / "neap.toml").write_text(
            f'[player]\nlisten = ["127.0.0.1:{self.port}"]\n'
            f'[admin]\nlisten = "127.0.0.1:{self.admin_port}"\n'
            f'control = "{self.folder}/control.sock"\n[log]\ntarget = "stderr"\n'
            f'[network]\nstate = "{self.folder}/state"\n{self.extra}\n{origins}')
        return [str(binary()), "--config", str(self.folder / "neap.toml")]

    def _nginx(self):
        locations = ""
        verify = (f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {self.ca};"
                  if self.ca else "")
        for name, url in self.origins.items():
            host = urllib.parse.urlsplit(url).hostname
            # nginx resolves localhost to ::1 too, where the origin does not listen.
            target = url.replace("localhost", "127.0.0.1")
            locations += f"""
            location /{name}/ {{ proxy_pass {target}; proxy_ssl_name {host};
                {verify} }}"""
        (self.folder / "nginx.conf").write_text(f"""
{as_root()} daemon off; worker_processes 1; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 2048; }}
http {{
    access_log off; keepalive_requests 100000; tcp_nopush on; tcp_nodelay on;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    proxy_cache_path cache keys_zone=all:10m max_size=500m use_temp_path=off;
    proxy_cache all; proxy_cache_lock on; proxy_cache_use_stale updating; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_force_ranges on; proxy_ignore_client_abort on;
    proxy_hide_header Access-Control-Allow-Origin;
    add_header Access-Control-Allow-Origin "*" always;
    add_header Access-Control-Expose-Headers "*" always;
    add_header X-Cache $upstream_cache_status always;
    server {{ listen 127.0.0.1:{self.port};
        if ($request_method = OPTIONS) {{ return 204; }} {locations}
    }}
}}
""")
        return ["nginx", "-p", str(self.folder), "-c", "nginx.conf", "-e", "error.log"]
