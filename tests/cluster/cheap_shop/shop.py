"""Answers as a shop does: 503 until it is "prepared", then 200.  Runs in an image of its own, see Dockerfile."""

import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREPARED_AFTER = 35  # seconds: as long as a rollout of the platform
begun = time.monotonic()


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        prepared = time.monotonic() - begun >= PREPARED_AFTER or self.path == "/health"
        self.send_response(200 if prepared else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("", 9000), Shop).serve_forever()
