"""What may be done to the rule book and the lists of words. Files are never edited: the owner's word is kept beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.policy import book as books
from daifa.domain.policy import queries, words
from daifa.domain.policy.book import Problem
from daifa.domain.policy.models import (
    OwnWord,
    RuleBook,
    RuleFile,
    RuleOverride,
    TextApproval,
    TextFinding,
    WordLists,
)
from daifa.domain.policy.rules import STANDING
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.refusal import Refused

DAYS_TO_LOOK = 1
"""A new book counts from the next day on, unless a person says another: what it changes can be seen before."""
LATEST = 366

# --- Books ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Taken:
    """`book` that is the newest now; `is_new` whether it came with this call. With `problems` nothing was taken."""

    book: RuleBook | None = None
    is_new: bool = False
    problems: list[Problem] = field(default_factory=list)


@transaction.atomic
def take_book(
    *, by: str, at: datetime, own: Mapping[str, bytes] | None = None, takes_effect_on: date | None = None
) -> Taken:
    """Make what ships with daifa, with the owner's own files on top, the newest version of the book.

    `own` (name → content; None = those of the newest version) replace the files of the same name and add others.
    Unchanged files make no new version. A file with a problem is refused, all its problems are named, and the last
    good book goes on counting. The first book counts from ever; later ones from `takes_effect_on`, else from the day
    after `at`.
    """
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('policy_rulebook'))")
    newest = RuleBook.objects.filter(withdrawn_at=None).order_by("-id").first()
    asked = own is not None
    own = queries.own_files() if own is None else own
    for name in own:
        if name in books.NOT_RULES or not name.endswith(".yaml"):
            raise Refused(
                _("%(file)s is no file of rules: it is named after its channel, as xiaohongshu.yaml.") % {"file": name},
                code="file_name", field="file",
            )  # fmt: skip
    contents = {**books.shipped_files(), **own}
    if newest is not None and newest.digest == books.digest_of(contents):
        return Taken(newest)
    digest = books.digest_of(contents)
    if not asked and RuleBook.objects.filter(digest=digest, withdrawn_at__isnull=False).exists():
        return Taken(newest)  # a person took exactly this back
    found = books.read_book(contents, own=own)
    if found.problems:
        return Taken(newest, problems=list(found.problems))
    if newest is None and own:
        first = take_book(by=by, at=at, own={}).book  # what ships is the first book; the owner's files change it
        if first is not None and first.digest == digest:
            return Taken(first)
    elif newest is None:
        takes_effect_on = None
    if newest is not None or own:
        takes_effect_on = takes_effect_on or at.date() + timedelta(days=DAYS_TO_LOOK)
        _check_day(takes_effect_on, at)
    files = [_kept(name, content, is_own=name in own) for name, content in sorted(contents.items())]
    if asked:
        # What the owner's files replace was seen by her: a later one of daifa's is not, see `queries.overtaken_files`.
        for name in own.keys() & books.shipped_files().keys():
            _kept(name, books.shipped_files()[name], is_own=False)
    taken = RuleBook.objects.create(
        digest=found.digest, rule_count=len(found.rules), takes_effect_on=takes_effect_on, by=by, at=at
    )
    taken.files.set(files)
    return Taken(taken, is_new=True)


def _kept(name: str, content: bytes, *, is_own: bool) -> RuleFile:
    file, _made = RuleFile.objects.get_or_create(
        name=name, digest=hashlib.sha256(content).hexdigest(), is_own=is_own, defaults={"content": content.decode("utf-8")}
    )
    return file


@transaction.atomic
def drop_own_file(*, name: str, by: str, at: datetime) -> Taken:
    """The owner's file of that name is used no more: daifa's own takes its place, from the next day on."""
    own = queries.own_files()
    if name not in own:
        raise Refused(
            _("There is no own file %(file)s; there are: %(known)s.") % {"file": name, "known": ", ".join(own) or "–"}, code="not_found"
        )
    del own[name]
    return take_book(own=own, by=by, at=at)


@transaction.atomic
def keep_own_file(*, name: str, by: str, at: datetime) -> None:
    """The owner compared her file with daifa's renewed one and keeps hers."""
    if name not in queries.own_files() or name not in books.shipped_files():
        raise Refused(_("There is no own file %(file)s that replaces one of daifa's.") % {"file": name}, code="not_found")
    _kept(name, books.shipped_files()[name], is_own=False)


