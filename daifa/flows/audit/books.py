"""The books: every fact posted once, with its own amount, and nothing left over."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.domain.orders.queries import PAID
from daifa.flows.audit.check import Check
from daifa.flows.audit.owed import OWED_ORDERS, OWED_PARCELS, owed
from daifa.lib.money import decimals_in_sql

# Amounts are posted in minor units: what is smaller than one posts nothing.
MINOR = f"""(SELECT c.code, {decimals_in_sql("c.code")} AS digits
             FROM (SELECT currency FROM stores_store UNION SELECT currency FROM sourcing_supplier
                   UNION SELECT currency FROM books_expense UNION SELECT currency FROM books_supplierpayment) AS c (code))"""

_UNSETTLED = """SELECT l.id, l.cancelled - coalesce(sum(x.cancelled) FILTER (WHERE r.id IS NOT NULL), 0) AS units
                FROM orders_orderline l LEFT JOIN aftersales_refundline x ON x.order_line_id = l.id
                LEFT JOIN aftersales_refund r ON r.id = x.refund_id AND r.state = 'confirmed'
                WHERE l.order_id = o.id AND l.kind = 'goods' AND l.cancelled > 0 GROUP BY l.id"""
# Did refunds that name no units pay back the goods of all cancelled ones (docs/rules/posting.md)? Asked of whole coins only.
_PAID_BACK_UNNAMED = f"""coalesce((
    SELECT bool_and(g.amount = round(g.amount, m.digits)) AND coalesce(max(b.amount), 0) > 0
           AND coalesce(max(b.amount), 0) >= sum(g.amount * coalesce(n.units, 0) / g.quantity)
               * greatest(least(1, o.total_amount / nullif(sum(g.amount), 0)), 0)
    FROM orders_orderline g JOIN {MINOR} AS m ON m.code = o.currency LEFT JOIN ({_UNSETTLED}) n ON n.id = g.id
    CROSS JOIN (SELECT sum(r.amount - coalesce((SELECT sum(x.amount) FROM aftersales_refundline x JOIN orders_orderline k ON k.id = x.order_line_id
                                                WHERE x.refund_id = r.id AND k.kind <> 'goods'), 0)) AS amount
                FROM aftersales_refund r WHERE r.order_id = o.id AND r.state = 'confirmed'
                  AND NOT EXISTS (SELECT FROM aftersales_refundline x JOIN orders_orderline k ON k.id = x.order_line_id
                                  WHERE x.refund_id = r.id AND k.kind = 'goods' AND x.quantity > 0)) b
    WHERE g.order_id = o.id AND g.kind = 'goods'), false)"""

CHECKS: list[Check] = [
    Check(
        "entry_balance",
        "9",
        "entry",
        N_("Entries that do not balance in each currency, or whose legs are not numbered from 1"),
        """SELECT e.id, format('%s %s: off by %s %s', e.fact, e.fact_id, s.off, s.currency) FROM
           (SELECT entry_id, currency, sum(amount) AS off FROM books_posting GROUP BY 1, 2 HAVING sum(amount) <> 0
            UNION ALL
            SELECT entry_id, '', count(*) FROM books_posting GROUP BY 1 HAVING min(line_no) <> 1 OR max(line_no) <> count(*)) s
           JOIN books_entry e ON e.id = s.entry_id WHERE [[e.store_id]]""",
    ),
    Check(
        "trial_balance",
        "9",
        "account",
        N_("Currencies in which the sum over all accounts is not zero"),
        """SELECT min(p.account_id), format('%s: %s', p.currency, sum(p.amount)) FROM books_posting p
           JOIN books_entry e ON e.id = p.entry_id WHERE [[e.store_id]] GROUP BY p.currency HAVING sum(p.amount) <> 0""",
    ),
    Check(
        "posted_once",
        "9",
        "entry",
        N_("Facts that were posted more than once"),
        """SELECT min(e.id), format('%s %s: %s entries', e.fact, e.fact_id, count(*)) FROM books_entry e
           WHERE [[e.store_id]] GROUP BY e.fact, e.fact_id HAVING count(*) > 1""",
    ),
    Check(
        "orders_posted",
        "9",
        "order",
        N_("Orders received and paid that stand in no books, and no posting is owed"),
        f"""SELECT o.id, format('order %s: %s %s', o.number, o.total_amount, o.currency) FROM orders_order o
            JOIN {MINOR} m ON m.code = o.currency
            WHERE [[o.store_id]] AND NOT o.is_history AND round(o.total_amount, m.digits) <> 0 AND {PAID}
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'order_paid' AND e.fact_id = o.id)
              AND o.id NOT IN ({owed("post_orders")})""",
    ),
    Check(
        "orders_posted_right",
        "9",
        "order",
        N_("Orders that stand in the books with another total than their own"),
        f"""SELECT o.id, format('order %s: total %s, posted %s', o.number, o.total_amount, -s.amount) FROM
            (SELECT e.fact_id AS id, sum(p.amount) AS amount FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
             JOIN books_account a ON a.id = p.account_id
             WHERE e.fact = 'order_paid' AND a.code NOT IN ('1100', '6100') GROUP BY 1) s
            JOIN orders_order o ON o.id = s.id JOIN {MINOR} m ON m.code = o.currency
            WHERE [[o.store_id]] AND round(o.total_amount, m.digits) <> -s.amount""",
    ),
    Check(
        "answers_posted",
        "9",
        "purchase_answer",
        N_("Acceptances of suppliers that stand in no books, and no posting is owed"),
        f"""SELECT a.id, format('%s: %s %s', p.reference, a.goods_amount + a.freight_amount, p.currency)
            FROM purchasing_purchaseanswer a JOIN purchasing_purchaseorder p ON p.id = a.purchase_order_id
            JOIN {MINOR} m ON m.code = p.currency
            WHERE [[p.store_id]] AND greatest(a.goods_amount, a.freight_amount) >= power(10, -m.digits)::numeric
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'purchase_accepted' AND e.fact_id = a.id)
              AND a.id NOT IN ({owed("post_purchases")})""",
    ),
    Check(
        "parcels_posted",
        "9",
        "parcel",
        N_("Parcels that left and stand in no books, and no posting is owed"),
        f"""SELECT p.id, format('parcel %s: %s', p.number, p.state) FROM shipping_parcel p
            JOIN stores_store s ON s.id = p.store_id
            JOIN (SELECT parcel_id, max(id) AS line FROM shipping_parcelline GROUP BY 1) l ON l.parcel_id = p.id
            WHERE [[p.store_id]] AND (p.delivered_at IS NOT NULL OR (s.revenue_at = 'handed_over' AND p.handed_over_at IS NOT NULL))
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'parcel_handed_over' AND e.fact_id = l.line)
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'parcel_delivered' AND e.fact_id = l.line)
              AND p.id NOT IN ({OWED_PARCELS})""",
    ),
    Check(
        "refunds_posted",
        "9",
        "refund",
        N_("Confirmed refunds that stand in no books, and no posting is owed"),
        f"""SELECT r.id, format('refund %s: %s %s', r.external_ref, r.amount, r.currency) FROM aftersales_refund r
            LEFT JOIN {MINOR} m ON m.code = r.currency
            WHERE [[r.store_id]] AND r.state = 'confirmed' AND round(r.amount, coalesce(m.digits, 2)) <> 0
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'refund_confirmed' AND e.fact_id = r.id)
              AND r.id NOT IN ({owed("post_refunds")})""",
    ),
    Check(
        "money_out_posted",
        "9",
        "expense",
        N_("Expenses or payments to suppliers that stand in no books"),
        """SELECT x.id, format('expense %s: %s %s', x.key, x.amount, x.currency) FROM books_expense x
           WHERE [[x.store_id]] AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'expense' AND e.fact_id = x.id)
           UNION ALL
           SELECT x.id, format('payment %s: %s %s', x.key, x.amount, x.currency) FROM books_supplierpayment x
           WHERE [[x.store_id]] AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'supplier_paid' AND e.fact_id = x.id)""",
    ),
    Check(
        "deposits_posted",
        "9",
        "deposit_move",
        N_("Moves of deposits that stand in no books, and no posting is owed"),
        f"""SELECT m.id, format('%s of %s %s (%s)', m.kind, m.amount, m.currency, m.reference) FROM cases_depositmove m
            WHERE [[m.store_id]] AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'deposit_moved' AND e.fact_id = m.id)
              AND m.id NOT IN ({owed("post_deposits")})""",
    ),
    Check(
        "deposit_ledger",
        "9",
        "store",
        N_("Stores whose deposit in the books is not what their moves of the deposit come to"),
        f"""SELECT s.id, format('%s: moves %s, books %s', s.code, coalesce(m.amount, 0), coalesce(b.amount, 0)) FROM stores_store s
            LEFT JOIN (SELECT store_id, sum(CASE WHEN kind IN ('paid_in', 'topped_up', 'given_back') THEN amount
                                                 WHEN kind IN ('deducted', 'withdrawn', 'returned') THEN -amount ELSE 0 END) AS amount
                       FROM cases_depositmove WHERE id NOT IN ({owed("post_deposits")}) GROUP BY 1) m ON m.store_id = s.id
            LEFT JOIN (SELECT e.store_id, sum(p.amount) AS amount FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
                       JOIN books_account a ON a.id = p.account_id WHERE a.code = '1200' GROUP BY 1) b ON b.store_id = s.id
            WHERE [[s.id]] AND coalesce(m.amount, 0) <> coalesce(b.amount, 0)""",
    ),
    Check(
        "posted_for_nothing",
        "9",
        "entry",
        N_("Entries whose fact does not exist"),
        """SELECT e.id, format('%s %s', e.fact, e.fact_id) FROM books_entry e
           WHERE [[e.store_id]] AND CASE e.fact
               WHEN 'order_paid' THEN NOT EXISTS (SELECT FROM orders_order x WHERE x.id = e.fact_id)
               WHEN 'purchase_accepted' THEN NOT EXISTS (SELECT FROM purchasing_purchaseanswer x WHERE x.id = e.fact_id)
               WHEN 'parcel_handed_over' THEN NOT EXISTS (SELECT FROM shipping_parcelline x WHERE x.id = e.fact_id)
               WHEN 'parcel_delivered' THEN NOT EXISTS (SELECT FROM shipping_parcelline x WHERE x.id = e.fact_id)
               WHEN 'parcel_lost' THEN NOT EXISTS (SELECT FROM shipping_parcelline x WHERE x.id = e.fact_id)
               WHEN 'refund_confirmed' THEN NOT EXISTS (SELECT FROM aftersales_refund x WHERE x.id = e.fact_id AND x.state = 'confirmed')
               WHEN 'order_over' THEN NOT EXISTS (SELECT FROM orders_order x WHERE x.id = e.fact_id)
               WHEN 'expense' THEN NOT EXISTS (SELECT FROM books_expense x WHERE x.id = e.fact_id)
               WHEN 'supplier_paid' THEN NOT EXISTS (SELECT FROM books_supplierpayment x WHERE x.id = e.fact_id)
               WHEN 'commission_earned' THEN NOT EXISTS (SELECT FROM compliance_affiliateearning x WHERE x.id = e.fact_id)
                   AND NOT EXISTS (SELECT FROM books_entry r WHERE r.reversal_of_id = e.id)
               WHEN 'deposit_moved' THEN NOT EXISTS (SELECT FROM cases_depositmove x WHERE x.id = e.fact_id)
               WHEN 'proceeds_settled' THEN NOT EXISTS (SELECT FROM closing_stepevidence x WHERE x.step_id = e.fact_id AND x.what = 'done')
               WHEN 'proceeds_again' THEN NOT EXISTS (SELECT FROM closing_stepevidence x WHERE x.id = e.fact_id AND x.what = 'undone')
               WHEN 'late_settled' THEN NOT EXISTS (SELECT FROM books_entry x WHERE x.id = e.fact_id AND x.store_id = e.store_id)
               WHEN 'reversal' THEN NOT EXISTS (SELECT FROM books_entry x WHERE x.id = e.fact_id AND x.id = e.reversal_of_id)
               ELSE false END""",
    ),
    Check(
        "entry_of_order",
        "9",
        "entry",
        N_("Entries in the books of another store than their order's"),
        """SELECT e.id, format('%s %s', e.fact, e.fact_id) FROM books_entry e JOIN orders_order o ON o.id = e.order_id
           WHERE [[e.store_id]] AND o.store_id <> e.store_id""",
    ),
    Check(
        "deferred_income",
        "9",
        "order",
        N_(
            "Orders wholly handed over, or paid back for what was cancelled, on which income is still deferred"
        ),
        f"""SELECT o.id, format('order %s: %s %s', o.number, s.amount, s.currency) FROM
            (SELECT e.order_id, p.currency, -sum(p.amount) AS amount FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
             JOIN books_account a ON a.id = p.account_id WHERE a.code = '2100' AND e.order_id IS NOT NULL
             GROUP BY 1, 2 HAVING sum(p.amount) <> 0) s
            JOIN orders_order o ON o.id = s.order_id
            WHERE [[o.store_id]] AND o.shipped + o.cancelled = o.units AND NOT o.is_history
              AND NOT EXISTS (SELECT FROM ({_UNSETTLED}) l WHERE l.units > 0 AND NOT {_PAID_BACK_UNNAMED})
              AND NOT EXISTS (SELECT FROM shipping_parcel p JOIN stores_store t ON t.id = p.store_id
                              WHERE p.order_id = o.id AND p.state <> 'cancelled' AND p.delivered_at IS NULL
                                AND (t.revenue_at = 'delivered' OR p.handed_over_at IS NULL))
              AND NOT EXISTS (SELECT FROM books_entry r WHERE r.order_id = o.id AND r.fact = 'reversal')
              AND o.id NOT IN ({OWED_ORDERS})""",
    ),
    Check(
        "goods_cost",
        "10",
        "order",
        N_("Orders of which everything accepted has left, and whose cost of goods is not what was bought"),
        f"""SELECT o.id, format('order %s: %s %s left over', o.number, s.amount, s.currency) FROM
            (SELECT e.order_id, p.currency, sum(p.amount) AS amount FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
             JOIN books_account a ON a.id = p.account_id WHERE a.code = '1300' AND e.order_id IS NOT NULL
             GROUP BY 1, 2 HAVING sum(p.amount) <> 0) s
            JOIN orders_order o ON o.id = s.order_id
            WHERE [[o.store_id]]
              AND NOT EXISTS (SELECT FROM purchasing_purchaseorder p WHERE p.order_id = o.id AND p.accepted <> p.shipped)
              AND NOT EXISTS (SELECT FROM shipping_parcel p JOIN stores_store t ON t.id = p.store_id
                              WHERE p.order_id = o.id AND p.delivered_at IS NULL
                                AND (t.revenue_at = 'delivered' OR p.handed_over_at IS NULL OR p.state = 'cancelled'))
              AND NOT EXISTS (SELECT FROM books_entry r WHERE r.order_id = o.id AND r.fact = 'reversal')
              AND o.id NOT IN ({OWED_ORDERS})""",
    ),
]
