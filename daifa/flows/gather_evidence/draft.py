"""A pack while it is being put together: its parts, its files, its photos, and how free texts may be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from daifa.domain.orders.queries import OrderDetail
from daifa.domain.stores.models import Store
from daifa.flows.gather_evidence.masking import GONE, blanked
from daifa.flows.gather_evidence.writing import safe_name
from daifa.lib.redact import Marks


@dataclass(slots=True)
class Section:
    """A part of the PDF: facts, tables (heads and rows), texts (heading and words), photos (caption and JPEG)."""

    title: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    tables: list[tuple[str, list[str], list[list[str]]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    photos: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the pack, to be copied into it: where in the PDF, under which name, where the original lies."""

    section: Section
    name: str
    sha256: str
    folder: str
    caption: str


@dataclass(slots=True)
class Draft:
    """A pack while it is being put together: what it tells, what is left out, what it lacks."""

    store: Store
    language: str
    reveal: bool
    costs: bool
    at: datetime
    marks: Marks
    zone: ZoneInfo
    sections: list[Section] = field(default_factory=list)
    files: list[tuple[str, bytes, str]] = field(default_factory=list)  # name, bytes, what it is
    gaps: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    rules: dict[str, date] = field(default_factory=dict)
    by: str = ""
    who: tuple[str, ...] = ()  # what tells who the buyers are
    basis: str = ""  # which addresses that is taken from, for what is read on photos
    originals: dict[str, tuple[str, str]] = field(default_factory=dict)  # photo in the pack → hash as received, what is covered
    stripped: int = 0
    covered: int = 0
    waiting: int = 0
    dropped: int = 0
    papers: int = 0
    shown: set[str] = field(default_factory=set)  # hashes of photos that are in it already
    case_kind: str = ""
    case: int = 0
    complaints: set[int] = field(default_factory=set)  # that are told
    breaches: set[int] = field(default_factory=set)  # checks that found something foreign: told only where the case is about it
    photos: list[Photo] = field(default_factory=list)
    told: list[OrderDetail] = field(default_factory=list)
    subject: str = ""

    def add(self, name: str, content: bytes, what: str) -> str:
        """Put a file into the pack; returns the name it got there."""
        taken = {one[0] for one in self.files}
        stem, dot, end = name.rpartition(".")
        number = 2
        while name in taken:
            name = f"{stem}-{number}{dot}{end}"
            number += 1
        self.files.append((name, content, what))
        return name

    def serves(self, subject: str, thing: int) -> bool:
        """Is this part of the story the case is about? Other violations, complaints and our own checks are another matter."""
        if subject == "violation":
            return (self.case_kind, self.case) == ("violation", thing)
        if subject == "complaint":
            return thing in self.complaints
        return subject != "parcel_check" or thing not in self.breaches

    def words(self, text: str | None) -> str:
        """A free text as it may be shown."""
        if not text or self.reveal:
            return text or ""
        return blanked(text, self.marks)

    def file_name(self, name: str) -> str:
        """How a file that somebody named is called in the pack: people write buyers' names and numbers into names of files."""
        return safe_name(self.words(name).replace(GONE, "masked"))

    def when(self, at: datetime | None) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M") if at else ""

    def rule(self, rule_id: str, on: datetime | None) -> None:
        if rule_id:
            self.rules.setdefault(rule_id, (on or self.at).astimezone(self.zone).date())
