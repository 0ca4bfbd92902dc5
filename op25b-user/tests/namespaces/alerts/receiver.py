"""A receiver of webhooks over HTTPS: verifies signatures with Python's own HMAC, and appends what it gets to the file `requests`.

Its argument is a folder with cert.pem, key.pem, the file `secret` and the file `status` with what it answers.
"""

import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import ssl
import sys

FOLDER = pathlib.Path(sys.argv[1])
PORT = int(sys.argv[2])


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        name, time, signature = (self.headers["webhook-" + part] for part in ("id", "timestamp", "signature"))
        key = base64.b64decode((FOLDER / "secret").read_text().strip().removeprefix("whsec_"))
        signed = hmac.new(key, f"{name}.{time}.".encode() + body, hashlib.sha256).digest()
        status = int((FOLDER / "status").read_text())
        got = {
            "path": self.path,
            "type": self.headers["content-type"],
            "id": name,
            "is_signed": signature == "v1," + base64.b64encode(signed).decode(),
            "status": status,
            "body": json.loads(body),
        }
        with (FOLDER / "requests").open("a") as requests:
            requests.write(json.dumps(got) + "\n")
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(FOLDER / "cert.pem", FOLDER / "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
