"""Orders, their lines, and what was routed."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.flows.audit.check import Check

CHECKS: list[Check] = [
    Check(
        "line_counters",
        "1",
        "order_line",
        N_(
            "Order lines whose counters cannot be: ordered = cancelled + allocated + open, and no more is purchased, accepted or shipped than allocated"
        ),
        """SELECT l.id, format('line %s of order %s: %s ordered, %s cancelled, %s allocated, %s purchased, %s accepted, %s shipped',
                               l.line_no, o.number, l.quantity, l.cancelled, l.allocated, l.purchased, l.accepted, l.shipped)
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           WHERE [[o.store_id]] AND (l.cancelled < 0 OR l.allocated < 0 OR l.quantity < l.cancelled + l.allocated
                 OR l.purchased < 0 OR l.accepted < 0 OR l.shipped < 0
                 OR l.purchased > l.allocated OR l.accepted > l.purchased OR l.shipped > l.accepted)""",
    ),
    Check(
        "order_counters",
        "1",
        "order",
        N_("Orders whose counters are not the sums of their lines"),
        """SELECT o.id, format('order %s: %s units, lines %s; allocated %s, lines %s; shipped %s, lines %s; delivered %s, lines %s',
                               o.number, o.units, s.units, o.allocated, s.allocated, o.shipped, s.shipped, o.delivered, s.delivered)
           FROM orders_order o
           JOIN (SELECT order_id, coalesce(sum(quantity) FILTER (WHERE kind = 'goods'), 0) AS units,
                        sum(cancelled) AS cancelled, sum(allocated) AS allocated, sum(purchased) AS purchased,
                        sum(accepted) AS accepted, sum(shipped) AS shipped, sum(delivered) AS delivered, sum(returned) AS returned
                 FROM orders_orderline GROUP BY order_id) s ON s.order_id = o.id
           WHERE [[o.store_id]] AND (o.units, o.cancelled, o.allocated, o.purchased, o.accepted, o.shipped, o.delivered, o.returned)
                 IS DISTINCT FROM (s.units, s.cancelled, s.allocated, s.purchased, s.accepted, s.shipped, s.delivered, s.returned)""",
    ),
    Check(
        "order_amounts",
        "1",
        "order",
        N_("Orders whose amounts are not the sums of their lines"),
        """SELECT o.id, format('order %s: total %s, lines %s', o.number, o.total_amount, s.total)
           FROM orders_order o
           JOIN (SELECT order_id, sum(amount) AS total,
                        coalesce(sum(amount) FILTER (WHERE kind = 'goods'), 0) AS goods,
                        coalesce(sum(amount) FILTER (WHERE kind = 'shipping'), 0) AS shipping
                 FROM orders_orderline GROUP BY order_id) s ON s.order_id = o.id
           WHERE [[o.store_id]] AND (o.goods_amount <> s.goods OR o.shipping_amount <> s.shipping OR o.total_amount <> s.total
                 OR o.total_amount <> o.goods_amount + o.shipping_amount + o.other_amount)""",
    ),
    Check(
        "allocated",
        "2",
        "order_line",
        N_("Order lines whose allocated units are not those that were routed"),
        """SELECT l.id, format('line %s of order %s: %s allocated, %s routed', l.line_no, o.number, l.allocated, coalesce(f.live, 0))
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT order_line_id, sum(quantity - superseded - cancelled) AS live FROM fulfilment_fulfilmentline
                      WHERE kind = 'sale' GROUP BY 1) f ON f.order_line_id = l.id
           WHERE [[o.store_id]] AND l.allocated <> coalesce(f.live, 0)""",
    ),
    Check(
        "open_holds",
        "1",
        "order",
        N_("Orders whose count of holds is not that of their open holds"),
        """SELECT o.id, format('order %s: counts %s, has %s', o.number, o.open_holds, coalesce(h.n, 0))
           FROM orders_order o
           LEFT JOIN (SELECT order_id, count(*) AS n FROM orders_hold WHERE released_at IS NULL GROUP BY 1) h ON h.order_id = o.id
           WHERE [[o.store_id]] AND o.open_holds <> coalesce(h.n, 0)""",
    ),
    Check(
        "status",
        "1",
        "order",
        N_("Orders whose status does not follow from their counters"),
        """SELECT o.id, format('order %s: %s', o.number, o.status) FROM orders_order o
           WHERE [[o.store_id]] AND o.status IS DISTINCT FROM CASE
               WHEN o.is_history OR o.units = 0 THEN 'closed'
               WHEN o.cancelled >= o.units THEN 'cancelled'
               WHEN o.delivered >= o.units - o.cancelled THEN 'delivered'
               WHEN o.open_holds > 0 THEN 'on_hold'
               WHEN o.delivered > 0 THEN 'part_delivered'
               WHEN o.shipped >= o.units - o.cancelled THEN 'shipped'
               WHEN o.shipped > 0 THEN 'part_shipped'
               WHEN o.purchased >= o.units - o.cancelled THEN 'purchased'
               WHEN o.purchased > 0 THEN 'part_purchased'
               WHEN o.allocated > 0 THEN 'confirmed'
               ELSE 'new' END""",
    ),
]
