"""Refunds to buyers: each with its claim, of its own order."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.flows.audit.check import Check

CHECKS: list[Check] = [
    Check(
        "refund_claim",
        "11",
        "refund",
        N_("Refunds to buyers without a claim on the supplier and without a recorded reason why not"),
        """SELECT r.id, format('refund %s: %s %s', r.external_ref, r.amount, r.currency) FROM aftersales_refund r
           WHERE [[r.store_id]] AND r.state = 'confirmed' AND r.no_claim_reason = ''""",
    ),
    Check(
        "refunded",
        "4",
        "order",
        N_("Orders or lines whose refunded units or money are not those of their refunds"),
        """SELECT o.id, format('order %s: refunded %s, refunds %s', o.number, o.refunded_amount, coalesce(s.amount, 0))
           FROM orders_order o
           LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM aftersales_refund WHERE state = 'confirmed' GROUP BY 1) s
             ON s.order_id = o.id
           WHERE [[o.store_id]] AND NOT o.is_history AND o.refunded_amount <> coalesce(s.amount, 0)
           UNION ALL
           SELECT o.id, format('line %s of order %s: refunded %s (%s), refunds %s (%s)', l.line_no, o.number, l.refunded,
                               l.refunded_amount, coalesce(s.units, 0), coalesce(s.amount, 0))
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT x.order_line_id, sum(x.quantity) AS units, sum(x.amount) AS amount
                      FROM aftersales_refundline x JOIN aftersales_refund r ON r.id = x.refund_id AND r.state = 'confirmed'
                      WHERE x.order_line_id IS NOT NULL GROUP BY 1) s ON s.order_line_id = l.id
           WHERE [[o.store_id]] AND NOT o.is_history
             AND (l.refunded <> coalesce(s.units, 0) OR l.refunded_amount <> coalesce(s.amount, 0))""",
    ),
    Check(
        "refund_of_order",
        "11",
        "refund",
        N_("Refunds in another store than their order's, or on lines of another order"),
        """SELECT r.id, format('refund %s', r.external_ref) FROM aftersales_refund r JOIN orders_order o ON o.id = r.order_id
           WHERE [[r.store_id]] AND o.store_id <> r.store_id
           UNION ALL
           SELECT r.id, format('refund %s', r.external_ref) FROM aftersales_refundline x JOIN aftersales_refund r ON r.id = x.refund_id
           JOIN orders_orderline l ON l.id = x.order_line_id
           WHERE [[r.store_id]] AND (l.order_id IS DISTINCT FROM r.order_id OR x.cancelled > x.quantity)""",
    ),
]
