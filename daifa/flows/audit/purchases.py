"""Purchases: as many as were routed, once each, with proof, to the right address."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.flows.audit.check import Check

CHECKS: list[Check] = [
    Check(
        "purchase_line_counters",
        "3",
        "purchase_line",
        N_(
            "Purchase lines whose counters cannot be: ordered = accepted + rejected + cancelled + backordered + unanswered, and shipped no more than accepted"
        ),
        """SELECT l.id, format('line %s of %s: %s ordered, %s accepted, %s rejected, %s cancelled, %s backordered, %s shipped',
                               l.line_no, p.reference, l.quantity, l.accepted, l.rejected, l.cancelled, l.backordered, l.shipped)
           FROM purchasing_purchaseline l JOIN purchasing_purchaseorder p ON p.id = l.purchase_order_id
           WHERE [[p.store_id]] AND (least(l.accepted, l.rejected, l.cancelled, l.backordered, l.shipped) < 0
                 OR l.quantity < l.accepted + l.rejected + l.cancelled + l.backordered OR l.shipped > l.accepted)""",
    ),
    Check(
        "purchase_counters",
        "3",
        "purchase_order",
        N_("Purchase orders whose counters or amount are not the sums of their lines"),
        """SELECT p.id, format('%s: %s units, lines %s; accepted %s, lines %s; shipped %s, lines %s; goods %s, lines %s', p.reference,
                               p.units, s.units, p.accepted, s.accepted, p.shipped, s.shipped, p.goods_amount, s.goods)
           FROM purchasing_purchaseorder p
           LEFT JOIN (SELECT purchase_order_id AS id, sum(quantity) AS units, sum(accepted) AS accepted, sum(rejected) AS rejected,
                             sum(cancelled) AS cancelled, sum(backordered) AS backordered, sum(shipped) AS shipped,
                             sum((quantity - cancelled) * unit_cost) AS goods
                      FROM purchasing_purchaseline GROUP BY 1) s ON s.id = p.id
           WHERE [[p.store_id]] AND (p.units, p.accepted, p.rejected, p.cancelled, p.backordered, p.shipped, p.goods_amount)
                 IS DISTINCT FROM (s.units, s.accepted, s.rejected, s.cancelled, s.backordered, s.shipped, s.goods)""",
    ),
    Check(
        "purchased",
        "3",
        "order_line",
        N_("Order lines whose purchased or accepted units are not those of their purchases"),
        """SELECT l.id, format('line %s of order %s: %s purchased, purchases %s; %s accepted, purchases %s', l.line_no, o.number,
                               l.purchased, coalesce(s.purchased, 0), l.accepted, coalesce(s.accepted, 0))
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT pl.order_line_id, sum(pl.accepted * pl.factor) AS accepted,
                             sum((pl.quantity - pl.rejected - pl.cancelled) * pl.factor)
                                 FILTER (WHERE p.state IN ('placed', 'closed', 'refused')) AS purchased
                      FROM purchasing_purchaseline pl JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id
                      JOIN fulfilment_fulfilmentline f ON f.id = pl.fulfilment_line_id AND f.kind = 'sale'
                      GROUP BY 1) s ON s.order_line_id = l.id
           WHERE [[o.store_id]] AND (l.purchased <> coalesce(s.purchased, 0) OR l.accepted <> coalesce(s.accepted, 0))""",
    ),
    Check(
        "purchased_twice",
        "6",
        "order_line",
        N_("Order lines of which more is being bought than was ordered"),
        """SELECT l.id, format('line %s of order %s: %s ordered, %s being bought', l.line_no, o.number, l.quantity, s.live)
           FROM (SELECT pl.order_line_id, sum((pl.quantity - pl.rejected - pl.cancelled) * pl.factor) AS live
                 FROM purchasing_purchaseline pl JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id
                 JOIN fulfilment_fulfilmentline f ON f.id = pl.fulfilment_line_id AND f.kind = 'sale'
                 WHERE p.state NOT IN ('refused', 'failed', 'cancelled') GROUP BY 1) s
           JOIN orders_orderline l ON l.id = s.order_line_id JOIN orders_order o ON o.id = l.order_id
           WHERE [[o.store_id]] AND s.live > l.quantity""",
    ),
    Check(
        "fulfilled_twice",
        "6",
        "fulfilment_line",
        N_(
            "Fulfilment lines with more than one live purchase line, or with a purchase for other units than theirs"
        ),
        """SELECT f.id, format('fulfilment line %s: %s units, purchases %s over %s lines', f.id, f.quantity, s.units, s.lines)
           FROM (SELECT pl.fulfilment_line_id AS id, count(*) AS lines, sum(pl.quantity * pl.factor) AS units
                 FROM purchasing_purchaseline pl JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id
                 WHERE p.state NOT IN ('refused', 'failed', 'cancelled') GROUP BY 1) s
           JOIN fulfilment_fulfilmentline f ON f.id = s.id JOIN fulfilment_fulfilmentorder fo ON fo.id = f.fulfilment_order_id
           WHERE [[fo.store_id]] AND (s.lines > 1 OR s.units > f.quantity)""",
    ),
    Check(
        "attempts",
        "6",
        "purchase_order",
        N_("Purchase orders accepted in more than one attempt, or with more than one attempt open"),
        """SELECT p.id, format('%s: %s accepted, %s open', p.reference, s.accepted, s.open)
           FROM (SELECT purchase_order_id AS id, count(*) FILTER (WHERE state = 'accepted') AS accepted,
                        count(*) FILTER (WHERE state IN ('prepared', 'unknown')) AS open
                 FROM purchasing_placementattempt WHERE purchase_order_id IS NOT NULL GROUP BY 1) s
           JOIN purchasing_purchaseorder p ON p.id = s.id
           WHERE [[p.store_id]] AND (s.accepted > 1 OR s.open > 1 OR (s.open > 0 AND s.accepted > 0))""",
    ),
    Check(
        "placed_without_proof",
        "6",
        "purchase_order",
        N_(
            "Purchase orders that are placed although no attempt was accepted, no run was sent and no supplier answered"
        ),
        """SELECT p.id, format('%s: %s', p.reference, p.state) FROM purchasing_purchaseorder p
           LEFT JOIN purchasing_purchaserun r ON r.id = p.run_id
           WHERE [[p.store_id]] AND p.state IN ('placed', 'closed') AND r.state IS DISTINCT FROM 'placed'
             AND NOT EXISTS (SELECT FROM purchasing_placementattempt a WHERE a.purchase_order_id = p.id AND a.state = 'accepted')
             AND NOT EXISTS (SELECT FROM purchasing_purchaseanswer a WHERE a.purchase_order_id = p.id)""",
    ),
    Check(
        "accepted_not_placed",
        "6",
        "purchase_order",
        N_("Purchase orders that would be sent again although the supplier has accepted them"),
        """SELECT p.id, format('%s: %s', p.reference, p.state) FROM purchasing_purchaseorder p
           WHERE [[p.store_id]] AND p.state IN ('draft', 'ready')
             AND (EXISTS (SELECT FROM purchasing_placementattempt a WHERE a.purchase_order_id = p.id
                          AND a.state IN ('accepted', 'prepared', 'unknown'))
                  OR p.placed_at IS NOT NULL OR p.accepted > 0 OR p.shipped > 0)""",
    ),
    Check(
        "lost_on_the_way",
        "6",
        "purchase_order",
        N_(
            "Purchase orders being placed that belong to no run and no attempt, so that nobody would ever look at them"
        ),
        """SELECT p.id, format('%s: %s since %s', p.reference, p.state, p.at::date) FROM purchasing_purchaseorder p
           WHERE [[p.store_id]] AND p.state IN ('submitting', 'unknown') AND p.run_id IS NULL
             AND NOT EXISTS (SELECT FROM purchasing_placementattempt a WHERE a.purchase_order_id = p.id
                             AND a.state IN ('prepared', 'unknown'))""",
    ),
    Check(
        "mapping",
        "7",
        "purchase_line",
        N_(
            "Purchase lines that do not name the offer, mapping version and SKU their fulfilment line was frozen with"
        ),
        """SELECT l.id, format('line %s of %s: %s, frozen %s', l.line_no, p.reference, l.supplier_sku, f.supplier_sku)
           FROM purchasing_purchaseline l JOIN purchasing_purchaseorder p ON p.id = l.purchase_order_id
           JOIN fulfilment_fulfilmentline f ON f.id = l.fulfilment_line_id
           JOIN sourcing_skumapping m ON m.id = l.mapping_id
           WHERE [[p.store_id]] AND ((l.offer_id, l.mapping_id, l.mapping_version, l.supplier_sku, l.factor, l.order_line_id)
                 IS DISTINCT FROM (f.offer_id, f.mapping_id, f.mapping_version, f.supplier_sku, f.factor, f.order_line_id)
                 OR m.offer_id <> l.offer_id OR m.version <> l.mapping_version OR m.supplier_sku <> l.supplier_sku)""",
    ),
    Check(
        "ship_to",
        "8",
        "purchase_order",
        N_("Purchase orders whose ship-to is not a stored address of their order"),
        """SELECT p.id, format('%s ships to address %s, which belongs to order %s', p.reference, p.address_id, a.order_id)
           FROM purchasing_purchaseorder p LEFT JOIN orders_addressversion a ON a.id = p.address_id
           WHERE [[p.store_id]] AND (a.order_id IS DISTINCT FROM p.order_id OR length(a.digest) <> 32)""",
    ),
    Check(
        "purchase_of_order",
        "8",
        "purchase_order",
        N_("Purchase orders that do not belong to the order, supplier and store they were routed for"),
        """SELECT p.id, p.reference FROM purchasing_purchaseorder p
           JOIN fulfilment_fulfilmentorder f ON f.id = p.fulfilment_order_id JOIN orders_order o ON o.id = p.order_id
           WHERE [[p.store_id]] AND ((p.order_id, p.supplier_id, p.store_id) <> (f.order_id, f.supplier_id, f.store_id)
                                     OR o.store_id <> p.store_id)
           UNION ALL
           SELECT p.id, format('%s line %s', p.reference, pl.line_no) FROM purchasing_purchaseline pl
           JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id JOIN orders_orderline l ON l.id = pl.order_line_id
           JOIN sourcing_supplieroffer s ON s.id = pl.offer_id
           WHERE [[p.store_id]] AND (l.order_id <> p.order_id OR s.supplier_id <> p.supplier_id)""",
    ),
    Check(
        "references",
        "6",
        "purchase_order",
        N_("Purchase references that stand on more than one purchase order"),
        """SELECT min(p.id), format('%s stands on %s purchase orders', p.reference, count(*)) FROM purchasing_purchaseorder p
           WHERE [[p.store_id]] GROUP BY p.reference HAVING count(*) > 1""",
    ),
]
