#!/usr/bin/env python3
"""Takes what the demo's steward tells people, as a chat would: POST anything, 200, for as long as its parent lives.

receiver.py FILE: its URL goes to FILE. RECEIVER_PORT: a port of one's own choice.
"""
import http.server
import os
import sys


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


port = int(os.environ.get("RECEIVER_PORT", 0))
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
with open(sys.argv[1] + ".new", "w", encoding="utf-8") as url:
    url.write(f"http://127.0.0.1:{server.server_address[1]}/shop\n")
os.rename(sys.argv[1] + ".new", sys.argv[1])

parent = os.getppid()
server.timeout = 1
while os.getppid() == parent:
    server.handle_request()
