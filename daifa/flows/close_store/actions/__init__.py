"""What daifa does for each step, and how it takes that back: by the names that `domain/closing/steps.py` gives them."""

from __future__ import annotations

from collections.abc import Callable

from daifa.flows.close_store.actions import buyers, counting, ending, listings, money, threat
from daifa.flows.close_store.step import Doing

DO: dict[str, Callable[[Doing], None]] = {
    "count_open": counting.count_open, "count_listings": counting.count_listings, "measure": counting.measure,
    "warn_store": threat.warn_store, "send_appeals": threat.send_appeals, "hear_ruling": threat.hear_ruling, "freeze_store": threat.freeze_store,
    "publish_notice": buyers.publish_notice, "tell_buyers": buyers.tell_buyers,
    "take_listings_down": listings.take_listings_down, "retire_links": listings.retire_links,
    "book_proceeds": money.book_proceeds, "return_deposit": money.return_deposit,
    "apply": ending.apply, "mark_closed": ending.mark_closed, "export_all": ending.export_all,
    "shred_personal_data": ending.shred_personal_data, "lock_books": ending.lock_books, "archive": ending.archive,
}  # fmt: skip
UNDO: dict[str, Callable[[Doing], None]] = {
    "withdraw_appeals": threat.withdraw_appeals, "withdraw_notice": buyers.withdraw_notice, "put_listings_back": listings.put_listings_back,
    "unlock_books": ending.unlock_books, "keep_proceeds": money.keep_proceeds,
}  # fmt: skip
