"""A licence server for ClearKey (W3C Encrypted Media Extensions, 9.1), which says of its licences that they may be kept for an hour.

They may not: each was asked for by POST, for one session of one player.
"""

import base64
import http.server
import json

from serving import Served


class LicenceServer(Served):
    """Gives `key` to who asks on `url` for `key_id`; `seen` has (method, path and query, body) of every request. A context manager."""

    def __init__(self, key, key_id):
        self.seen, server = [], self
        name, secret = (base64.urlsafe_b64encode(x).rstrip(b"=").decode() for x in (key_id, key))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.seen.append((self.command, self.path, body))
                asked = json.loads(body)
                keys = [{"kty": "oct", "kid": one, "k": secret} for one in asked["kids"] if one == name]
                self.say(200, json.dumps({"keys": keys, "type": asked.get("type", "temporary")}).encode())

            def do_GET(self):
                server.seen.append((self.command, self.path, b""))
                self.say(404, b"no such thing\n")

            def do_OPTIONS(self):
                self.say(204, b"")

            def say(self, status, body):
                self.send_response(status)
                for field in (("Content-Type", "application/json"), ("Cache-Control", "public, max-age=3600"),
                              ("ETag", '"licence"'), ("Content-Length", str(len(body))),
                              ("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Headers", "*")):
                    self.send_header(*field)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(Handler)
