"""The gate before a listing is published: decides, given what is known. Pure. Worked table: docs/rules/publishing.md.

What must not go out at all stops it; what a person may answer for waits for one; a paper that is needed is waited for
and nobody waves it through.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

Reason = tuple[str, dict[str, Any]]

STOPS = (
    "store_shut", "limit", "words", "notice", "notice_lost", "retired", "nothing_listed", "title_missing", "price_missing",
    "source_missing",
)  # fmt: skip
"""Reasons that stop a publication: something has to be changed first, then it is asked for anew."""

WAITS = ("paper", "goods", "brand", "look", "pictures")
"""Reasons that make it wait: for a paper, or for a person."""

APPROVABLE = ("goods", "brand", "look", "pictures")
"""Reasons a person may answer for. A paper is not among them: it has to be recorded."""

GRAVE = ("words", "notice", "notice_lost", "paper", "goods")
"""Reasons for which something already on sale should not stay there as it is."""

GONE = ("upheld", "conceded")
"""Ends of a notice after which the listing stays down."""


class Hit(NamedTuple):
    """A restricted word in a field of the listing."""

    field: str
    term: str
    category: str
    severity: str
    start: int
    end: int


class Notice(NamedTuple):
    """A notice of somebody's right against the listing. `ended`: "" while it is open."""

    reference: str
    right: str
    ended: str = ""


class Right(NamedTuple):
    """A right recorded for the listing."""

    right: str
    valid_from: date
    valid_until: date | None = None

    def counts_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a listing that is to be published.

    `goods`: word → paper it asks for ("" = none opens it), of the restricted goods. `papers_missing`: kinds of papers
    the owner said its category needs and the store does not hold. `allowed`: codes a person let pass for exactly this
    text and picture, with the words (`allowed_words`) that stood in it then.
    """

    on: date
    hits: Sequence[Hit] = ()
    goods: Mapping[str, str] = field(default_factory=dict)
    held: Collection[str] = ()
    papers_missing: Sequence[Sequence[str]] = ()
    category: str = ""
    notices: Sequence[Notice] = ()
    rights: Sequence[Right] = ()
    has_picture: bool = False
    is_retired: bool = False
    title: str = "x"
    skus: Sequence[str] = ("x",)
    without_price: Sequence[str] = ()
    without_source: Sequence[str] = ()
    shut: str = ""
    limit: str = ""
    allowed: Collection[str] = ()
    allowed_words: Collection[str] = ()


class Verdict(NamedTuple):
    """`state` a publication begins in: ready, waiting or refused; `reasons` that stand against it now."""

    state: str
    reasons: list[Reason]

    @property
    def approvable(self) -> bool:
        """Whether a person may let it out as it is."""
        return self.state == "waiting" and all(code in APPROVABLE for code, _params in self.reasons)


def decide(facts: Facts) -> Verdict:
    """May it be published? Everything that stands against it is named, not only the first thing."""
    reasons = [*_stops(facts), *_waits(facts)]
    codes = {code for code, _params in reasons}
    if codes & set(STOPS):
        return Verdict("refused", reasons)
    return Verdict("waiting" if codes else "ready", reasons)


def _stops(facts: Facts) -> list[Reason]:
    found: list[Reason] = []
    if facts.shut:
        found.append(("store_shut", {"state": facts.shut}))
    if facts.limit:
        found.append(("limit", {"reference": facts.limit}))
    if facts.is_retired:
        found.append(("retired", {}))
    if not facts.skus:
        found.append(("nothing_listed", {}))
    if not facts.title.strip():
        found.append(("title_missing", {}))
    if blocked := [hit for hit in facts.hits if hit.severity == "block"]:  # whoever approves, whatever paper is held
        found.append(("words", _named(blocked)))
    found += notices_against(facts.notices, facts.rights, facts.on)
    if facts.without_price:
        found.append(("price_missing", {"skus": list(facts.without_price)[:5], "count": len(facts.without_price)}))
    if facts.without_source:
        found.append(("source_missing", {"skus": list(facts.without_source)[:5], "count": len(facts.without_source)}))
    return found


def notices_against(notices: Sequence[Notice], rights: Sequence[Right], on: date) -> list[Reason]:
    """Notices that keep a listing down: open ones, and those that ended against it while no right of their kind counts."""
    found: list[Reason] = []
    for notice in notices:
        if not notice.ended:
            found.append(("notice", {"reference": notice.reference, "right": notice.right}))
        elif notice.ended in GONE and not _has(rights, notice.right, on):
            found.append(("notice_lost", {"reference": notice.reference, "right": notice.right}))
    return found


def _opened(hit: Hit, facts: Facts) -> bool:
    """Restricted goods whose paper is held."""
    licence = facts.goods.get(hit.term, "")
    return bool(licence) and licence in facts.held


def _waits(facts: Facts) -> list[Reason]:
    found: list[Reason] = [("paper", {"kinds": list(kinds), "category": facts.category}) for kinds in facts.papers_missing]
    review = [hit for hit in facts.hits if hit.severity == "review"]
    goods = [hit for hit in review if hit.category == "restricted_category" and not _opened(hit, facts)]
    brands = [hit for hit in review if hit.category == "brand" and not _has(facts.rights, "trademark", facts.on)]
    others = [hit for hit in review if hit.category not in ("restricted_category", "brand")]
    for code, hits in (("goods", goods), ("brand", brands), ("look", others)):
        if left := [hit for hit in hits if not _let_pass(code, hit.term, facts)]:
            params = _named(left)
            if code == "goods":
                params["kinds"] = sorted({facts.goods.get(hit.term, "") for hit in left} - {""})
            found.append((code, params))
    if facts.has_picture and not _has(facts.rights, "copyright", facts.on) and "pictures" not in facts.allowed:
        found.append(("pictures", {}))
    return found


def _let_pass(code: str, term: str, facts: Facts) -> bool:
    return code in facts.allowed and term in facts.allowed_words


def _has(rights: Sequence[Right], right: str, on: date) -> bool:
    return any(one.right == right and one.counts_on(on) for one in rights)


def _named(hits: Sequence[Hit]) -> dict[str, Any]:
    seen = dict.fromkeys((hit.field, hit.term, hit.category) for hit in hits)
    return {"words": [list(one) for one in seen]}
