"""An order that the buyer has not paid: nothing is bought, booked, counted or told before he has."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from daifa.domain.books.models import Entry
from daifa.domain.closing import queries as closing
from daifa.domain.closing.commands import set_status_page
from daifa.domain.compliance.models import Clock
from daifa.domain.history.commands import ensure_months
from daifa.domain.messages.models import Message
from daifa.domain.orders.models import Hold, Order
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.stores.models import Task
from daifa.flows import by_hand, close_store, keep_clocks
from daifa.flows.audit import audit
from daifa.flows.release_holds import release_holds
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
from tests import cast
from tests.worked_tables import stories

pytestmark = pytest.mark.django_db
AT = cast.MORNING
LATER = AT + timedelta(hours=30)


def file_of(orders: dict[str, tuple[str, str]]) -> bytes:
    """Number → (paid at, cancelled at), "" where it was not."""
    rows = list(csv.reader(io.StringIO(cast.order_file(list(orders)).decode())))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*rows[0], "Paid at", "Cancelled at"])
    for row in rows[1:]:
        writer.writerow([*row, *orders[row[0]]])
    return text.getvalue().encode()


def receive(shop: cast.Shop, orders: dict[str, tuple[str, str]], *, at):
    file = cast.read_file(shop, "orders", "orders.csv", file_of(orders), at=at)
    assert (file.state, file.rows_refused) == ("done", 0)
    work_until_idle(at=at)
    keep_clocks.keep_clocks(at=at)


def held() -> dict[str, str]:
    return dict(Hold.objects.filter(released_at=None).values_list("order__number", "reason"))


def test_it_waits_for_its_payment_and_goes_on_by_itself():
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", ""), "U-2": ("", ""), "P-1": ("2026-03-02 09:00:00", "")}, at=AT)
    assert held() == {"U-1": "not_paid", "U-2": "not_paid"}
    unpaid = list(Order.objects.filter(number__startswith="U-").values_list("pk", flat=True))
    bought = Order.objects.get(number="P-1")
    for model in (PurchaseOrder, Entry, Message, Clock):
        assert not model.objects.filter(order_id__in=unpaid).exists(), model
        assert model is Clock or model.objects.filter(order_id=bought.pk).exists(), model
    assert not Order.objects.filter(number__startswith="U-").exclude(paid_at=None, ship_by_at=None).exists()
    assert audit() == []

    receive(shop, {"U-1": ("2026-03-03 14:00:00", ""), "U-2": ("", "2026-03-03 10:00:00")}, at=LATER)
    assert held() == {}
    paid = Order.objects.get(number="U-1")
    assert paid.paid_at == AT.replace(day=3, hour=14)
    assert paid.ship_by_at - paid.paid_at == timedelta(hours=shop.store.dispatch_hours)
    assert PurchaseOrder.objects.filter(order=paid).count() == 2
    assert Entry.objects.get(order_id=paid.pk, fact="order_paid").at == paid.paid_at
    gone = Order.objects.get(number="U-2")
    assert (gone.status, gone.paid_at) == ("cancelled", None)
    assert not Entry.objects.filter(order_id=gone.pk).exists() and not PurchaseOrder.objects.filter(order=gone).exists()
    assert audit() == []


def test_the_same_file_twice_changes_nothing():
    shop = cast.open_shop()
    for _ in range(2):
        receive(shop, {"U-1": ("", "")}, at=AT)
    assert held() == {"U-1": "not_paid"} and Order.objects.get().open_holds == 1


def test_whoever_releases_it_says_that_it_was_paid():
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", "")}, at=AT)
    hold = Hold.objects.get()
    assert release_holds([hold.pk], by=cast.BY, at=LATER) == [hold.order_id]
    work_until_idle(at=LATER)
    order = Order.objects.get()
    assert (order.paid_at, order.open_holds) == (LATER, 0)
    assert PurchaseOrder.objects.filter(order=order).count() == 2
    assert Entry.objects.get(order_id=order.pk, fact="order_paid").at == LATER
    assert audit() == []


def orders_file(orders: dict[str, dict[str, str]]) -> bytes:
    """Number → what differs from the usual order: a column's heading, or one of its own, → its cells."""
    rows = list(csv.reader(io.StringIO(cast.order_file(list(orders)).decode())))
    own = sorted({name for cells in orders.values() for name in cells} - set(rows[0]))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*rows[0], *own])
    for row in rows[1:]:
        given = orders[row[0]]
        writer.writerow([*(given.get(name, cell) for name, cell in zip(rows[0], row, strict=True)), *(given.get(name, "") for name in own)])
    return text.getvalue().encode()


