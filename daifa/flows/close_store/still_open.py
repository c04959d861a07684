"""What is still open in a store that ends, and how it is said."""

from __future__ import annotations

from datetime import datetime

from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import Closing
from daifa.domain.closing.queries import BLOCKERS, Blocker
from daifa.flows import privacy
from daifa.lib.commas import listed
from daifa.lib.money import rounded
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import joined


def pre_check(store_id: int, *, at: datetime) -> list[Blocker]:
    """What is still open in a store: counts and sums, in the order in which they are settled."""
    return queries.blockers(store_id, at=at)


def open_now(closing: Closing, *, at: datetime) -> list[Blocker]:
    """What is still open in the store of a closing, its public notice while it runs among it, and unanswered retention."""
    found = queries.blockers(closing.store_id, at=at)
    if running := queries.notice_running(closing, at=at):
        found.append(running)
    if unanswered := privacy.unanswered(closing.store_id):
        found.append(Blocker("retention_unknown", len(unanswered)))
    return found


def blocker_words(one: Blocker) -> str:
    """"orders not shipped: 3 (120.00 CNY)", in the reader's language."""
    words = [commands.said(BLOCKERS[one.code]), commands.said((": ", "：")), one.count]
    extra = []
    if one.amount is not None:
        extra.append(f"{rounded(one.amount, one.currency)} {one.currency}")
    if one.until is not None:
        extra.append(_("until %(date)s") % {"date": one.until})
    if extra:
        words += [commands.said((" (", "（")), listed(extra, comma="，"), commands.said((")", "）"))]
    return joined("", words)
