"""The auditor finds nothing in a shop that worked by itself, and finds each breach that is planted behind its back."""

from datetime import timedelta
from decimal import Decimal
from glob import iglob
from importlib import import_module
from pathlib import Path

import pytest
from django.db import connection
from django.test import TestCase

import daifa.domain
from daifa.domain.aftersales.commands import open_case, refund_case
from daifa.domain.books.commands import NewExpense, NewPayment, add_expenses, pay_suppliers
from daifa.domain.closing.commands import set_standing
from daifa.domain.history.commands import record_facts
from daifa.flows import close_store, platform_side
from daifa.flows.audit import CHECKS, GUARDS, Breach, audit, codes
from daifa.flows.work import work_until_idle
from daifa.lib.process import Process
from tests import cast

UNGUARDED = {
    "orders_orderline": "line_counters",
    "orders_order": "order_counters",
    "fulfilment_fulfilmentline": "fulfilment_line_counters",
    "purchasing_purchaseline": "purchase_line_counters",
}

# code → what somebody does to the tables; {names} are ids of one finished order, see Ids.
PLANTED: dict[str, str] = {
    "erased_again": """INSERT INTO privacy_erasure (uuid, kind, token, orders, customers, people, counts, stays, by, at)
                       VALUES (gen_random_uuid(), 'person', 'erased:1', '{{"contact": [{order}]}}', '{{}}', '{{}}', '{{}}', '[]', 'x', now())""",
    "line_counters": "UPDATE orders_orderline SET accepted = purchased + 1 WHERE id = {line}",
    "order_counters": "UPDATE orders_order SET shipped = shipped - 1 WHERE id = {order}",
    "order_amounts": "UPDATE orders_order SET total_amount = total_amount + 1, other_amount = other_amount + 1 WHERE id = {order}",
    "allocated": "UPDATE fulfilment_fulfilmentline SET cancelled = 1 WHERE id = {fulfilment_line}",
    "open_holds": "UPDATE orders_order SET open_holds = 1 WHERE id = {order}",
    "status": """ALTER TABLE orders_order ALTER COLUMN status DROP EXPRESSION;
                 UPDATE orders_order SET status = 'new' WHERE id = {order}""",
    "purchase_line_counters": "UPDATE purchasing_purchaseline SET backordered = 1 WHERE id = {purchase_line}",
    "purchase_counters": "UPDATE purchasing_purchaseorder SET goods_amount = goods_amount + 1 WHERE id = {purchase}",
    "purchased": "UPDATE orders_orderline SET purchased = purchased - 1 WHERE id = {line}",
    "purchased_twice": """UPDATE purchasing_purchaseline SET order_line_id = {line}
                          WHERE order_line_id IN (SELECT id FROM orders_orderline WHERE order_id <> {order})""",
    "fulfilled_twice": """ALTER TABLE purchasing_purchaseline DROP CONSTRAINT purchasing_purchaseline_fulfilment_line_id_key;
                          UPDATE purchasing_purchaseline SET fulfilment_line_id = {fulfilment_line}""",
    "attempts": """INSERT INTO purchasing_placementattempt (purchase_order_id, key, request_hash, state, at)
                   VALUES ({purchase}, 'again', '', 'accepted', now())""",
    "placed_without_proof": """DELETE FROM purchasing_placementattempt WHERE purchase_order_id = {purchase};
                               DELETE FROM purchasing_purchaseanswer WHERE purchase_order_id = {purchase}""",
    "accepted_not_placed": "UPDATE purchasing_purchaseorder SET state = 'ready' WHERE id = {purchase}",
    "lost_on_the_way": "UPDATE purchasing_purchaseorder SET state = 'submitting' WHERE id = {purchase}",
    "mapping": "UPDATE purchasing_purchaseline SET supplier_sku = 'something else' WHERE id = {purchase_line}",
    "ship_to": """UPDATE purchasing_purchaseorder SET address_id =
                  (SELECT id FROM orders_addressversion WHERE order_id <> {order} LIMIT 1) WHERE id = {purchase}""",
    "purchase_of_order": """UPDATE purchasing_purchaseorder SET supplier_id =
                            (SELECT id FROM sourcing_supplier WHERE kind = 'workbook') WHERE id = {purchase}""",
    "references": """ALTER TABLE purchasing_purchaseorder DROP CONSTRAINT purchasing_purchaseorder_reference_key;
                     UPDATE purchasing_purchaseorder SET reference = 'KVBA-000001-2'""",
    "shipped": "UPDATE shipping_parcelline SET order_quantity = order_quantity + 1 WHERE id = {parcel_line}",
    "purchase_shipped": "UPDATE shipping_parcelline SET quantity = quantity + 1 WHERE id = {parcel_line}",
    "delivered": "UPDATE orders_orderline SET delivered = delivered - 1 WHERE id = {line}",
    "parcel_lines": """UPDATE shipping_parcel SET order_id = (SELECT max(id) FROM orders_order) WHERE id = {parcel}""",
    "parcel_times": "UPDATE shipping_parcel SET delivered_at = NULL WHERE id = {parcel}",
    "active_number": "UPDATE shipping_waybillnumber SET is_active = false WHERE parcel_id = {parcel}",
    "number_shown": """UPDATE shipping_waybillnumber SET is_active = false WHERE parcel_id = {parcel};
                       UPDATE shipping_parcel SET number = 'NEW123' WHERE id = {parcel};
                       INSERT INTO shipping_waybillnumber (parcel_id, version, number, source, at)
                       VALUES ({parcel}, 2, 'NEW123', 'test', now())""",
    "channel_told": "DELETE FROM shipping_dispatchnotice WHERE parcel_id = {parcel}",
    "told_once": """INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                    SELECT batch_id, kind, thing, state_from, state_to, at FROM history_transition
                    WHERE kind = 5 AND thing = {message} AND state_to = 'sent'""",
    "messages_sent": "UPDATE buyer_messages_message SET sent_at = NULL WHERE id = {message}",
    "entry_balance": "UPDATE books_posting SET amount = amount + 0.01 WHERE entry_id = {entry} AND line_no = 1",
    "trial_balance": "UPDATE books_posting SET amount = amount + 0.01 WHERE entry_id = {entry} AND line_no = 1",
    "posted_once": """ALTER TABLE books_entry DROP CONSTRAINT posted_once;
                      INSERT INTO books_entry (store_id, fact, fact_id, at, order_id, by)
                      SELECT store_id, fact, fact_id, at, order_id, by FROM books_entry WHERE id = {entry}""",
    "orders_posted": """DELETE FROM books_posting WHERE entry_id = {entry}; DELETE FROM books_entry WHERE id = {entry}""",
    "orders_posted_right": "UPDATE books_posting SET amount = amount * 2 WHERE entry_id = {entry}",
    "answers_posted": """DELETE FROM books_posting WHERE entry_id IN (SELECT id FROM books_entry WHERE fact = 'purchase_accepted');
                         DELETE FROM books_entry WHERE fact = 'purchase_accepted'""",
    "parcels_posted": """DELETE FROM books_posting WHERE entry_id IN (SELECT id FROM books_entry WHERE fact = 'parcel_handed_over');
                         DELETE FROM books_entry WHERE fact = 'parcel_handed_over'""",
    "refunds_posted": """DELETE FROM books_posting WHERE entry_id IN (SELECT id FROM books_entry WHERE fact = 'refund_confirmed');
                         DELETE FROM books_entry WHERE fact = 'refund_confirmed'""",
    "money_out_posted": """DELETE FROM books_posting WHERE entry_id IN (SELECT id FROM books_entry WHERE fact = 'supplier_paid');
                           DELETE FROM books_entry WHERE fact = 'supplier_paid'""",
    "deposits_posted": """DELETE FROM books_posting WHERE entry_id IN (SELECT id FROM books_entry WHERE fact = 'deposit_moved');
                          DELETE FROM books_entry WHERE fact = 'deposit_moved'""",
    "deposit_ledger": "UPDATE cases_depositmove SET amount = amount + 1",
    "posted_for_nothing": "UPDATE books_entry SET fact_id = 987654321 WHERE id = {entry}",
    "entry_of_order": """INSERT INTO stores_store SELECT (jsonb_populate_record(s, '{{"id": 900, "code": "other"}}')).* FROM stores_store s;
                         UPDATE books_entry SET store_id = 900 WHERE id = {entry}""",
    "deferred_income": """UPDATE books_posting SET amount = amount / 2 WHERE entry_id IN
                          (SELECT id FROM books_entry WHERE order_id = {order} AND fact = 'parcel_handed_over')""",
    "goods_cost": """UPDATE books_posting SET amount = amount / 2 WHERE entry_id IN
                     (SELECT id FROM books_entry WHERE order_id = {order} AND fact = 'purchase_accepted')""",
    "refund_claim": "UPDATE aftersales_refund SET no_claim_reason = ''",
    "refunded": "UPDATE orders_order SET refunded_amount = 0",
    "refund_of_order": "UPDATE aftersales_refund SET order_id = (SELECT max(id) FROM orders_order)",
    "import_rows": "UPDATE imports_importfile SET rows_used = rows_used + 1 WHERE kind = 'orders'",
    "guards": "ALTER TABLE orders_order DROP CONSTRAINT one_order_per_number",
    "dangling": "UPDATE shipping_parcel SET supplier_id = 987654321 WHERE id = {parcel}",
    "history_fulfilment_order": "UPDATE fulfilment_fulfilmentorder SET state = 'cancelled' WHERE order_id = {order}",
    "history_purchase_order": "UPDATE purchasing_purchaseorder SET state = 'placed' WHERE id = {purchase}",
    "history_parcel": "UPDATE shipping_parcel SET state = 'in_transit' WHERE id = {parcel}",
    "history_message": "UPDATE buyer_messages_message SET state = 'queued' WHERE id = {message}",
    "history_dispatch_notice": "UPDATE shipping_dispatchnotice SET state = 'sent' WHERE parcel_id = {parcel}",
    "history_refund": "UPDATE aftersales_refund SET state = 'failed'",
    "history_aftersale_case": "UPDATE aftersales_aftersalecase SET state = 'closed'",
    "history_lifecycle": "UPDATE closing_lifecycle SET state = 'open'",
    "history_standing": "UPDATE closing_standing SET state = 'normal'",
    "history_closing": "UPDATE closing_closing SET state = 'withdrawn'",
    "history_closing_step": "UPDATE closing_closingstep SET state = 'waiting' WHERE code = 'count_open'",
    "history_platform_case": "UPDATE closing_platformcase SET state = 'review'",
    "history_readmission": """INSERT INTO closing_readmission (store_id, closing_id, state, cause, started_at, started_by)
                              SELECT store_id, id, 'applied', 'x', started_at, 'x' FROM closing_closing;
                              INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                              SELECT h.batch_id, 84, t.id, '', 'planned', h.at FROM closing_readmission t,
                                     (SELECT batch_id, at FROM history_transition LIMIT 1) h""",
    "closing_of_life": "UPDATE closing_lifecycle SET state = 'open'",
    "standing_follows": "UPDATE closing_standing SET said = '', reckoned = CASE state WHEN 'frozen' THEN 'normal' ELSE 'frozen' END",
    "archived_books": "UPDATE closing_lifecycle SET state = 'archived'",
    "history_violation": "UPDATE cases_violation SET state = 'lifted'",
    "history_complaint": "UPDATE cases_complaint SET state = 'closed'",
    "history_infringement": "UPDATE cases_infringement SET state = 'upheld'",
    "history_appeal": "UPDATE cases_appeal SET state = 'won'",
    "told_without_agreement": "UPDATE stores_store SET kind = 'marketplace'; UPDATE sourcing_agreement SET entrusted_on = NULL",
    "signs": """INSERT INTO compliance_risk (store_id, kind, state, level, count, base, line, params, found_at, seen_at, gone_at)
                SELECT id, 'foreign_trace', 'open', 'warn', 1, 1, 1, '{{}}', now(), now(), now() FROM stores_store LIMIT 1""",
    "history_risk": """INSERT INTO compliance_risk (store_id, kind, state, level, count, base, line, params, found_at, seen_at)
                       SELECT id, 'foreign_trace', 'acted', 'warn', 1, 1, 1, '{{}}', now(), now() FROM stores_store LIMIT 1;
                       INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                              SELECT h.batch_id, 45, t.id, '', 'open', h.at FROM compliance_risk t, (SELECT batch_id, at FROM history_transition LIMIT 1) h""",
    "history_plan_step": """INSERT INTO compliance_planstep (store_id, situation, kind, state, at, moved_at)
                            SELECT id, 'orders', 'focus', 'done', now(), now() FROM stores_store LIMIT 1;
                            INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                              SELECT h.batch_id, 47, t.id, '', 'todo', h.at FROM compliance_planstep t, (SELECT batch_id, at FROM history_transition LIMIT 1) h""",
    "history_parcel_check": """INSERT INTO shipping_parcelcheck (store_id, about, state, name, media_type, sha256, size, width, height, traces, by, at)
                               SELECT id, 'sample', 'clean', 'x', 'image/png', 'x', 1, 1, 1, '[]', 'x', now() FROM stores_store LIMIT 1;
                               INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                              SELECT h.batch_id, 46, t.id, '', 'received', h.at FROM shipping_parcelcheck t, (SELECT batch_id, at FROM history_transition LIMIT 1) h""",
    "published_unasked": """INSERT INTO catalog_publication (store_id, product_id, action, state, listings, content, digest, reasons, hits, allowed, by, at)
                            SELECT s.id, p.id, 'publish', 'done', '{{}}', '{{}}', '', '[["paper", {{}}]]', '[]', '{{}}', 'x', now()
                            FROM stores_store s, catalog_product p LIMIT 1""",
    "history_publication": """INSERT INTO catalog_publication (store_id, product_id, action, state, listings, content, digest, reasons, hits, allowed, by, at)
                              SELECT s.id, p.id, 'pause', 'done', '{{}}', '{{}}', '', '[]', '[]', '{{}}', 'x', now()
                              FROM stores_store s, catalog_product p LIMIT 1;
                              INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                              SELECT h.batch_id, 35, t.id, '', 'ready', h.at FROM catalog_publication t, (SELECT batch_id, at FROM history_transition LIMIT 1) h""",
    "history_listing": """INSERT INTO catalog_listingvariant (store_id, sku, external_id, title, currency, state, created_at)
                          SELECT id, 'planted', '', '', '', 'live', now() FROM stores_store LIMIT 1;
                          INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                          SELECT h.batch_id, 34, t.id, 'live', 'paused', h.at FROM catalog_listingvariant t, (SELECT batch_id, at FROM history_transition LIMIT 1) h
                          WHERE t.sku = 'planted'""",
    "history_listing_file": """INSERT INTO catalog_listingfile (store_id, number, state, layout, name, content, sha256, listing_count, rows, by, at)
                               SELECT id, 1, 'uploaded', 'general', 'x', '', 'x', 1, 1, 'x', now() FROM stores_store LIMIT 1;
                               INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                               SELECT h.batch_id, 36, t.id, '', 'fixed', h.at FROM catalog_listingfile t, (SELECT batch_id, at FROM history_transition LIMIT 1) h""",
    "history_evidence_pack": """INSERT INTO cases_evidencepack (store_id, state, name, language, orders, contents, left_out, gaps, by, at)
                                SELECT id, 'made', 'x.zip', 'en', '{{}}', '[]', '[]', '[]', 'x', now() FROM stores_store LIMIT 1;
                                INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                                SELECT h.batch_id, 54, t.id, '', 'gathering', h.at FROM cases_evidencepack t, (SELECT batch_id, at FROM history_transition LIMIT 1) h
                                WHERE t.name = 'x.zip'""",
    "history_reminder": """INSERT INTO purchasing_reminder (store_id, supplier_id, state, step, subject, text, at)
                           SELECT t.id, s.id, 'sent', 'soon', 'planted', 'x', now() FROM stores_store t, sourcing_supplier s LIMIT 1;
                           INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                           SELECT h.batch_id, 90, t.id, '', 'due', h.at FROM purchasing_reminder t, (SELECT batch_id, at FROM history_transition LIMIT 1) h
                           WHERE t.subject = 'planted'""",
    "commission": """INSERT INTO compliance_affiliatelink (store_id, name, url, at, by) SELECT id, 'x', 'https://example.com', now(), 'x' FROM stores_store LIMIT 1;
                     INSERT INTO compliance_affiliateearning (link_id, day, amount, currency, by)
                     SELECT id, '2026-03-02', 5, 'GBP', 'x' FROM compliance_affiliatelink LIMIT 1""",
    "samples": """INSERT INTO sourcing_sample (store_id, supplier_id, state, send_to, currency, cost, by, at)
                  SELECT t.id, s.id, 'ordered', 'x', 'GBP', 5, 'x', now() FROM stores_store t, sourcing_supplier s LIMIT 1""",
    "history_sample": """INSERT INTO sourcing_sample (store_id, supplier_id, state, send_to, currency, by, at)
                         SELECT t.id, s.id, 'ordered', 'x', 'GBP', 'x', now() FROM stores_store t, sourcing_supplier s LIMIT 1;
                         INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                              SELECT h.batch_id, 48, t.id, '', 'wanted', h.at FROM sourcing_sample t, (SELECT batch_id, at FROM history_transition LIMIT 1) h""",
    "history_purchase_run": "UPDATE purchasing_purchaserun SET state = 'fixed'",
    "history_import": "UPDATE imports_importfile SET state = 'stopped' WHERE kind = 'orders'",
    "history_placement_attempt": """INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
                                    SELECT 1, 6, id, 'prepared', 'refused', now() FROM purchasing_placementattempt LIMIT 1""",
}


