"""Letters out of the house: over SMTP, or into a local folder, one file each. Who may be written to is not decided here.

A letter has a `key` that never changes: it names the file, so that it cannot be doubled, and makes the Message-ID, by
which a mail server can recognise a repeat. Errors are named by what has to be done next; none of them holds an address.
"""

from __future__ import annotations

import os
import re
import smtplib
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.header import Header
from email.mime.application import MIMEApplication
from email.utils import format_datetime, formataddr, parseaddr
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_UNREACHABLE = (".invalid", ".test", ".example", ".localhost", "example.com", "example.net", "example.org")
_LONG_LINE = 900  # a line of mail may have 998 bytes


class MailError(Exception):
    """Base of what may go wrong with a letter. `code` is the server's number, 0 where it gave none."""

    def __init__(self, sentence: str, code: int = 0) -> None:
        super().__init__(sentence)
        self.code = code


class Refused(MailError):
    """This letter will never be accepted; others may be."""


class TryLater(MailError):
    """It was certainly not sent; try again later."""


class NoAnswer(MailError):
    """It is not known whether it was sent. Never send it again without a person's word."""


class Unusable(MailError):
    """Nothing can be sent at all: no connection, wrong login, our own address refused. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A plain-text letter to one recipient. `at` (aware) is its date; `attachments` are (file name, type, bytes)."""

    key: str
    to: str
    subject: str
    text: str
    at: datetime
    from_name: str = ""
    reply_to: str = ""
    language: str = ""
    attachments: Sequence[tuple[str, str, bytes]] = field(default=())

    def as_bytes(self) -> bytes:
        """RFC 5322 with CRLF. Raises Refused where a header would hold a line break (an injected one, most likely)."""
        for value in (self.to, self.subject, self.from_name, self.reply_to, self.language):
            if _BREAKS.search(value):
                raise Refused(_("A line break where none may be: the letter was not written."))
        sender = sender_address()
        name = self.from_name or parseaddr(settings.DEFAULT_FROM_EMAIL)[0]
        # Joined by hand: every value is known to be one line by now, and the library folds ten times slower.
        head = {
            "Subject": _words(self.subject),
            "From": formataddr((name, sender)) if name.isascii() else f"{_words(name)} <{sender}>",
            "To": ascii_address(self.to),
            "Reply-To": ascii_address(self.reply_to) if self.reply_to else "",
            "Date": format_datetime(self.at),
            "Message-ID": f"<{key_of(self.key)}@{sender.rpartition('@')[2] or 'localhost'}>",
            "Auto-Submitted": "auto-generated",  # no holiday notices back, please
            "Content-Language": self.language,
            "MIME-Version": "1.0",
        }
        lines = "".join(f"{title}: {value}\r\n" for title, value in head.items() if value)
        return lines.encode("ascii") + (_mixed(self) if self.attachments else _plain(self.text))


def _words(text: str) -> str:
    """Words of a heading: as they are in ASCII, else in encoded words, folded."""
    return text if text.isascii() else Header(text, "utf-8").encode(linesep="\r\n")


def _plain(text: str) -> bytes:
    """A text part with its own headings: as it is where that is allowed, else in base64."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    if text.isascii() and all(len(line) < _LONG_LINE for line in text.split("\r\n")):
        head, body = "us-ascii\r\nContent-Transfer-Encoding: 7bit", text.encode()
    else:
        head, body = (
            "utf-8\r\nContent-Transfer-Encoding: base64",
            encodebytes(text.encode()).replace(b"\n", b"\r\n"),
        )
    return f"Content-Type: text/plain; charset={head}\r\n\r\n".encode() + body


def _mixed(letter: Letter) -> bytes:
    """The text and the attachments, each a part."""
    edge = f"=_{letter.key}_=".encode()
    parts = [_plain(letter.text)]
    for name, kind, content in letter.attachments:
        part = MIMEApplication(content, kind.partition("/")[2] or "octet-stream")
        part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", _BREAKS.sub(" ", name)))
        parts.append(part.as_bytes(policy=_CRLF))
    body = b"".join(b"--" + edge + b"\r\n" + part + b"\r\n" for part in parts)
    return (
        b'Content-Type: multipart/mixed; boundary="' + edge + b'"\r\n\r\n' + body + b"--" + edge + b"--\r\n"
    )


_CRLF = policy.compat32.clone(linesep="\r\n")


def key_of(key: str) -> str:
    """`key`, if it can be a file name and part of a Message-ID; ValueError otherwise."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} cannot name a letter.")
    return key


