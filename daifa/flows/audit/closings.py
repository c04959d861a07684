"""The life of a store, its closing and its books say the same."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.domain.closing.process import (
    CLOSING,
    CLOSING_STEP,
    LIFECYCLE,
    PLATFORM_CASE,
    READMISSION,
    STANDING,
)
from daifa.flows.audit.check import Check
from daifa.flows.audit.histories import OF_STORE, history

CHECKS: list[Check] = [
    *(history(process, OF_STORE) for process in (LIFECYCLE, STANDING, CLOSING, READMISSION, PLATFORM_CASE)),
    history(
        CLOSING_STEP, "EXISTS (SELECT FROM closing_closing p WHERE p.id = t.closing_id AND [[p.store_id]])"
    ),
    Check(
        "closing_of_life",
        "13",
        "closing",
        N_("Closings that contradict the life of their store"),
        """SELECT c.id, format('closing %s is %s, the store %s', c.id, c.state, l.state)
           FROM closing_closing c JOIN closing_lifecycle l ON l.id = c.lifecycle_id
           WHERE [[c.store_id]] AND NOT CASE c.state
               WHEN 'running' THEN l.state IN ('closing', 'closed') WHEN 'done' THEN l.state = 'archived'
               ELSE true END
           UNION ALL
           SELECT l.id, format('store %s is closing, and no closing goes on', l.store_id) FROM closing_lifecycle l
           WHERE [[l.store_id]] AND l.state = 'closing'
             AND NOT EXISTS (SELECT FROM closing_closing c WHERE c.lifecycle_id = l.id AND c.state = 'running')""",
    ),
    Check(
        "standing_follows",
        "13",
        "store",
        N_("Standings that do not follow from what was said and what violations come to"),
        """SELECT g.store_id, format('%s, said %s, reckoned %s', g.state, g.said, g.reckoned)
           FROM (SELECT *, ARRAY['normal', 'warned', 'restricted', 'frozen'] AS worse FROM closing_standing t WHERE [[t.store_id]]) g
           WHERE g.state <> CASE
               WHEN g.said = '' THEN g.reckoned
               WHEN array_position(g.worse, g.reckoned::text) > array_position(g.worse, g.said_over::text)
                   THEN g.worse[greatest(array_position(g.worse, g.said::text), array_position(g.worse, g.reckoned::text))]
               ELSE g.said END""",
    ),
    Check(
        "archived_books",
        "9",
        "store",
        N_("Archived stores whose books are not locked, or in which money is still open"),
        """SELECT l.store_id, format('store %s is not locked', l.store_id) FROM closing_lifecycle l
           WHERE [[l.store_id]] AND l.state = 'archived' AND l.replaced_at IS NULL
             AND NOT EXISTS (SELECT FROM books_booklock b WHERE b.store_id = l.store_id)
           UNION ALL
           SELECT l.store_id, format('account %s: %s %s', s.code, s.amount, s.currency)
           FROM closing_lifecycle l JOIN (
               SELECT e.store_id, a.code, p.currency, sum(p.amount) AS amount FROM books_entry e
               JOIN books_posting p ON p.entry_id = e.id JOIN books_account a ON a.id = p.account_id
               WHERE a.code IN ('1100', '2000', '1200') GROUP BY 1, 2, 3 HAVING sum(p.amount) <> 0
           ) s ON s.store_id = l.store_id
           WHERE [[l.store_id]] AND l.state = 'archived' AND l.replaced_at IS NULL""",
    ),
]
