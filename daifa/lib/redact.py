"""Finding somebody's marks (name, street, phone, mail …) in texts, JSON values and files, and taking them out.

What is around a mark stays: a row of an upload keeps its order number and its amounts. Files are taken apart as far as
the standard library can (zip, gzip, mail, text in the usual encodings); of others it is said that they cannot be.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from email import policy
from email.message import Message
from email.parser import BytesParser
from html import escape, unescape
from typing import Any
from urllib.parse import unquote

from daifa.lib.spelling import composed, folded

GONE = "***"
MOST_BYTES = 64 * 1024 * 1024  # a member of a zip beyond this is a bomb or no upload of ours
_CJK = "\u2e80-\u9fff\uf900-\ufaff\uac00-\ud7af\u3040-\u30ff"
_TOKEN = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])[^\W_])+")
_ESCAPED = re.compile(r"(?:%[0-9a-fA-F]{2})+|(?:\\u[0-9a-fA-F]{4})+|&\w{2,6};|&#\d{1,5};")
_DIGITS = re.compile(r"\d[\d ().\-/]{5,}\d")
_GROUP = re.compile(r"\d+")
_ABROAD = re.compile(r"(?:\+|(?<!\d)00)\d{1,3}[ .\-/]{0,2}(?:\(0\))?[ ().\-/]{0,2}\Z")
_SEPARATORS = str.maketrans("", "", " ().-/")
_EDGES = frozenset(',;\t"\r\n<>|')  # of a cell
MOST_SIEVED = 200
_ENCODINGS = ("utf-8", "gb18030", "cp1252")
_TAIL = 9  # digits by which phones are looked up: with and without the code of the country
_OF_EIGHT = frozenset(("852", "853", "65", "47", "45"))  # countries whose numbers have eight digits

Span = tuple[int, int]


def is_same_phone(one: str, other: str) -> bool:
    """Whether two ways of writing are one number: with or without the code of the country and the 0 before the area.

    The last nine digits alone would take 138 1234 5678 and 158 1234 5678 for one: what both have before them must agree too.
    """
    whole = [re.sub(r"\D", "", number) for number in (one, other)]
    short, long = sorted((number.lstrip("0") for number in whole), key=len)
    if len(short) < _TAIL:
        if len(short) >= 7 and long.endswith(short) and min(map(len, whole)) >= _TAIL:
            return len(long) - len(short) <= 3  # +39 06 …: the 0 is part of it
        return bool(short) and (long == short or (len(short) == 8 and long[-8:] == short and long[:-8] in _OF_EIGHT))
    few, many = sorted((number[:-_TAIL].replace("0", "") for number in (short, long)), key=len)
    return short[-_TAIL:] == long[-_TAIL:] and many.endswith(few) and len(many) - len(few) <= 4


def _phone_keys(digits: str) -> set[str]:
    """Under which a number of these digits is looked up."""
    plain = digits.lstrip("0")
    return {digits[-_TAIL:], plain[-8:]} if plain[:-8] in _OF_EIGHT else {digits[-_TAIL:]}


class _Words:
    """Marks as sequences of words, by hash: each text is walked through once, however many there are."""

    def __init__(self) -> None:
        self.single: dict[str, list[str]] = {}  # its only word → the mark as it is written
        self.lengths: dict[tuple[str, str], tuple[int, ...]] = {}  # first two words → numbers of words
        self.keys: set[int] = set()
        self.short: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self.single or self.keys)

    def add(self, value: str) -> None:
        words = _TOKEN.findall(value.lower())
        if not words:
            return
        if len(words) == 1:
            self.single.setdefault(words[0], []).append(value.strip(" .,'\""))
            return
        key, head = hash(tuple(words)), (words[0], words[1])
        self.keys.add(key)
        if len(words) < 4 and _size(words) < 4:
            self.short.add(key)
        if len(words) not in (known := self.lengths.get(head, ())):
            self.lengths[head] = (*known, len(words))

    def are_in(self, text: str) -> bool:
        """Whether any stands in a folded text, short ones included: for numbers."""
        return any(word in self.single for word in _TOKEN.findall(text.lower())) or bool(self.keys and self.spans(text))

    def spans(self, text: str) -> list[Span]:
        """Where marks stand in a folded text."""
        found: list[Span] = []
        at = [(m.start(), m.end()) for m in _TOKEN.finditer(text)]
        words = [text[a:b].lower() for a, b in at]
        last = len(words) - 1
        for i, word in enumerate(words):
            if (values := self.single.get(word)) and _is_single(text, *at[i], values):
                found.append(at[i])
            if i == last or not (lengths := self.lengths.get((word, words[i + 1]))):
                continue
            for length in lengths:
                key = hash(tuple(words[i : i + length]))
                if key not in self.keys or i + length > len(words):
                    continue
                # Between two words of a mark stand a space, a hyphen, an apostrophe …, no more than four.
                if any(at[j + 1][0] - at[j][1] > 4 for j in range(i, i + length - 1)):
                    continue
                span = at[i][0], at[i + length - 1][1]
                if key not in self.short or _fills(text, *span):
                    found.append(span)
        return found


def _size(words: list[str]) -> int:
    return sum(len(word) * (2 if _is_cjk(word) else 1) for word in words)


def _is_cjk(word: str) -> bool:
    return bool(re.match(rf"[{_CJK}]", word))


def _fills(text: str, begin: int, end: int) -> bool:
    """Whether it is all there is in a cell."""
    return (begin == 0 or text[begin - 1] in _EDGES) and (end == len(text) or text[end] in _EDGES)


def _is_single(text: str, begin: int, end: int, values: list[str]) -> bool:
    """May, Reading, Summer: a name, and a word of the language. As it is written, or where it fills a cell."""
    word = text[begin:end]
    size = _size([word])
    if _fills(text, begin, end):
        return True
    if size < 4:
        return False
    if not word.isalpha() or _is_cjk(word):
        return True
    return any(v[:1].isupper() and v.isalpha() and (word == v or (size >= 5 and word == v.upper())) for v in values)


class Marks:
    """Words and numbers that tell who somebody is. Matching ignores case, width, accents, traditional characters, and
    spacing and punctuation between words.

    Very short ones (two letters, one Chinese character) count only where they fill a cell or a whole text; a single word
    without digits (May, Reading) also where it is written just so, capital first. `shared` are words that others bear too:
    they count only in a line, a row or a record where another mark or one of the words `beside` (numbers of orders) stands;
    `passed` counts where they were left.
    """

    def __init__(self, values: Iterable[str], *, shared: Iterable[str] = (), beside: Iterable[str] = ()) -> None:
        self._marks, self._shared, self._beside = _Words(), _Words(), _Words()
        self._trails: dict[str, list[Trail]] = {"own": [], "shared": [], "beside": []}
        for number in beside:
            self._beside.add(folded(number))
            self._trails["beside"] += _trail_of_words(folded(number))
        self._phones: dict[str, set[str]] = {}  # last digits → whole numbers, digits only
        self._longest: set[str] | None = set()
        self.passed = 0
        self._size = 0
        for value in set(values):
            if not value or not (value := folded(composed(value)).strip()) or value == GONE or not _TOKEN.search(value):
                continue
            digits = re.sub(r"\D", "", value)
            if len(digits) >= 7 and len(digits) * 2 >= len(value):
                for key in _phone_keys(digits):
                    self._phones.setdefault(key, set()).add(digits)
            self._marks.add(value)
            self._note(value, "own")
        for value in set(shared):
            if value := folded(composed(value)).strip():
                self._shared.add(value)
                self._note(value, "shared")

    def _note(self, value: str, of: str) -> None:
        self._size += 1
        if self._longest is not None:
            self._trails[of] += _trails_of(value) if of == "own" else _trail_of_words(value)
            self._longest.add(max(_TOKEN.findall(value.lower()), key=len, default=""))
            if len(self._longest) > MOST_SIEVED:
                self._longest = None  # so many words are no sieve any more

    def __bool__(self) -> bool:
        return bool(self._marks or self._shared)

    def __len__(self) -> int:
        return self._size

    def words(self) -> list[str] | None:
        """The longest word of each mark, folded: a text without any of them holds none of the marks. None: too many."""
        return None if self._longest is None else sorted((self._longest | {phone[-2:] for phone in self._phones}) - {""})

    def may_stand_in(self, has: Callable[[str], bool]) -> bool:
        """Whether any can stand in a text of which `has` tells if it holds a key (as `Listener.keys`). Of too many: True."""
        if self._longest is None:
            return True

        def is_there(of: str) -> bool:
            return any(all(map(has, trail)) for trail in self._trails[of])

        return is_there("own") or (is_there("shared") and is_there("beside"))

    def are_in(self, text: str) -> bool:
        return self.blanked(text) != text

    def blanked(self, text: str) -> str:
        """`text` with every mark replaced by GONE."""
        if not text or not self:
            return text
        whole = composed(text)
        spans = self._spans(whole)
        if not spans:
            return text
        parts, at = [], 0
        for begin, end in _joined(spans):
            parts += [whole[at:begin], GONE]
            at = end
        return "".join([*parts, whole[at:]])

    def _spans(self, text: str) -> list[Span]:
        plain = folded(text)
        is_escaped = _ESCAPED.search(plain) is not None
        if not is_escaped and not self._may_be_in(plain):
            return []
        found = self._plain_spans(plain)
        if is_escaped:
            meant, at = _unescaped(text)
            found += [(at[begin][0], at[end - 1][1]) for begin, end in self._plain_spans(folded(meant))]
        return found

    def _plain_spans(self, text: str) -> list[Span]:
        found = self._marks.spans(text)
        if self._phones:
            found += self._numbers(text)
        if self._shared:
            at = 0
            for line in text.splitlines(keepends=True):
                others = self._shared.spans(line)
                if others and (
                    any(begin < at + len(line) and end > at for begin, end in found)
                    or self._beside.are_in(line)
                ):
                    found = [*found, *((at + begin, at + end) for begin, end in others)]
                elif others:
                    self.passed += 1
                at += len(line)
        return found

    def _numbers(self, text: str) -> list[Span]:
        """Phones, in any grouping, with or without the code of the country."""
        found = []
        for run in _DIGITS.finditer(text):
            groups = [(m.start() + run.start(), m.end() + run.start()) for m in _GROUP.finditer(run[0])]
            for place, (_begin, end) in enumerate(groups):
                digits, begun = "", -1
                for begin, stop in reversed(groups[: place + 1]):
                    digits = text[begin:stop] + digits
                    if begun >= 0:  # the rest of the number, as it is known; not the quantity that stands before it
                        plain = digits.lstrip("0")
                        if text[begin:stop].strip("0") and any(one.endswith(plain) for one in self._known(digits)):
                            begun = begin
                            continue
                        break
                    if len(digits) >= _TAIL:
                        if not any(is_same_phone(digits, one) for one in self._known(digits)):
                            break
                        begun = begin
                if begun < 0 and len(digits) < _TAIL and self._known(digits):
                    begun = groups[0][0]
                if begun >= 0:
                    abroad = _ABROAD.search(text, max(0, begun - 12), begun)
                    found.append((abroad.start() if abroad else begun - (text[begun - 1 : begun] == "+"), end))
        return found

    def _known(self, digits: str) -> set[str]:
        """Numbers that these digits may be."""
        return set().union(*(self._phones.get(key, ()) for key in _phone_keys(digits)))

    def _may_be_in(self, text: str) -> bool:
        """A quick sieve: no longest word of any mark, no digits of a phone. Only pays for few marks."""
        if self._longest is None:
            return True
        lower = text.lower()
        if any(word in lower for word in self._longest):
            return True
        if not self._phones:
            return False
        digits = text.translate(_SEPARATORS)
        return any(phone in digits for phone in self._phones)

    def blanked_value(self, value: Any) -> Any:
        """A JSON value with the marks taken out of its texts, at any depth."""
        if self._shared and isinstance(value, (list, dict)):
            return self._record(value)
        return self._value(value)

    def _record(self, value: Any) -> Any:
        """One record: what stands beside decides over what others bear as well."""
        sure, others = self.apart()
        blanked = sure._value(value)
        if blanked != value or self.is_theirs(json.dumps(value, ensure_ascii=False)):
            return others._value(blanked)
        self.passed += others._value(value) != value
        return blanked

    def apart(self) -> tuple[Marks, Marks]:
        """(what only these people bear, what others bear too), each as marks of its own."""
        sure, others = Marks(()), Marks(())
        sure._marks, sure._phones, sure._longest, sure._size = self._marks, self._phones, self._longest, self._size
        others._marks, others._longest, others._size = self._shared, self._longest, self._size
        return sure, others

    def has_shared(self) -> bool:
        """Whether some of the marks are borne by others too."""
        return bool(self._shared)

    def is_theirs(self, line: str) -> bool:
        """Whether a line, a row or a record is of these people: it holds a number of theirs, or a mark only they bear."""
        return self._beside.are_in(folded(line)) or self.apart()[0].are_in(line)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.blanked(value)
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if isinstance(value, dict):
            return {self.blanked(key): self._value(each) for key, each in value.items()}
        if isinstance(value, int) and not isinstance(value, bool) and len(str(value)) >= 7 and self._numbers(str(value)):
            return GONE
        return value


# --- Which texts can hold a mark ----------------------------------------------------------------------------------

Trail = tuple[str, ...]
"""Words, or pairs or threes of words, and ends of numbers that all stand in a text in which a mark stands."""
MOST_HEARD = 400_000


class TooMuch(Exception):
    """A text with so many different words is not worth remembering."""


class Listener:
    """Remembers the words of everything it is asked to blank, and changes nothing.

    Given to `blanked_bytes` in the place of `Marks` it hears whatever marks would be looked for in.
    """

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def blanked(self, text: str) -> str:
        whole = composed(text)
        self._hear(folded(whole))
        if _ESCAPED.search(folded(whole)):
            self._hear(folded(_unescaped(whole)[0]))
        return text

    def are_in(self, text: str) -> bool:
        self.blanked(text)
        return False

    def is_theirs(self, line: str) -> bool:
        self.blanked(line)
        return True

    def has_shared(self) -> bool:
        return True

    def apart(self) -> tuple[Listener, Listener]:
        return self, self

    def _hear(self, text: str) -> None:
        words = [word.lower() for word in _TOKEN.findall(text)]
        self.keys.update(words)
        self.keys.update(_in_pairs(words))
        self.keys.update(_in_threes(words))
        for run in _DIGITS.finditer(text):
            digits = ""
            for group in _GROUP.findall(run[0]):
                digits += group
                self.keys.add("#" + digits[-_TAIL:])
                self.keys.add("#" + digits[-8:])
        if len(self.keys) > MOST_HEARD:
            raise TooMuch


def _in_pairs(words: Sequence[str]) -> Iterator[str]:
    return (f"{one} {two}" for one, two in itertools.pairwise(words))


def _in_threes(words: Sequence[str]) -> Iterator[str]:
    return (f"{one} {two} {three}" for one, two, three in zip(words, words[1:], words[2:], strict=False))


def _trail_of_words(value: str) -> list[Trail]:
    """The trail of a folded mark by its words: in threes, so that few others leave the same."""
    words = _TOKEN.findall(value.lower())
    if not words:
        return []
    return [tuple(_in_threes(words) if len(words) > 2 else _in_pairs(words) if len(words) == 2 else words)]


def _trails_of(value: str) -> list[Trail]:
    """The trails of a folded mark: its words; a phone also by its last digits, however it is grouped."""
    found = _trail_of_words(value)
    digits = re.sub(r"\D", "", value)
    if len(digits) >= 7 and len(digits) * 2 >= len(value):
        found += [("#" + key,) for key in sorted(_phone_keys(digits))]
    return found


def heads_of(values: Iterable[str]) -> set[str]:
    """With what each of these marks begins: a text without any of these keys holds none of them."""
    heads = set()
    for value in values:
        if value and (plain := folded(composed(value)).strip()) and plain != GONE:
            heads |= {trail[0] for trail in _trails_of(plain)}
    return heads


def _joined(spans: list[Span]) -> list[Span]:
    """In order; those that touch or overlap as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found


