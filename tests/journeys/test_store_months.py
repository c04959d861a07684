"""Store-months come from what happened, stay once they are final, teach the index, and find dormant stores."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from daifa.domain.aftersales.models import Refund
from daifa.domain.books.queries import pnl
from daifa.domain.cases import commands as cases
from daifa.domain.closing.models import Closing, Lifecycle
from daifa.domain.exit_index import commands, queries, rules
from daifa.domain.exit_index.commands import Measured, set_base_rate
from daifa.domain.exit_index.models import Learned, Said, StoreMonth, StoreReview
from daifa.domain.orders.models import Order
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import Store, Task
from daifa.flows.measure_months import measure_months, own_past
from daifa.flows.reads import exit_index as reads
from daifa.flows.reads.closures import closure_records
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)
APRIL_NIGHT = datetime(2026, 4, 1, 2, 40, tzinfo=UTC)


def month(store: Store, first: date = MARCH) -> StoreMonth:
    return StoreMonth.objects.get(store=store, month=first)


def test_a_month_says_what_happened_in_it():
    shop = cast.open_shop()
    cast.whole_loop(shop, ["1001", "1002"])
    # Never bought, so never shipped: two days after it was paid it is late.
    cast.receive_orders(shop, ["1003"], at=cast.MORNING + timedelta(days=9))
    cast.receive_orders(shop, ["1004"], at=APRIL_NIGHT - timedelta(hours=4))  # due in April
    Refund.objects.create(
        store=shop.store, order=Order.objects.get(number="1002"), external_ref="R1", state="confirmed", reason="damaged",
        amount=Decimal(12), currency="GBP", at=cast.MORNING + timedelta(days=8), confirmed_at=cast.MORNING + timedelta(days=8),
    )  # fmt: skip
    assert measure_months(at=APRIL_NIGHT) == {"months": 2, "learned": 0, "said": 1, "reviewed": 1}

    row = month(shop.store)
    statement = pnl([shop.store.pk], MARCH, "GBP")
    assert (row.orders, row.refunded, row.points) == (4, 1, None)
    assert (row.sales, row.net) == (statement.sales, statement.net)
    assert row.sales == Decimal("168.00")
    assert row.sales - row.outgo == row.net
    assert row.due == 3
    assert row.late == 1
    assert (row.days, row.is_complete, row.is_final) == (30, True, False), "it began on the second of March"
    assert 3 <= row.active_days <= 8
    # Receivable less fees, less what is owed in pounds and, as booked, in yuan.
    assert Decimal(60) < row.cash < Decimal(330)
    april = month(shop.store, date(2026, 4, 1))
    assert (april.days, april.is_complete) == (1, False)


def test_measured_twice_is_measured_once_and_a_final_month_stays():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["1001"])
    measure_months(at=APRIL_NIGHT)
    before = StoreMonth.objects.values_list("pk", flat=True)
    measure_months(at=APRIL_NIGHT)
    assert list(StoreMonth.objects.values_list("pk", flat=True)) == list(before)

    cast.receive_orders(shop, ["1002"], at=cast.MORNING + timedelta(days=3))
    measure_months(at=APRIL_NIGHT + timedelta(days=1))
    assert month(shop.store).orders == 2, "while it is not final it is measured anew"
    measure_months(at=APRIL_NIGHT + timedelta(days=20))
    assert month(shop.store).is_final

    cast.receive_orders(shop, ["1003"], at=cast.MORNING + timedelta(days=4))
    measure_months(at=APRIL_NIGHT + timedelta(days=21))
    assert month(shop.store).orders == 2
    measure_months(at=APRIL_NIGHT + timedelta(days=21), again=True)
    assert month(shop.store).orders == 3


def test_points_are_a_share_of_the_gravest_step():
    shop = cast.open_shop()
    Store.objects.filter(pk=shop.store.pk).update(channel="shopee", kind="marketplace")
    shop.store.refresh_from_db()
    measure_months(at=APRIL_NIGHT)
    assert month(shop.store).points is None, "nothing was ever entered: unknown, not none"
    cases.add_violations(
        [cases.NewViolation("V-1", cast.MORNING + timedelta(days=5), "late_dispatch", points=Decimal(3))],
        store=shop.store, source="user:1", by="user:1", at=cast.MORNING + timedelta(days=5),
    )  # fmt: skip
    measure_months(at=APRIL_NIGHT)
    row = month(shop.store)
    assert (row.points, row.points_full) == (3, 15)
    assert queries.as_month(row).points == pytest.approx(0.2)


def test_a_dormant_store_becomes_a_task_until_it_wakes():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["1001"])
    measure_months(at=datetime(2026, 6, 1, 3, tzinfo=UTC))
    task = Task.objects.get(kind="store_dormant", closed_at=None)
    assert (task.store_id, task.thing_kind, task.thing) == (shop.store.pk, "store_review", shop.store.pk)
    assert task.params["no_orders"] == 90
    assert StoreReview.objects.get(month=date(2026, 5, 1)).verdict == "dormant"

    measure_months(at=datetime(2026, 6, 2, 3, tzinfo=UTC))
    assert StoreReview.objects.filter(month=date(2026, 5, 1)).count() == 1, "once a month"
    for day in range(2, 29):
        numbers = [f"{day}-1", f"{day}-2"]
        cast.receive_orders(shop, numbers, skus=(cast.FROM_FACTORY,), at=datetime(2026, 6, day, 12, tzinfo=UTC))
    measure_months(at=datetime(2026, 7, 1, 3, tzinfo=UTC))
    assert StoreReview.objects.get(month=date(2026, 6, 1)).verdict == "active"
    assert not Task.objects.filter(kind__in=["store_dormant", "store_quiet"], closed_at=None).exists()


def test_own_lines_decide_what_is_quiet():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["1001"], at=datetime(2026, 5, 20, 12, tzinfo=UTC))
    commands.set_review_lines(
        store_ids=[shop.store.pk], dormant_days=14, quiet_orders=0, quiet_active_days=0, by="user:1", at=cast.MORNING
    )
    measure_months(at=datetime(2026, 6, 5, 3, tzinfo=UTC))
    assert StoreReview.objects.get(month=date(2026, 5, 1)).verdict == "dormant"


# --- Closings teach -----------------------------------------------------------------------------------------------


def ended_store(code: str, *, months: int, ended: bool, is_sample: bool = False) -> Store:
    """A store with steady figures over so many months from January 2024 on, wound up after the last of them or open."""
    began = datetime(2024, 1, 1, 12, tzinfo=UTC)
    store = add_store(code=code, name=code, currency="CNY", timezone="Asia/Shanghai", is_sample=is_sample, by="user:1", at=began)
    rows = []
    for place in range(months):
        first = date(2024 + place // 12, place % 12 + 1, 1)
        rows.append(
            Measured(store.pk, first, "CNY", 60, Decimal(1200), Decimal(140), Decimal(1060), 60, 4, 3, None, None, Decimal(2000), 25, 30,
                     True, True)
        )  # fmt: skip
    commands.record_months(rows, at=began)
    if ended:
        shut = datetime(2024 + months // 12, months % 12 + 1, 10, tzinfo=UTC)
        life = Lifecycle.objects.create(store=store, state="closed", began_at=began, shut_at=shut, closed_at=shut + timedelta(days=40))
        Closing.objects.create(
            store=store, lifecycle=life, number=1, scenario="no_traffic", state="done", reason="Nobody came.", started_at=shut,
            started_by="user:1", ended_at=shut + timedelta(days=40),
        )  # fmt: skip
    return store


def test_own_closings_move_the_reading_once_there_are_five():
    stores = [ended_store(f"gone-{n}", months=8, ended=True) for n in range(4)]
    stores.append(ended_store("goes-on", months=14, ended=False))
    at = datetime(2025, 3, 2, 3, tzinfo=UTC)
    past = own_past()
    assert sum(one.closed for one in past) == 4
    assert len(past) == 4 * 8 + 13, "what came after the last month of the open store nobody knows yet"
    measure_months(at=at, store_ids=[])
    assert queries.model().uses == "prior"
    assert queries.model().closings == 4

    stores.append(ended_store("gone-too", months=8, ended=True))
    ended_store("sample", months=8, ended=True, is_sample=True)
    measure_months(at=at, store_ids=[])
    measure_months(at=at, store_ids=[])
    model = queries.model()
    assert (model.uses, model.closings) == ("own", 5), "sample stores teach nothing"
    assert Learned.objects.count() == 2
    row = queries.store_months([stores[4].pk])[stores[4].pk]
    before, after = queries.stands(row, rules.shipped())[-1], queries.stands(row, model)[-1]
    assert after.reading.year.open < before.reading.year.open, "five of six closed within the year"
    assert after.reading.uses == "own"


def test_closings_as_records():
    store = ended_store("gone", months=8, ended=True)
    for kind, amount, at in (
        ("paid_in", 1000, datetime(2024, 2, 1, tzinfo=UTC)), ("returned", 900, datetime(2025, 1, 20, tzinfo=UTC)),
    ):  # fmt: skip
        assert not cases.move_deposit(
            [cases.NewMove(kind, Decimal(amount), at, f"D-{kind}")], store=store, by="user:1", at=at
        ).refused
    [record] = closure_records([store.pk])
    assert record == rules.ClosureRecord(
        store.pk, "no_traffic", "users", date(2024, 9, 10), date(2024, 10, 20), 1000.0, 900.0, date(2025, 1, 20), "CNY"
    )
    assert closure_records([]) == []
    [year] = rules.closures_by_year([record])
    assert (year.began, year.median_days, year.median_days_to_deposit) == (1, 40.0, 132.0)


def test_a_store_that_is_ending_is_measured_no_further():
    store = ended_store("gone", months=8, ended=True)
    measure_months(at=datetime(2025, 3, 2, 3, tzinfo=UTC))
    assert StoreMonth.objects.filter(store=store).latest("month").month == date(2024, 9, 1)
    assert not StoreReview.objects.filter(store=store).exists(), "only open stores are reviewed"


def test_what_was_said_stays_with_its_weights():
    """A later base rate moves what is said from then on, not what was said before; each month names its version."""
    shop = cast.open_shop()
    cast.receive_orders(shop, ["1001"])
    measure_months(at=APRIL_NIGHT)
    first = Said.objects.get()
    assert (first.month, first.version) == (MARCH, rules.shipped().version)
    with pytest.raises(Refused, match="rests"):
        set_base_rate(yearly=0.3, source=" ", by=cast.BY, at=APRIL_NIGHT)
    with pytest.raises(Refused, match="between"):
        set_base_rate(yearly=1.5, source="x", by=cast.BY, at=APRIL_NIGHT)
    entered = set_base_rate(yearly=0.3, source="the platform's report", by=cast.BY, at=APRIL_NIGHT)
    assert measure_months(at=APRIL_NIGHT + timedelta(days=1))["said"] == 0, "said once a month"
    assert Said.objects.get().chances == first.chances
    measure_months(at=APRIL_NIGHT + timedelta(days=31))
    said = list(Said.objects.order_by("month"))
    assert [one.version for one in said] == [rules.shipped().version, f"{rules.shipped().version}/r{entered.pk}"]
    (told,) = reads.exit_indices([shop.store.pk])
    assert [one.version for one in told.said] == [one.version for one in said]
    using = queries.model()
    assert "30.0% of typical stores close within a year, as entered here" in reads.model_sentence(using)
    assert reads.as_told(told, using)["weights"]["base_rate_is"] == "entered"
    set_base_rate(yearly=None, source="back to what comes along", by=cast.BY, at=APRIL_NIGHT + timedelta(days=40))
    assert "an assumption" in reads.model_sentence(queries.model())