def receive_file(shop: cast.Shop, orders: dict[str, dict[str, str]], *, at) -> None:
    file = cast.read_file(shop, "orders", "orders.csv", orders_file(orders), at=at)
    assert (file.state, file.rows_refused) == ("done", 0)
    work_until_idle(at=at)
    keep_clocks.keep_clocks(at=at)


def tasks() -> dict[str, int]:
    return dict(Task.objects.filter(closed_at=None, kind__startswith="order_").values_list("kind", "thing"))


def test_what_the_seller_changed_before_the_payment_is_what_is_bought_and_booked():
    shop = cast.open_shop()
    receive_file(shop, {"U-1": {"Paid at": "", "Unit price": "40.00"}}, at=AT)
    receive_file(shop, {"U-1": {"Paid at": "2026-03-03 14:00:00", "Unit price": "30.00", "Quantity": "3"}}, at=LATER)
    order = Order.objects.get()
    assert (order.units, order.total_amount, order.cancelled) == (6, 180, 0)
    assert sorted(order.lines.values_list("line_no", "quantity", "amount")) == [(1, 3, 90), (2, 3, 90)]
    paid = Entry.objects.get(order_id=order.pk, fact="order_paid")
    assert sum(leg.amount for leg in paid.postings.filter(amount__gt=0)) == 180
    assert sum(PurchaseOrder.objects.filter(order=order).values_list("units", flat=True)) == 6
    assert (tasks(), audit()) == ({}, [])


def test_money_given_back_proves_that_it_was_paid():
    shop = cast.open_shop()
    cells = {"Paid at": "", "Cancelled at": "", "Refunded": ""}
    receive_file(shop, {"U-1": cells | {"Refunded": "4.00"}, "U-2": cells, "U-3": cells}, at=AT)
    assert held() == {"U-2": "not_paid", "U-3": "not_paid"}
    receive_file(shop, {
        "U-2": cells | {"Refunded": "3.00"},
        "U-3": cells | {"Paid at": "2026-03-02 14:00:00", "Cancelled at": "2026-03-02 15:00:00", "Refunded": "84.00"},
    }, at=LATER)  # fmt: skip
    assert held() == {}
    for number, back in (("U-1", 4), ("U-2", 3), ("U-3", 84)):
        order = Order.objects.get(number=number)
        assert (order.refunded_amount, order.paid_at is None) == (back, False)
        assert Entry.objects.filter(order_id=order.pk, fact__in=("order_paid", "refund_confirmed")).count() == 2
    assert not PurchaseOrder.objects.filter(order__number="U-3").exists()
    assert audit() == []


def test_an_unpaid_order_that_was_dispatched_by_other_hands_is_not_bought():
    shop = cast.open_shop()
    receive_file(shop, {"U-1": {"Paid at": "", "Status": ""}, "U-2": {"Paid at": "", "Status": ""}}, at=AT)
    paid = {"Paid at": "2026-03-03 09:00:00"}
    receive_file(shop, {"U-1": paid | {"Status": "shipped"}, "U-2": paid | {"Status": "paid"}}, at=LATER)
    gone, here = Order.objects.get(number="U-1"), Order.objects.get(number="U-2")
    assert (gone.is_history, gone.status, gone.open_holds, gone.paid_at) == (True, "closed", 0, here.paid_at)
    assert set(PurchaseOrder.objects.values_list("order_id", flat=True)) == {here.pk}
    assert not Entry.objects.filter(order_id=gone.pk).exists()
    assert audit() == []