def _unescaped(text: str) -> tuple[str, list[Span]]:
    """What is meant by %41, \\u0041 and &#65;, and where each of its characters stands in the text."""
    parts: list[str] = []
    places: list[Span] = []
    at = 0
    for found in _ESCAPED.finditer(text):
        parts.append(text[at : found.start()])
        places += [(n, n + 1) for n in range(at, found.start())]
        meant = _meant(found[0])
        parts.append(meant)
        places += [found.span()] * len(meant)
        at = found.end()
    parts.append(text[at:])
    places += [(n, n + 1) for n in range(at, len(text))]
    return "".join(parts), places


def _meant(escaped: str) -> str:
    if escaped[0] == "%":
        return unquote(escaped, errors="replace")
    if escaped[0] == "&":
        return unescape(escaped)
    return json.loads(f'"{escaped}"').encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# --- Files --------------------------------------------------------------------------------------------------------


class CannotRead(Exception):
    """The bytes are of a kind whose text cannot be taken apart (a picture, a PDF)."""


def blanked_bytes(content: bytes, marks: Marks | Listener) -> bytes:
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
            if marks.has_shared() and "xl/workbook.xml" in archive.namelist():
                changed = _rows(archive, marks)
                marks = marks.apart()[0]
            for info in archive.infolist():
                if info.is_dir() or info.file_size > MOST_BYTES:
                    continue
                member = changed.get(info.filename) or archive.read(info)
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