@transaction.atomic
def move_book(*, book_id: int, takes_effect_on: date, by: str, at: datetime) -> RuleBook:
    """A book that does not count yet shall count from another day (today at the earliest). Raises `Refused`."""
    book = _waiting(book_id, at)
    _check_day(takes_effect_on, at)
    # The stamp of what is held in memory follows ids: the same files again, as a younger version with the new day.
    younger = RuleBook.objects.create(
        digest=book.digest, rule_count=book.rule_count, takes_effect_on=takes_effect_on, by=by, at=at
    )
    younger.files.set(book.files.all())
    _withdraw(book, by=by, at=at)
    return younger


@transaction.atomic
def withdraw_book(*, book_id: int, by: str, at: datetime) -> RuleBook:
    """A book that does not count yet never will. What ships with daifa is offered again with its next change."""
    return _withdraw(_waiting(book_id, at), by=by, at=at)


def _waiting(book_id: int, at: datetime) -> RuleBook:
    book = RuleBook.objects.select_for_update().filter(pk=book_id, withdrawn_at=None).first()
    if book is None:
        raise Refused(_("There is no such version of the rule book."), code="not_found")
    if book.takes_effect_on is None or book.takes_effect_on <= at.date():
        raise Refused(
            _("This version counts already. Say what reads otherwise in an override, or put in a newer file."), code="counts_already"
        )
    return book


def _withdraw(book: RuleBook, *, by: str, at: datetime) -> RuleBook:
    book.withdrawn_by, book.withdrawn_at = by, at
    book.save(update_fields=["withdrawn_by", "withdrawn_at"])
    return book


def _check_day(day: date, at: datetime) -> None:
    if not at.date() <= day <= at.date() + timedelta(days=LATEST):
        raise Refused(_("Choose a day from today to a year from now."), code="day_out_of_range", field="takes_effect_on")


# --- The owner's word -------------------------------------------------------------------------------------------


class NewOverride(NamedTuple):
    """What reads otherwise (`changes`: field → text as in a file, "" = empty), or that it was checked (no changes)."""

    rule_id: str
    reason: str
    valid_from: date
    changes: Mapping[str, str] = {}
    store_id: int | None = None
    valid_until: date | None = None


@dataclass(slots=True)
class Overridden:
    """`ids` of the overrides now stored; `refused`: place in the list given → sentence."""

    ids: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


@transaction.atomic
def override_rules(rows: Sequence[NewOverride], *, by: str, at: datetime) -> Overridden:
    """Store the owner's word about rules, with name and moment. A wrong one is refused and does not stop the others.

    Confirming makes an undated or an old rule act; it cannot lift one whose source is weak or contradicted: that asks
    for the source that was read and its date.
    """
    result = Overridden()
    for place, row in enumerate(rows):
        try:
            with transaction.atomic():
                result.ids.append(_override(row, by=by, at=at))
        except Refused as refused:
            result.refused[place] = refused.sentence
    return result


def _override(row: NewOverride, *, by: str, at: datetime) -> int:
    try:
        rule = queries.rule(row.rule_id, on=row.valid_from, store_id=row.store_id)
    except KeyError:
        raise Refused(_("There is no rule %(id)s.") % {"id": row.rule_id}, code="rule_unknown", field="rule_id") from None
    if not row.reason.strip():
        raise Refused(_("Say why: what you read, and where."), code="reason_missing", field="reason")
    if row.store_id is not None and not Store.objects.filter(pk=row.store_id).exists():
        raise Refused(_("There is no such store."), code="not_found", field="store")
    if row.valid_until is not None and row.valid_until < row.valid_from:
        raise Refused(_("It ends before it begins."), code="dates", field="valid_until")
    changes = {name: (text.strip() or None) for name, text in row.changes.items()}
    if not changes and rule.verdict in ("low", "unverified", "contradicted", "superseded", "draft"):
        raise Refused(
            _("Confirming cannot make it act. %(why)s If you read an official text, enter its source, its kind, its date and the confidence.")
            % {"why": rule.why_not},
            code="cannot_confirm", field="changes",
        )  # fmt: skip
    _values, wrong = books.check_changes(rule, changes)
    if wrong:
        raise Refused(" ".join(f"{name}: {sentence}" for name, sentence in wrong), code="changes_invalid", field="changes")
    if set(changes) & set(STANDING) and not (changes.get("source") and changes.get("as_of")):
        raise Refused(
            _("To give a rule another standing, enter the source you read and the date of its text as well."),
            code="source_missing", field="changes",
        )  # fmt: skip
    return RuleOverride.objects.create(
        rule_id=row.rule_id, store_id=row.store_id, changes=changes, reason=row.reason.strip()[:500],
        valid_from=row.valid_from, valid_until=row.valid_until, by=by, at=at,
    ).pk  # fmt: skip


