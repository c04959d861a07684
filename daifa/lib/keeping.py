"""Files that people hand in and that are kept as they came: under their hash, checked by their content, not their name.

What a file is said to be does not count; its first bytes do. Nothing here opens a document.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from daifa.lib import pictures
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

MEGABYTE = 1 << 20
PICTURES = set(pictures.KINDS.values())
DOCUMENTS = PICTURES | {
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_ENDINGS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}  # fmt: skip


class Kept(NamedTuple):
    """A file in the store: its hash, bytes, and what its content says it is."""

    sha256: str
    size: int
    media_type: str


def media_type(content: bytes) -> str:
    """What the bytes are by their beginning (and, for office files, their table of contents); "" = nothing we keep."""
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = set(archive.namelist()[:2000])
        except (zipfile.BadZipFile, ValueError, OSError):
            return ""
        if "vbaProject.bin" in {name.rsplit("/", 1)[-1] for name in names}:
            return ""  # a program, not a paper
        if "word/document.xml" in names:
            return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        if "xl/workbook.xml" in names:
            return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return ""


def keep(folder: str, content: bytes, *, kinds: set[str], most: int, field: str = "file") -> Kept:
    """Store `content` in `folder` of the file store; the same bytes twice are one file. Raises `Refused`.

    `kinds` are the media types taken here, `most` the bytes at most.
    """
    if not content:
        raise Refused(_("The file is empty; choose another."), code="file_empty", field=field)
    if len(content) > most:
        raise Refused(
            _("The file has %(size)s MB; at most %(limit)s MB are kept. Make it smaller.")
            % {"size": -(-len(content) // MEGABYTE), "limit": most // MEGABYTE},
            code="file_too_big", field=field,
        )  # fmt: skip
    found = media_type(content)
    if found not in kinds:
        if kinds <= PICTURES:
            sentence = _("This is no picture that can be read: use a JPEG, PNG or WebP file.")
        else:
            sentence = _("This file is none of the kinds kept here: use a PDF, a picture, DOCX or XLSX without macros.")
        raise Refused(sentence, code="file_kind", field=field)
    return Kept(store(folder, content), len(content), found)


def store(folder: str, content: bytes) -> str:
    """Put bytes that need no check into `folder` under their hash, in place whole or not at all; returns the SHA-256."""
    sha256 = hashlib.sha256(content).hexdigest()
    target = path_of(folder, sha256)
    if target.is_file() and target.stat().st_size == len(content):
        return sha256
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = target.parent / f".{os.getpid()}-{os.urandom(6).hex()}.part"
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return sha256


def read(folder: str, sha256: str) -> bytes | None:
    """The bytes of a kept file; None where it is gone or no longer what its hash says."""
    try:
        content = path_of(folder, sha256).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def path_of(folder: str, sha256: str) -> Path:
    """Where a kept file lies."""
    return Path(settings.MEDIA_ROOT) / folder / sha256[:2] / sha256


def named(name: str, kind: str) -> str:
    """A name to give the file to a person by: no path, no odd signs, the ending its content has."""
    stem = Path(name.replace("\\", "/")).name.rsplit(".", 1)[0]
    stem = "".join(c for c in stem if c.isprintable() and c not in '"<>|:*?/\\').strip(". ")[:100]
    return (stem or "file") + _ENDINGS.get(kind, "")
