"""Finding somebody's marks (name, street, phone, mail …) in texts, JSON values and files, and taking them out.

What is around a mark stays: a row of an upload keeps its order number and its amounts. Files are taken apart as far as
the standard library can (zip, gzip, mail, text in the usual encodings); of others it is said that they cannot be.
"""

from __future__ import annotations

import gzip
import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterable
from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any

GONE = "***"
MOST_BYTES = 64 * 1024 * 1024  # a member of a zip beyond this is a bomb or no upload of ours
_CJK = "\u2e80-\u9fff\uf900-\ufaff\uac00-\ud7af\u3040-\u30ff"
_TOKEN = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])[^\W_])+")
_LATIN = "0-9A-Za-z\u00c0-\u024f\u0370-\u052f"
# Between two words of a mark: a space, a hyphen, an escaped apostrophe, a quoted line of mail, %40 …
_BETWEEN = r"(?:[\W_]|&\w{2,6};|&#\d{1,5};|\\u00[0-9a-fA-F]{2}|%[0-9a-fA-F]{2})"
_DIGITS = re.compile(r"\+?\d[\d ().\-/]{5,}\d")
_SEPARATORS = str.maketrans("", "", " ().-/")
MOST_SIEVED = 200
_ENCODINGS = ("utf-8", "gb18030", "cp1252")