_ROW = re.compile(r"<row\b.*?</row>", re.S)
_CELL = re.compile(r"<c\b([^>]*?)(?:/>|>(.*?)</c>)", re.S)
_PLAIN = re.compile(r"<t\b[^>]*>(.*?)</t>|<v>(.*?)</v>", re.S)
_STRING = re.compile(r"<si>(.*?)</si>|<si/>", re.S)


def _rows(archive: zipfile.ZipFile, marks: Marks) -> dict[str, bytes]:
    """Sheets of a workbook in whose rows words that others bear too are gone where the row is of these people."""
    others = marks.apart()[1]
    names = [one.filename for one in archive.infolist() if one.file_size <= MOST_BYTES]
    book = "xl/sharedStrings.xml"
    table = archive.read(book).decode() if book in names else ""
    strings = [_words_of(one[1] or "") for one in _STRING.finditer(table)]
    used: set[int] = set()
    changed: dict[str, bytes] = {}

    def cell_text(cell: re.Match[str]) -> str:
        text = _words_of(cell[2] or "")
        if 't="s"' in cell[1] and text.isdigit() and int(text) < len(strings):
            return strings[int(text)]
        return text

    def new_row(row: re.Match[str]) -> str:
        theirs = marks.is_theirs(",".join(cell_text(cell) for cell in _CELL.finditer(row[0])))
        return _CELL.sub(lambda cell: new_cell(cell, theirs), row[0])

    def new_cell(cell: re.Match[str], theirs: bool) -> str:
        text = cell_text(cell)
        if theirs and (blanked := others.blanked(text)) != text:
            kept = re.sub(r'\st="[^"]*"', "", cell[1])
            return f'<c{kept} t="inlineStr"><is><t>{escape(blanked, quote=False)}</t></is></c>'
        if 't="s"' in cell[1] and (number := _words_of(cell[2] or "")).isdigit():
            used.add(int(number))
        return cell[0]

    for name in names:
        if name.startswith("xl/worksheets/") and name.endswith(".xml"):
            sheet = archive.read(name).decode()
            if (after := _ROW.sub(new_row, sheet)) != sheet:
                changed[name] = after.encode()
    if changed and table:
        numbers = iter(range(len(strings)))
        after = _STRING.sub(lambda one: one[0] if next(numbers) in used else "<si><t></t></si>", table)
        changed[book] = after.encode()
    return changed


def _words_of(xml: str) -> str:
    return unescape("".join(one[1] or one[2] or "" for one in _PLAIN.finditer(xml)))


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