@transaction.atomic
def withdraw_overrides(ids: Sequence[int], *, by: str, at: datetime) -> int:
    """These words of the owner count no more; they stay to be read. Returns how many."""
    return RuleOverride.objects.filter(pk__in=list(ids), withdrawn_at=None).update(withdrawn_by=by, withdrawn_at=at)


# --- Words ------------------------------------------------------------------------------------------------------


@transaction.atomic
def add_own_words(rows: Iterable[tuple[str, str, str]], *, by: str, at: datetime) -> list[str]:
    """Add (word, severity, reason); a younger word about the same replaces the older. Returns the refusals."""
    refused = []
    kept = {words.normalised(one.term) for one in words.shipped().terms if words.is_kept(one)}
    for term, severity, reason in rows:
        key = words.normalised(term)
        if not key or len(term) > 80:
            refused.append(_("A word has 1 to 80 characters."))
        elif severity not in dict(OwnWord.SEVERITIES):
            refused.append(_("The severity is one of: %(known)s.") % {"known": ", ".join(dict(OwnWord.SEVERITIES))})
        elif not reason.strip():
            refused.append(_("Say why “%(term)s” is on your list.") % {"term": term})
        elif key in kept and severity != "block":
            refused.append(_("“%(term)s” leads buyers off the platform or buys reviews: no own word lets it pass.") % {"term": term})
        else:
            same = [one.pk for one in OwnWord.objects.filter(withdrawn_at=None) if words.normalised(one.term) == key]
            withdraw_own_words(same, by=by, at=at)
            OwnWord.objects.create(term=term.strip(), severity=severity, reason=reason.strip()[:500], by=by, at=at)
    return refused


@transaction.atomic
def withdraw_own_words(ids: Sequence[int], *, by: str, at: datetime) -> int:
    """These own words count no more. Returns how many."""
    return OwnWord.objects.filter(pk__in=list(ids), withdrawn_at=None).update(withdrawn_by=by, withdrawn_at=at)


def note_lists(*, by: str, at: datetime) -> WordLists:
    """The version of the lists of words, goods and brands that counts now; written down when they read otherwise than before."""
    now = queries.lists_now()
    newest = queries.lists_version()
    if newest is not None and newest.digest == now.digest:
        return newest
    return WordLists.objects.create(
        digest=now.digest, dates=now.dates, entries=now.entries, goods_count=now.goods_count, by=by, at=at
    )


@transaction.atomic
def approve_texts(digests: Iterable[str], *, reason: str, by: str, at: datetime) -> int:
    """A person looked at these texts (`words.Publishing.digest`) and lets them out. Returns how many are new.

    Words that must be changed are not waved through by this, nor words that come into the lists later: then it is asked again.
    """
    if not reason.strip():
        raise Refused(_("Say why it may be published: what you looked at, or which proof you hold."), code="reason_missing", field="reason")
    digests = set(digests)
    note_lists(by=by, at=at)  # those by which she looked
    fresh = digests - set(TextApproval.objects.filter(digest__in=list(digests)).values_list("digest", flat=True))
    TextApproval.objects.bulk_create(
        [TextApproval(digest=one, reason=reason.strip()[:500], by=by, at=at) for one in sorted(digests)],
        update_conflicts=True, unique_fields=["digest"], update_fields=["reason", "by", "at"],
    )
    return len(fresh)


FINDING = ("kind", "thing", "store_id", "name", "field", "term", "category", "severity", "start", "end", "found_at")


@transaction.atomic
def replace_findings(rows: Iterable[tuple], *, at: datetime) -> int:
    """What the look at `at` found, instead of what the last one did: tuples of FINDING without `found_at`."""
    rows = [(*row, at) for row in rows]
    TextFinding.objects.all().delete()
    bulk.copy_rows(TextFinding._meta.db_table, FINDING, rows)
    return len(rows)