def test_every_rule_has_a_planted_breach():
    assert set(PLANTED) == set(codes())


def test_the_history_of_every_process_is_audited():
    found = {
        one.name
        for name in iglob("*/process.py", root_dir=Path(daifa.domain.__file__).parent)
        for one in vars(import_module(f"daifa.domain.{Path(name).parent}.process")).values()
        if isinstance(one, Process)
    }
    assert len(found) > 20
    assert found - {code.removeprefix("history_") for code in codes()} == {"order"}  # its status is reckoned, see `status`


class AuditTest(TestCase):
    """One finished shop for all; each test plants its breach in a savepoint of its own."""

    @classmethod
    def setUpTestData(cls):
        cls.shop = shop = cast.open_shop()
        at = cast.whole_loop(shop, ["A1", "A2", "A3"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM orders_order ORDER BY id LIMIT 1")
            order = cursor.fetchone()[0]
            cursor.execute(
                "SELECT id FROM orders_orderline WHERE order_id = %s AND sku = %s", (order, cast.FROM_SYSTEM)
            )
            line = cursor.fetchone()[0]
        case = open_case(
            order_id=order, kind="refund", reason="broken", lines=[(line, 1)], note="", by=cast.BY, at=at
        )
        refund_case(
            case_id=case, amount=Decimal("10.00"), no_claim_reason="too small to claim", by=cast.BY, at=at
        )
        add_expenses(
            [NewExpense(shop.store.pk, "advertising", Decimal(20), "GBP", at.date(), "ads", "ads-1")],
            by=cast.BY,
            at=at,
        )
        pay_suppliers(
            [NewPayment(shop.store.pk, shop.factory.pk, Decimal(100), "CNY", at.date(), "March", "pay-1")],
            by=cast.BY,
            at=at,
        )
        cast.open_one_case_each(shop, at=at)
        close_store.start(store_id=shop.store.pk, scenario="choice", reason="Change of plan", by=cast.BY, at=at)
        set_standing(store_id=shop.store.pk, to="warned", reason="a letter", by=cast.BY, at=at)
        platform_side.take_request(shop.store.pk, reason="Change of plan", at=at)
        work_until_idle(at=at)
        cls.at = at
        cls.ids = cls._ids(order, line)

    @classmethod
    def _ids(cls, order: int, line: int) -> dict[str, int]:
        asked = {
            "purchase_line": "SELECT id FROM purchasing_purchaseline WHERE order_line_id = {line}",
            "purchase": "SELECT purchase_order_id FROM purchasing_purchaseline WHERE id = {purchase_line}",
            "fulfilment_line": "SELECT fulfilment_line_id FROM purchasing_purchaseline WHERE id = {purchase_line}",
            "parcel_line": "SELECT id FROM shipping_parcelline WHERE purchase_line_id = {purchase_line}",
            "parcel": "SELECT parcel_id FROM shipping_parcelline WHERE id = {parcel_line}",
            "message": "SELECT id FROM buyer_messages_message WHERE thing = {parcel} AND kind = 'dispatched' AND state = 'sent'",
            "entry": "SELECT id FROM books_entry WHERE fact = 'order_paid' AND fact_id = {order}",
        }
        ids = {"order": order, "line": line}
        with connection.cursor() as cursor:
            for name, query in asked.items():
                cursor.execute(query.format(**ids))
                ids[name] = cursor.fetchone()[0]
        return ids

    def setUp(self):
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def plant(self, statements: str) -> None:
        """Do it as somebody with the rights of the database's owner would: past constraints and triggers."""
        with connection.cursor() as cursor:
            for table, constraint in UNGUARDED.items():
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
            for table in ("books_posting", "books_entry"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute("ALTER TABLE shipping_parcelline DROP CONSTRAINT parcel_line_positive")
            for statement in statements.format(**self.ids).split(";"):
                cursor.execute(statement)

    def breach(self, code: str) -> Breach:
        found = {breach.code: breach for breach in audit()}
        self.assertIn(code, found)
        return found[code]

    def test_a_shop_that_worked_by_itself_is_clean(self):
        self.assertEqual([breach.sentence for breach in audit()], [])
        self.assertEqual(audit(stores=[self.shop.store.pk]), [])

    def test_a_breach_is_named_with_its_rows(self):
        self.plant(PLANTED["allocated"])
        breach = self.breach("allocated")
        self.assertEqual(
            (breach.ids, breach.count, breach.thing, breach.invariant),
            ([self.ids["line"]], 1, "order_line", "2"),
        )
        self.assertIn("line 2 of order A1: 2 allocated, 1 routed", breach.sentence)

    def test_only_the_stores_asked_for_are_looked_at(self):
        self.plant(PLANTED["allocated"])
        self.assertIn("allocated", {breach.code for breach in audit(stores=[self.shop.store.pk])})
        self.assertEqual(audit(stores=[self.shop.store.pk + 1]), [])

    def test_what_is_still_owed_is_no_breach(self):
        self.plant(PLANTED["orders_posted"])
        self.breach("orders_posted")
        record_facts("orders_received", [self.ids["order"]], at=self.at + timedelta(hours=1))
        self.assertNotIn("orders_posted", {breach.code for breach in audit()})

    def test_commission_of_an_earning_that_is_not_there_is_named(self):
        self.plant("UPDATE books_entry SET fact = 'commission_earned', fact_id = 987654321 WHERE id = {entry}")
        self.assertIn("commission_earned 987654321", self.breach("posted_for_nothing").sentence)

    def test_many_rows_are_counted_and_few_are_shown(self):
        self.plant("UPDATE orders_orderline SET allocated = allocated - 1")
        breach = self.breach("allocated")
        self.assertEqual((breach.count, len(breach.ids)), (6, 6))
        self.assertIn("…", breach.sentence)

    def test_a_file_of_which_rows_went_missing_is_named(self):
        """What was counted adds up; the file holds a row more."""
        self.plant("UPDATE imports_importfile SET rows_expected = rows_expected + 1 WHERE kind = 'orders'")
        self.assertIn("7 in the file, 6 in, 6 used", self.breach("import_rows").sentence)

    def test_each_missing_guard_is_named(self):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE books_posting DISABLE TRIGGER postings_balance")
            cursor.execute("ALTER TABLE buyer_messages_message DROP CONSTRAINT told_once")
        sentence = self.breach("guards").sentence
        self.assertIn("postings_balance", sentence)
        self.assertIn("told_once", sentence)
        self.assertIn("told_once", GUARDS)


def _planted(code: str):
    def test(self):
        self.plant(PLANTED[code])
        breach = self.breach(code)
        self.assertGreaterEqual(breach.count, 1)
        self.assertTrue(breach.ids)
        self.assertNotIn("%", breach.sentence)

    return test


for _code in PLANTED:
    setattr(AuditTest, f"test_planted_{_code}", _planted(_code))


@pytest.mark.django_db
def test_an_empty_shop_is_clean():
    assert audit() == []


def test_the_rules_are_documented():
    table = (Path(__file__).resolve().parents[2] / "docs/rules/invariants.md").read_text()
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in table.splitlines()
        if line.startswith("| `")
    ]
    assert rows == [(f"`{check.code}`", check.invariant, check.rule) for check in CHECKS]