def test_a_file_corrects_when_a_released_order_was_paid_and_says_where_it_disagrees():
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", "")}, at=AT)
    release_holds([Hold.objects.get().pk], by=cast.BY, at=LATER)
    work_until_idle(at=LATER)
    receive(shop, {"U-1": ("", "")}, at=LATER)
    assert tasks() == {}, "the person knew that the channel does not know of the payment"
    receive(shop, {"U-1": ("2026-03-02 18:00:00", "")}, at=LATER)
    order = Order.objects.get()
    assert order.paid_at == AT.replace(hour=18)
    assert order.ship_by_at - order.paid_at == timedelta(hours=shop.store.dispatch_hours)
    receive(shop, {"U-1": ("", "")}, at=LATER)
    order.refresh_from_db()
    assert (order.paid_at, tasks()) == (AT.replace(hour=18), {"order_unpaid": order.pk})
    assert PurchaseOrder.objects.filter(order=order).count() == 2 and held() == {}
    assert audit() == []


def test_paid_after_it_was_cancelled_is_for_a_person():
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", "")}, at=AT)
    receive(shop, {"U-1": ("", "2026-03-02 10:00:00")}, at=LATER)
    order = Order.objects.get()
    assert not [one for one in closing.blockers(shop.store.pk, at=LATER) if one.code == "not_paid_back"], "nobody owes him anything"
    receive(shop, {"U-1": ("2026-03-03 09:00:00", "")}, at=LATER)
    assert tasks() == {"order_paid_after": order.pk}
    assert not PurchaseOrder.objects.exists()
    assert [(one.count, one.amount) for one in closing.blockers(shop.store.pk, at=LATER) if one.code == "not_paid_back"] == [(1, 84)]
    assert audit() == []


def test_nothing_is_given_back_of_what_was_not_paid():
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", "")}, at=AT)
    order = Order.objects.get()
    lines = list(order.lines.values_list("pk", "quantity"))
    given = {"kind": "refund", "reason": "other", "note": "", "no_claim_reason": "ours", "by": cast.BY, "at": LATER}
    with pytest.raises(Refused, match="has not paid"):
        by_hand.give_back(order.pk, lines, amount=Decimal(5), **given)
    assert by_hand.cancel_open(order.pk, lines, by=cast.BY, at=LATER) == 4
    order.refresh_from_db()
    assert (order.status, order.open_holds, order.refunded_amount) == ("cancelled", 0, 0)
    assert audit() == []


def test_an_unpaid_order_is_no_sale():
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", ""), "P-1": ("2026-03-02 09:00:00", "")}, at=AT)
    month = closing.months_of(shop.store.pk, at=LATER, months=1)[0]
    assert (month.orders, month.sales) == (1, 84)
    unshipped = next(one for one in closing.blockers(shop.store.pk, at=LATER) if one.code == "unshipped")
    assert (unshipped.count, unshipped.amount) == (2, 84)


def test_many_are_not_called_paid_by_one_press(client, django_user_model):
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", ""), "U-2": ("", "")}, at=AT)
    client.force_login(django_user_model.objects.create_superuser("owner@example.invalid", password="x"))
    ids = list(Order.objects.order_by("pk").values_list("pk", flat=True))
    answer = client.post(reverse("web:orders_release"), {"ids": ids}, follow=True)
    assert "2 wait for their payment" in answer.content.decode()
    assert held() == {"U-1": "not_paid", "U-2": "not_paid"}
    page = client.get(reverse("web:order", args=[ids[0]])).content.decode()
    assert page.count("says that the buyer has paid") == 2, "the button of the order, and that of the hold, ask"
    client.post(reverse("web:order_release", args=[ids[0]]))
    assert held() == {"U-2": "not_paid"}