def sender_address() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1] or "daifa@localhost"


def ascii_address(address: str) -> str:
    """The address with its domain in ASCII. Raises Refused where the part before the @ is not ASCII, or it is none."""
    local, at, domain = address.rpartition("@")
    try:
        if not (at and local.isascii()):
            raise UnicodeError
        return f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"
    except UnicodeError:
        raise Refused(_("The address cannot be written in a mail header.")) from None


def is_reachable(address: str) -> bool:
    """False for addresses that are reserved for examples and tests: no mail server ever delivers them."""
    domain = "." + address.rpartition("@")[2].lower().rstrip(".")
    return not domain.endswith(tuple(end if end[0] == "." else "." + end for end in _UNREACHABLE))


def has_server() -> bool:
    """True when SMTP_HOST is set; otherwise letters go into the local folder."""
    return bool(settings.EMAIL_HOST)


class Folder:
    """The local mail folder: one `.eml` per letter, named by its key, in place whole or not at all."""

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path or settings.EMAIL_FILE_PATH)

    def __enter__(self) -> Folder:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unusable(_("The mail folder cannot be made: %(why)s.") % {"why": error.strerror}) from error
        return self

    def __exit__(self, *_exc: object) -> None:
        return None

    def file_of(self, key: str) -> Path:
        return self.path / f"{key_of(key)}.eml"

    def has(self, key: str) -> bool:
        return self.file_of(key).exists()

    def send(self, letter: Letter) -> None:
        """Write the letter; one that lies there already stays as it is. Raises Refused, Unusable (disk full …)."""
        content = letter.as_bytes()
        aside = self.path / f".{letter.key}.{os.getpid()}.part"
        try:
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.link(aside, self.file_of(letter.key))
            except FileExistsError:
                pass
            finally:
                os.unlink(aside)
        except OSError as error:
            raise Unusable(
                _("The mail folder cannot be written: %(why)s.") % {"why": error.strerror}
            ) from error


class Smtp:
    """One connection to the mail server of the settings, for as long as the `with` lasts.

    The dialogue is spoken step by step, because only then is it known how far a letter got when the line breaks.
    """

    def __enter__(self) -> Smtp:
        from django.core.mail.backends.smtp import EmailBackend

        self._backend = EmailBackend(fail_silently=False)
        try:
            self._backend.open()
            self._backend.connection.ehlo_or_helo_if_needed()
        except smtplib.SMTPAuthenticationError as error:
            raise Unusable(
                _("The mail server refused our user name or password."), error.smtp_code
            ) from error
        except smtplib.SMTPResponseException as error:
            raise Unusable(_("The mail server refused the connection."), error.smtp_code) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Unusable(_("The mail server cannot be reached.")) from error
        self._line: smtplib.SMTP = self._backend.connection
        return self

    def __exit__(self, *_exc: object) -> None:
        try:
            self._line.quit()
        except (smtplib.SMTPException, OSError):
            self._line.close()
        self._backend.connection = None

    def send(self, letter: Letter) -> None:
        """Raises Refused, TryLater, NoAnswer, or Unusable when the server will take nothing from us."""
        content = letter.as_bytes()
        line = self._line
        try:
            code, _said = line.mail(sender_address())
            if code != 250:
                self._clear()
                raise Unusable(_("The mail server does not accept our sender address."), code)
            code, _said = line.rcpt(ascii_address(letter.to))
            if code not in (250, 251):
                self._clear()
                raise _no(code)
        except (smtplib.SMTPException, OSError) as error:
            raise Unusable(_("The connection to the mail server broke.")) from error
        try:
            code, _said = line.data(content)
        except smtplib.SMTPDataError as error:  # not willing to hear the text: nothing was sent
            self._clear()
            raise _no(error.smtp_code) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NoAnswer(_("The mail server did not answer after the text had been sent.")) from error
        if code != 250:
            self._clear()
            raise _no(code)

    def _clear(self) -> None:
        try:
            self._line.rset()
        except (smtplib.SMTPException, OSError):
            self._line.close()


def _no(code: int) -> MailError:
    if code == 421:
        return Unusable(_("The mail server closes the connection."), code)
    if 400 <= code < 500:
        return TryLater(_("The mail server asks to try again later."), code)
    return Refused(_("The mail server refuses this letter."), code)
