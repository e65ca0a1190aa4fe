"""Receivers of notifications, for tests: receivers.py DIR, with DIR/server.pem and DIR/server.key. Started by receivers.sh.

DIR/ports      written once all of them answer: HTTPS=…, STARTTLS=…, SMTPS=…, CLEAR=…
DIR/mails.jsonl  a line for each mail: from, to, data, user (who has logged in), listener
DIR/posts.jsonl  a line for each POST: path, headers, body, signed (whether its Steward-Signature is right for KEY)

STARTTLS and SMTPS want a login: USER with PASSWORD. A recipient whose address begins with no- is refused for good, with
later- for now. A POST to /status/NNN is answered so. The signature is checked by examples/notifications/check_signature.py.
"""
import asyncio
import http.server
import json
import pathlib
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/notifications"))
from check_signature import is_genuine  # noqa: E402

KEY = b"a key for tests"
USER, PASSWORD = b"steward", b"p@ss w\xc3\xb6rd"

folder = pathlib.Path(sys.argv[1])
lock = threading.Lock()


def note(name, entry):
    with lock, open(folder / name, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER, PASSWORD)
    return AuthResult(success=right, handled=False, auth_data=USER.decode() if right else None)


class Mails:
    def __init__(self, listener):
        self.listener = listener

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("no-"):
            return "550 5.1.1 no such mailbox " + address
        if address.startswith("later-"):
            return "451 4.3.0 try again " + address
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        note("mails.jsonl", {"from": envelope.mail_from, "to": envelope.rcpt_tos, "user": session.auth_data,
                             "data": envelope.content.decode("utf-8"), "listener": self.listener,
                             "encrypted": session.ssl is not None or self.listener == "SMTPS"})
        return "250 OK"


class Posts(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signature = self.headers["Steward-Signature"]
        note("posts.jsonl", {"path": self.path, "headers": dict(self.headers), "body": body.decode("utf-8"),
                             "signed": is_genuine(signature, body, KEY)})
        self.send_response(int(self.path.split("/")[2]) if self.path.startswith("/status/") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Posts)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    login = {"auth_required": True, "authenticator": authenticate}
    mail = {
        "STARTTLS": lambda: SMTP(Mails("STARTTLS"), tls_context=context, require_starttls=True, **login),
        "SMTPS": lambda: SMTP(Mails("SMTPS"), auth_require_tls=False, **login),
        "CLEAR": lambda: SMTP(Mails("CLEAR")),
    }
    loop = asyncio.get_running_loop()
    ports = {"HTTPS": web.server_address[1]}
    servers = []
    for name, factory in mail.items():
        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=context if name == "SMTPS" else None)
        ports[name] = server.sockets[0].getsockname()[1]
        servers.append(server)
    (folder / "ports.tmp").write_text("".join(f"{name}={port}\n" for name, port in ports.items()))
    (folder / "ports.tmp").rename(folder / "ports")
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
