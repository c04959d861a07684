"""What buyers were told."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.domain.messages.process import MESSAGE
from daifa.flows.audit.check import Check

CHECKS: list[Check] = [
    Check(
        "told_once",
        "14",
        "message",
        N_("Messages that went out more than once, or that buyers were told twice"),
        f"""SELECT m.id, format('%s about %s: sent %s times', m.kind, m.thing, s.n) FROM
            (SELECT thing AS id, count(*) AS n FROM history_transition WHERE kind = {MESSAGE.kind} AND state_to = 'sent'
             GROUP BY 1 HAVING count(*) > 1) s
            JOIN buyer_messages_message m ON m.id = s.id WHERE [[m.store_id]]
            UNION ALL
            SELECT min(m.id), format('%s about %s: %s messages', m.kind, m.thing, count(*)) FROM buyer_messages_message m
            WHERE [[m.store_id]] GROUP BY m.kind, m.thing, m.version HAVING count(*) > 1""",
    ),
    Check(
        "messages_sent",
        "14",
        "message",
        N_(
            "Messages whose state and time of sending contradict each other, or that belong to another store than their order"
        ),
        """SELECT m.id, format('%s about %s: %s at %s', m.kind, m.thing, m.state, m.sent_at) FROM buyer_messages_message m
           JOIN orders_order o ON o.id = m.order_id
           WHERE [[m.store_id]] AND ((m.state = 'sent') <> (m.sent_at IS NOT NULL) OR o.store_id <> m.store_id)""",
    ),
]
