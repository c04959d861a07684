"""What daifa does at the end: the application, the closing itself, the export, personal data, the books, the archive."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from daifa.domain.books import commands as books
from daifa.domain.books import queries as book_queries
from daifa.domain.closing import commands, queries
from daifa.domain.privacy import queries as privacy_queries
from daifa.domain.stores.commands import close_tasks
from daifa.flows import privacy
from daifa.flows.close_store.proofs import export_store
from daifa.flows.close_store.step import Doing
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import joined


def apply(doing: Doing) -> None:
    commands.mark_applied(doing.closing, at=doing.at)
    doing.facts["reason"] = doing.given.note.strip()


def mark_closed(doing: Doing) -> None:
    """The platform has closed the store; before the law's notice is over only a ruling of its own can do that."""
    day = next(day for day in queries.days_of(doing.closing, at=doing.at) if day.code == "closed")
    commands.mark_closed(
        doing.closing, by=doing.by, at=doing.at, reason=doing.given.reference or doing.given.note
    )
    doing.facts["expected"] = day.on.isoformat()
    close_tasks(kind="closing_step", thing_kind="closing_step", things=[doing.row.pk], by=doing.by, at=doing.at)


def export_all(doing: Doing) -> None:
    content, counts = export_store(doing.store)
    doing.file = (f"{doing.store.code}-books-and-orders.zip", commands.keep_made(content))
    doing.facts["rows"] = counts


def shred_personal_data(doing: Doing) -> None:
    """Personal data go as far as holds and retention allow. What must be kept longer goes on its day, and only then is
    the step done; what waits for an answer or for a dispute refuses it, and what could go has gone all the same."""
    done = privacy.shred_store(doing.store.pk, by=doing.by, at=doing.at)
    waits = [stay for stay in done.stays if stay.code in ("unknown", "too_early", *privacy.HOLDS)]
    if endless := [stay for stay in waits if stay.until is None]:
        raise Refused(
            _("Not everything may go yet: %(why)s What may go has gone. Do this step again then.")
            % {"why": joined(" ", dict.fromkeys(stay.sentence() for stay in endless), chinese="")},
            code="data_stays",
        )  # fmt: skip
    if waits:
        days = [stay.until for stay in waits if stay.until]
        doing.later = min(days)
        kept_until = max(days).astimezone(ZoneInfo(doing.store.timezone)).date()
        commands.note_params(doing.closing, kept_until=kept_until.isoformat())
        return
    counts, orders, customers = privacy_queries.erased_with_store(doing.store.pk, since=doing.closing.started_at)
    doing.facts |= {
        "erased": counts,
        "orders": orders,
        "customers": customers,
        "stays": [{"data": stay.data, "why": stay.code, "orders": len(stay.orders)} for stay in done.stays],
    }


def lock_books(doing: Doing) -> None:
    books.lock_books(
        store_id=doing.store.pk, until=books.FOR_GOOD, reason=_("closing %(number)s") % {"number": doing.closing.number},
        by=doing.by, at=doing.at,
    )  # fmt: skip
    balance = book_queries.trial_balance([doing.store.pk])
    doing.facts["balances"] = [[row.code, row.currency, str(row.amount)] for row in balance.rows]


def unlock_books(doing: Doing) -> None:
    books.unlock_books(store_id=doing.store.pk, until=None, reason=doing.given.note, by=doing.by, at=doing.at)


def archive(doing: Doing) -> None:
    commands.archive_store(doing.closing, by=doing.by, at=doing.at)
