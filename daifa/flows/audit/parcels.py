"""Parcels and their numbers."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.flows.audit.check import Check
from daifa.flows.audit.owed import owed

CHECKS: list[Check] = [
    Check(
        "shipped",
        "5",
        "order_line",
        N_("Order lines whose shipped units are not those in their parcels"),
        """SELECT l.id, format('line %s of order %s: %s shipped, parcels hold %s', l.line_no, o.number, l.shipped, coalesce(s.units, 0))
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT pl.order_line_id, sum(pl.order_quantity) AS units
                      FROM shipping_parcelline pl JOIN shipping_parcel p ON p.id = pl.parcel_id AND p.state <> 'cancelled'
                      JOIN purchasing_purchaseline b ON b.id = pl.purchase_line_id
                      JOIN fulfilment_fulfilmentline f ON f.id = b.fulfilment_line_id AND f.kind = 'sale'
                      GROUP BY 1) s ON s.order_line_id = l.id
           WHERE [[o.store_id]] AND l.shipped <> coalesce(s.units, 0)""",
    ),
    Check(
        "purchase_shipped",
        "5",
        "purchase_line",
        N_("Purchase lines whose shipped units are not those in their parcels"),
        """SELECT l.id, format('line %s of %s: %s shipped, parcels hold %s', l.line_no, p.reference, l.shipped, coalesce(s.units, 0))
           FROM purchasing_purchaseline l JOIN purchasing_purchaseorder p ON p.id = l.purchase_order_id
           LEFT JOIN (SELECT pl.purchase_line_id AS id, sum(pl.quantity) AS units
                      FROM shipping_parcelline pl JOIN shipping_parcel x ON x.id = pl.parcel_id AND x.state <> 'cancelled'
                      GROUP BY 1) s ON s.id = l.id
           WHERE [[p.store_id]] AND l.shipped <> coalesce(s.units, 0)""",
    ),
    Check(
        "delivered",
        "4",
        "order_line",
        N_(
            "Order lines whose delivered units are not those of delivered parcels, or that were returned or refunded beyond what there was"
        ),
        """SELECT l.id, format('line %s of order %s: %s delivered, parcels %s; %s returned, %s refunded of %s', l.line_no, o.number,
                               l.delivered, coalesce(s.delivered, 0), l.returned, l.refunded, l.quantity)
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT pl.order_line_id, sum(pl.order_quantity) FILTER (WHERE p.delivered_at IS NOT NULL) AS delivered,
                             sum(pl.order_quantity) FILTER (WHERE p.state = 'returned_to_sender' AND p.delivered_at IS NULL) AS back
                      FROM shipping_parcelline pl JOIN shipping_parcel p ON p.id = pl.parcel_id AND p.state <> 'cancelled'
                      JOIN purchasing_purchaseline b ON b.id = pl.purchase_line_id
                      JOIN fulfilment_fulfilmentline f ON f.id = b.fulfilment_line_id AND f.kind = 'sale'
                      GROUP BY 1) s ON s.order_line_id = l.id
           WHERE [[o.store_id]] AND (l.delivered <> coalesce(s.delivered, 0) OR l.delivered > l.shipped
                 OR l.returned > l.delivered + coalesce(s.back, 0) OR l.refunded > l.quantity
                 OR least(l.delivered, l.returned, l.refunded) < 0)""",
    ),
    Check(
        "parcel_lines",
        "5",
        "parcel",
        N_(
            "Parcels that hold goods of another order, store or supplier, or whose units are not those of their lines"
        ),
        """SELECT p.id, format('parcel %s: %s units, lines %s', p.number, p.units, coalesce(s.units, 0)) FROM shipping_parcel p
           JOIN orders_order o ON o.id = p.order_id
           LEFT JOIN (SELECT pl.parcel_id, sum(pl.quantity) AS units,
                             bool_or(l.order_id <> x.order_id OR b.order_line_id <> pl.order_line_id
                                     OR po.supplier_id <> x.supplier_id OR po.order_id <> x.order_id
                                     OR pl.order_quantity <> pl.quantity * b.factor) AS wrong
                      FROM shipping_parcelline pl JOIN shipping_parcel x ON x.id = pl.parcel_id
                      JOIN orders_orderline l ON l.id = pl.order_line_id
                      JOIN purchasing_purchaseline b ON b.id = pl.purchase_line_id
                      JOIN purchasing_purchaseorder po ON po.id = b.purchase_order_id
                      GROUP BY 1) s ON s.parcel_id = p.id
           WHERE [[p.store_id]] AND (p.units <> coalesce(s.units, 0) OR s.wrong OR o.store_id <> p.store_id)""",
    ),
    Check(
        "parcel_times",
        "4",
        "parcel",
        N_("Parcels whose state and times contradict each other"),
        """SELECT p.id, format('parcel %s: %s, handed over %s, delivered %s', p.number, p.state, p.handed_over_at, p.delivered_at)
           FROM shipping_parcel p
           WHERE [[p.store_id]] AND ((p.state = 'delivered' AND p.delivered_at IS NULL)
                 OR (p.state NOT IN ('delivered', 'returned_to_sender') AND p.delivered_at IS NOT NULL)
                 OR (p.state NOT IN ('announced', 'cancelled', 'lost', 'returned_to_sender', 'delivered') AND p.handed_over_at IS NULL))""",
    ),
    Check(
        "active_number",
        "14",
        "parcel",
        N_("Parcels whose number is not their newest active waybill number, or that have none or several"),
        """SELECT p.id, format('parcel %s: %s active numbers, newest %s', p.number, coalesce(n.active, 0), n.newest)
           FROM shipping_parcel p
           LEFT JOIN (SELECT parcel_id, count(*) FILTER (WHERE is_active) AS active,
                             (array_agg(number ORDER BY version DESC))[1] AS newest,
                             bool_or(is_active AND version < top) AS old_active
                      FROM (SELECT *, max(version) OVER (PARTITION BY parcel_id) AS top FROM shipping_waybillnumber) w
                      GROUP BY 1) n ON n.parcel_id = p.id
           WHERE [[p.store_id]] AND p.state <> 'cancelled'
             AND (coalesce(n.active, 0) <> 1 OR n.old_active OR n.newest IS DISTINCT FROM p.number)""",
    ),
    Check(
        "number_shown",
        "14",
        "parcel",
        N_("Parcels whose buyer holds a number that was replaced, and no correction is queued"),
        f"""SELECT p.id, format('parcel %s, version %s', p.number, w.version) FROM shipping_parcel p
            JOIN (SELECT parcel_id, max(version) AS version FROM shipping_waybillnumber WHERE is_active GROUP BY 1
                  HAVING max(version) > 1) w ON w.parcel_id = p.id
            WHERE [[p.store_id]] AND p.state <> 'cancelled'
              AND EXISTS (SELECT FROM buyer_messages_message m WHERE m.order_id = p.order_id AND m.thing = p.id
                          AND m.kind IN ('dispatched', 'number_changed', 'in_transit', 'delayed') AND m.state IN ('sent', 'sending'))
              AND NOT EXISTS (SELECT FROM buyer_messages_message m WHERE m.order_id = p.order_id AND m.thing = p.id
                              AND ((m.kind = 'number_changed' AND m.version = w.version)
                                   OR (m.kind IN ('dispatched', 'number_changed') AND m.state IN ('sent', 'sending')
                                       AND position(p.number IN m.body) > 0)))
              AND p.id NOT IN ({owed("tell_number_changed")})""",
    ),
    Check(
        "channel_told",
        "14",
        "parcel",
        N_("Parcels handed over of whose newest number the channel was not told, nor is it queued"),
        f"""SELECT p.id, format('parcel %s', p.number) FROM shipping_parcel p
            LEFT JOIN (SELECT parcel_id, max(version) AS version FROM shipping_waybillnumber WHERE is_active GROUP BY 1) w
              ON w.parcel_id = p.id
            WHERE [[p.store_id]] AND p.state <> 'cancelled' AND p.handed_over_at IS NOT NULL
              AND NOT EXISTS (SELECT FROM shipping_dispatchnotice n WHERE n.parcel_id = p.id AND n.version = coalesce(w.version, 1))
              AND p.id NOT IN ({owed("queue_notices")})""",
    ),
]