class Marks:
    """Words and numbers that tell who somebody is. Matching ignores case, spacing and punctuation between words.

    Very short ones (two letters, one Chinese character) count only where they fill a cell or a whole text; a single word
    without digits (May, Reading) also where it is written just so, capital first.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self.values = {value.strip() for value in values if value and value.strip() and value.strip() != GONE}
        self._by_token: dict[str, list[str]] = {}  # first word of a mark → marks; patterns are made when first met
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._phones: set[str] = set()
        self._words: set[str] | None = None
        for value in self.values:
            tokens = _TOKEN.findall(value.lower())
            if not tokens:
                continue
            digits = re.sub(r"\D", "", value)
            if len(digits) >= 7 and len(digits) * 2 >= len(value):
                self._phones.add(digits[-9:])
            self._by_token.setdefault(tokens[0], []).append(value)

    def __bool__(self) -> bool:
        return bool(self._by_token)

    def __len__(self) -> int:
        return len(self.values)

    def words(self) -> list[str]:
        """The longest word of each mark: a text without any of them holds none of the marks. For a first sieve."""
        words = {max(_TOKEN.findall(value), key=len) for value in self.values if _TOKEN.search(value)}
        return sorted(words | {phone[-2:] for phone in self._phones})

    def are_in(self, text: str) -> bool:
        return self.blanked(text) != text

    def blanked(self, text: str) -> str:
        """`text` with every mark replaced by GONE."""
        if not text or not self._by_token or not self._may_be_in(text):
            return text
        tokens = set(_TOKEN.findall(text.lower()))
        for token in tokens & self._by_token.keys():
            for value in self._by_token[token]:
                pattern = self._patterns.get(value)
                if pattern is None:
                    pattern = self._patterns[value] = _pattern(value, _TOKEN.findall(value.lower()))
                text = pattern.sub(GONE, text)
        return _DIGITS.sub(self._phone, text) if self._phones else text

    def _may_be_in(self, text: str) -> bool:
        """A quick sieve: no longest word of any mark, no digits of a phone. Only pays for few marks."""
        if len(self.values) > MOST_SIEVED:
            return True
        if self._words is None:
            self._words = {max(_TOKEN.findall(value.lower()), key=len) for value in self.values if _TOKEN.search(value)}
        lower = text.lower()
        if any(word in lower for word in self._words):
            return True
        if not self._phones:
            return False
        digits = text.translate(_SEPARATORS)
        return any(phone in digits for phone in self._phones)

    def _phone(self, found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[0])
        return GONE if digits[-9:] in self._phones else found[0]

    def blanked_value(self, value: Any) -> Any:
        """A JSON value with the marks taken out of its texts, at any depth."""
        if isinstance(value, str):
            return self.blanked(value)
        if isinstance(value, list):
            return [self.blanked_value(each) for each in value]
        if isinstance(value, dict):
            return {self.blanked(key): self.blanked_value(each) for key, each in value.items()}
        if isinstance(value, int) and not isinstance(value, bool) and str(value)[-9:] in self._phones:
            return GONE
        return value


def _pattern(value: str, tokens: list[str]) -> re.Pattern[str]:
    parts = [re.escape(tokens[0])]
    for before, token in itertools.pairwise(tokens):
        wide = _is_cjk(before) or _is_cjk(token)
        parts.append(_BETWEEN + ("{0,4}" if wide else "{1,4}") + re.escape(token))
    body = "".join(parts)
    size = sum(len(token) * (2 if _is_cjk(token) else 1) for token in tokens)
    filling = rf"(?:(?<=[,;\t\"\r\n<>|])|\A){body}(?=[,;\t\"\r\n<>|]|\Z)"
    left = "" if _is_cjk(tokens[0]) else rf"(?<![{_LATIN}])"
    right = "" if _is_cjk(tokens[-1]) else rf"(?![{_LATIN}])"
    if len(tokens) == 1 and not _is_cjk(tokens[0]) and tokens[0].isalpha():
        # May, Reading, Summer: a name, and a word of the language. As it is written, or where it fills a cell.
        word = value.strip(" .,'\"")
        exact = [re.escape(word)] if size >= 4 and word[:1].isupper() and word.isalpha() else []
        exact += [re.escape(word.upper())] if exact and size >= 5 else []
        return re.compile("|".join([f"(?i:{filling})", *(f"{left}{one}{right}" for one in exact)]))
    if size < 4:
        return re.compile(filling, re.I)
    return re.compile(left + body + right, re.I)


def _is_cjk(token: str) -> bool:
    return bool(re.match(rf"[{_CJK}]", token))


# --- Files --------------------------------------------------------------------------------------------------------


class CannotRead(Exception):
    """The bytes are of a kind whose text cannot be taken apart (a picture, a PDF)."""


def blanked_bytes(content: bytes, marks: Marks) -> bytes:
    """The file without the marks; the same object where it holds none. Raises CannotRead."""
    if content.startswith(b"PK\x03\x04"):
        return _zip(content, marks)
    if content.startswith(b"\x1f\x8b"):
        return _gzip(content, marks)
    if re.match(rb"(?:[A-Za-z-]+: [^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*){3}", content[:4000]):
        return _mail(content, marks)
    if content.startswith((b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"\xd0\xcf\x11\xe0", b"SQLite format 3")):
        raise CannotRead
    return _text(content, marks)


def _text(content: bytes, marks: Marks) -> bytes:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            try:
                return _in(content, encoding, marks)
            except UnicodeError:
                break
    if b"\0" in content[:4096]:
        raise CannotRead
    # Other bytes do not say which encoding was meant: they are looked through in each.
    found, readable = content, False
    for encoding in _ENCODINGS:
        try:
            found = _in(found, encoding, marks)
        except UnicodeError:
            continue
        readable = True
        if found is not content or encoding == "utf-8":
            break  # what is UTF-8 by its bytes is hardly anything else
    if not readable:
        found = _in(content, "latin-1", marks)
    return found


def _in(content: bytes, encoding: str, marks: Marks) -> bytes:
    text = content.decode(encoding)
    blanked = marks.blanked(text)
    return content if blanked == text else blanked.encode(encoding)


def _zip(content: bytes, marks: Marks) -> bytes:
    changed: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                if info.is_dir() or info.file_size > MOST_BYTES:
                    continue
                member = archive.read(info)
                try:
                    blanked = blanked_bytes(member, marks)
                except CannotRead:
                    continue
                if blanked is not member:
                    changed[info.filename] = blanked
                if info.filename.endswith(".xml") and _is_split(changed.get(info.filename, member), marks):
                    raise CannotRead  # a name in two colours: cut in pieces that cannot be taken out one by one
            if not changed:
                return content
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
                for info in archive.infolist():
                    target.writestr(info, changed.get(info.filename, b"") or archive.read(info))
            return buffer.getvalue()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise CannotRead from error


def _is_split(member: bytes, marks: Marks) -> bool:
    runs = re.findall(rb"<si>(?:(?!</si>).)*<r>.*?</si>", member, re.S)
    return any(marks.are_in(re.sub(r"<[^>]*>", "", run.decode("utf-8", "replace"))) for run in runs)


def _gzip(content: bytes, marks: Marks) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CannotRead from error
    if len(plain) > MOST_BYTES:
        raise CannotRead
    blanked = blanked_bytes(plain, marks)
    return content if blanked is plain else gzip.compress(blanked, mtime=0)


def _mail(content: bytes, marks: Marks) -> bytes:
    """A letter: its headings as people read them, its texts, its attachments."""
    letter = BytesParser(policy=policy.compat32).parsebytes(content)
    changed = False
    for name in ("Subject", "To", "From", "Reply-To", "Cc"):
        if name in letter and marks.are_in(_heading(str(letter[name]))):
            text = marks.blanked(_heading(str(letter[name])))
            letter.replace_header(name, text if text.isascii() else GONE)
            changed = True
    for part in letter.walk():
        if part.is_multipart():
            continue
        plain = part.get_payload(decode=True)
        if not isinstance(plain, bytes) or not plain:
            continue
        try:
            blanked = blanked_bytes(plain, marks)
        except CannotRead:
            continue
        if blanked is not plain:
            _put(part, blanked)
            changed = True
    return letter.as_bytes(policy=policy.compat32.clone(linesep="\r\n")) if changed else content


def _heading(text: str) -> str:
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(text)))
    except (LookupError, UnicodeError, ValueError):
        return text


def _put(part: Message, content: bytes) -> None:
    from base64 import encodebytes

    del part["Content-Transfer-Encoding"]
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(encodebytes(content).decode("ascii"))


