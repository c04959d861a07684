"""A mail server for tests: speaks SMTP on the loopback, keeps what it was sent, misbehaves as it is told."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.test import override_settings


class MailServer(socketserver.ThreadingTCPServer):
    """`script` gets ("MAIL" | "RCPT" | "DATA" | "TEXT", address or text) and answers with a reply line, "" to accept,
    or None to break the line without an answer. `letters` are (recipient, text) that were accepted."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, script: Callable[[str, str], str | None] = lambda _verb, _what: "") -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.script = script
        self.letters: list[tuple[str, str]] = []
        self.connections = 0


class _Talk(socketserver.StreamRequestHandler):
    server: MailServer

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def asked(self, verb: str, what: str, accepted: str) -> bool:
        answer = self.server.script(verb, what)
        if answer is None:
            raise ConnectionError
        self.say(answer or accepted)
        return not answer

    def handle(self) -> None:
        self.server.connections += 1
        self.say("220 test")
        recipient = ""
        try:
            while line := self.rfile.readline().decode().strip():
                verb = line[:4].upper()
                if verb == "EHLO":
                    self.say("250 test")
                elif verb == "MAIL":
                    self.asked("MAIL", line, "250 ok")
                elif verb == "RCPT":
                    recipient = line[line.index("<") + 1 : line.rindex(">")]
                    self.asked("RCPT", recipient, "250 ok")
                elif verb == "DATA":
                    if self.asked("DATA", recipient, "354 go on"):
                        text = b"".join(iter(self.rfile.readline, b".\r\n")).decode()
                        if self.asked("TEXT", text, "250 taken"):
                            self.server.letters.append((recipient, text))
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")
        except ConnectionError:
            return


@contextmanager
def mail_server(script: Callable[[str, str], str | None] = lambda _verb, _what: "") -> Iterator[MailServer]:
    """A running server, with the settings pointing at it."""
    server = MailServer(script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with override_settings(
            EMAIL_HOST="127.0.0.1", EMAIL_PORT=server.server_address[1], EMAIL_USE_TLS=False, EMAIL_USE_SSL=False,
            EMAIL_HOST_USER="", EMAIL_HOST_PASSWORD="", EMAIL_TIMEOUT=5, DEFAULT_FROM_EMAIL="shop@daifa.example.com",
        ):  # fmt: skip
            yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