def test_another_price_after_the_payment_is_for_a_person():
    shop = cast.open_shop()
    receive_file(shop, {"U-1": {"Paid at": ""}}, at=AT)
    release_holds([Hold.objects.get().pk], by=cast.BY, at=AT)
    work_until_idle(at=AT)
    receive_file(shop, {"U-1": {"Paid at": "2026-03-02 10:00:00", "Unit price": "20.00"}}, at=LATER)
    order = Order.objects.get()
    assert (order.total_amount, tasks()) == (84, {"order_changed": order.pk})
    assert Task.objects.get().params["what"] == ["amount"]


def test_a_store_that_closes_tells_nobody_about_an_order_he_has_not_paid_and_takes_no_late_payment():
    shop = cast.open_shop()
    ensure_months(AT.date(), AT.date() + timedelta(days=62))
    receive(shop, {"U-1": ("", ""), "P-1": ("2026-03-02 09:00:00", "")}, at=AT)
    begun = close_store.start(store_id=shop.store.pk, scenario="choice", reason="we leave", by=cast.BY, at=AT)
    rows = {row.code: row for row in begun.steps.all()}
    set_status_page(store_id=shop.store.pk, is_on=True, contact="help@example.invalid", by=cast.BY, at=AT)
    for code in ("count_open", "shop_notice", "listings_down", "buyers_told"):
        row = rows[code]
        row.refresh_from_db()
        if row.state == "waiting":
            close_store.do_step(row.pk, close_store.Given(note="now", reference="N-1"), by=cast.BY, at=AT)
    assert set(Message.objects.filter(kind="store_closing").values_list("order__number", flat=True)) == {"P-1"}
    receive(shop, {"U-1": ("2026-03-03 14:00:00", "")}, at=LATER)
    assert set(Hold.objects.filter(released_at=None, order__number="U-1").values_list("reason", flat=True)) == {"store_closing"}
    assert not PurchaseOrder.objects.filter(order__number="U-1").exists()
    assert audit() == []


def cells(said: str) -> dict[str, str]:
    """What a file says, in the words of the worked table, as cells of a row."""
    words = [word.strip() for word in said.split(",")]
    back = next((word.split()[0] for word in words if word.endswith(" back")), "")
    return {
        "Paid at": "2026-03-02 09:30:00" if "paid" in words else "", "Cancelled at": "2026-03-02 11:00:00" if "cancelled" in words else "",
        "Dispatched at": "2026-03-02 10:00:00" if "dispatched" in words else "", "Refunded": back,
    }  # fmt: skip


def test_the_worked_table():
    (story,) = stories("unpaid.md")
    shop = cast.open_shop()
    rows = {f"T-{number}": row for number, row in enumerate(story.tables["first"], 1)}
    receive_file(shop, {number: cells(row["first"]) for number, row in rows.items()}, at=AT)
    by_hand_now = [number for number, row in rows.items() if row["first"].endswith("hand")]
    release_holds(list(Hold.objects.filter(order__number__in=by_hand_now).values_list("pk", flat=True)), by=cast.BY, at=AT)
    work_until_idle(at=AT)
    receive_file(shop, {number: cells(row["then"]) for number, row in rows.items() if row["then"] != "-"}, at=LATER)
    for number, row in rows.items():
        order = Order.objects.get(number=number)
        entries = Entry.objects.filter(order_id=order.pk, fact__in=("order_paid", "refund_confirmed")).order_by("fact")
        became = {
            "paid": "yes" if order.paid_at else "no", "history": "yes" if order.is_history else "no",
            "held for": " ".join(Hold.objects.filter(order=order, released_at=None).values_list("reason", flat=True)) or "-",
            "cancelled units": str(order.cancelled), "bought": "yes" if PurchaseOrder.objects.filter(order=order).exists() else "no",
            "in the books": " ".join(entries.values_list("fact", flat=True)) or "-",
            "task": " ".join(Task.objects.filter(thing_kind="order", thing=order.pk).values_list("kind", flat=True)) or "-",
        }  # fmt: skip
        assert became == {name: row[name] for name in became}, (number, row["first"], row["then"])
    assert audit() == []
