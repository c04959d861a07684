"""A buyer complains about another platform's card in the box: photo → finding → agreement → fewer signs.

A store on Xiaohongshu, a plain factory, the calendar of five months. The photo is really read.
"""

import io
from datetime import date, timedelta

import pytest

from daifa.domain.aftersales.commands import open_case
from daifa.domain.compliance.models import PlanStep, Risk
from daifa.domain.orders.models import Hold, Order
from daifa.domain.purchasing.models import PurchaseOrder, PurchaseRun
from daifa.domain.shipping.checks import NewPhoto
from daifa.domain.shipping.models import Parcel, ParcelCheck
from daifa.domain.sourcing.commands import end_agreement
from daifa.domain.sourcing.models import Agreement
from daifa.domain.stores.models import Store, Task
from daifa.flows import check_parcels, find_risks, put_right
from daifa.flows.audit import audit
from daifa.flows.reads.timeline import timeline
from daifa.flows.work import work_until_idle
from tests import cast
from tests.photos import photo

pytestmark = pytest.mark.django_db

TERMS = {
    "is_authorised": True, "neutral_packing": True, "no_cards": True, "platform_waybill": True,
    "returns_to": "浙江义乌 福田路 3 号", "returns_paid_by": "supplier", "claim_days": 15,
}  # fmt: skip


def open_signs(shop) -> dict[str, str]:
    return dict(Risk.objects.filter(store=shop.store, gone_at=None).values_list("kind", "level"))


def ship(shop, numbers, at, waybill):
    """Orders come in, go to the factory, and leave it under `waybill` numbers; delivered two days later."""
    cast.receive_orders(shop, numbers, skus=("MUG",), at=at)
    work_until_idle(at=at)
    for run in PurchaseRun.objects.filter(state="placed", purchase_orders__shipped=0).order_by("pk").distinct():
        cast.answer_run(shop, run.pk, at=at + timedelta(hours=20), number=waybill)
    work_until_idle(at=at + timedelta(hours=20))
    at += timedelta(days=2)
    moving = Parcel.objects.filter(store=shop.store, delivered_at=None).values_list("number", flat=True)
    cast.tell_tracking(shop, [(number, at - timedelta(hours=1), "Delivered") for number in moving], at=at)
    work_until_idle(at=at)
    return at


def test_from_the_photo_to_fewer_signs(settings, tmp_path):
    pytest.importorskip("rapidocr", reason="the extra “ocr” is not installed: no photo can be read here")
    settings.MEDIA_ROOT = tmp_path / "files"
    shop = cast.open_shop(code="red")
    Store.objects.filter(pk=shop.store.pk).update(kind="marketplace", channel="xiaohongshu")
    shop.store.refresh_from_db()
    Agreement.objects.update(entrusted_on=None)
    at = cast.MORNING

    # The first agreement says nothing that the channel asks for: no order is routed, no address leaves the house.
    cast.receive_orders(shop, ["R-1", "R-2"], skus=("MUG",), at=at)
    work_until_idle(at=at)
    assert set(Hold.objects.filter(released_at=None).values_list("reason", flat=True)) == {"agreement_incomplete"}
    assert not PurchaseOrder.objects.exists() and not PurchaseRun.objects.exists()

    # Everything is agreed but the entrustment: still nothing. With it, the orders that were held go on by themselves.
    first = Agreement.objects.get(supplier=shop.factory, store=shop.store)
    _agreement, again = put_right.edit_agreement(agreement_id=first.pk, by=cast.BY, at=at, **TERMS)
    work_until_idle(at=at)
    assert again == 2
    assert set(Hold.objects.filter(released_at=None).values_list("reason", flat=True)) == {"entrustment_missing"}
    assert not PurchaseRun.objects.exists(), "no workbook with an address before the entrustment is signed"
    put_right.edit_agreement(agreement_id=first.pk, entrusted_on=date(2026, 3, 2), by=cast.BY, at=at)
    work_until_idle(at=at)
    assert not Hold.objects.filter(released_at=None).exists()
    at = ship(shop, ["R-3"], at + timedelta(hours=1), "RM{:09d}GB")

    # The factory broke its word: a card of another shop lay in the box, and the labels were its own.
    at += timedelta(days=1)
    complained, told = Order.objects.get(number="R-1"), Order.objects.get(number="R-2")
    card = photo("感谢您在拼多多购买本店商品", "五星好评 加微信返现3元")
    (check,), refused = check_parcels.add_photos(
        [NewPhoto(shop.store.pk, complained.pk, None, "complaint", "card.png", card, "buyer's photo")], by=cast.BY, at=at
    )
    assert refused == []
    open_case(
        order_id=told.pk, kind="refund", reason="other", lines=[(told.lines.get().pk, 1)],
        note="收到的是拼多多的短信，不是小红书", by=cast.BY, at=at,
    )  # fmt: skip
    assert check_parcels.read_photos(at=at)["breach"] == 1
    happened = [one for one in timeline([shop.store.pk], complained.pk) if one.subject == "parcel_check"]
    assert [one.state for one in happened] == ["breach", "received"], "it stands on the order's timeline"
    found = ParcelCheck.objects.get(pk=check)
    assert found.supplier_id == shop.factory.pk, "the supplier is known from the order's parcel"

    find_risks.find_risks(at=at)
    assert open_signs(shop) == {"foreign_trace": "warn", "no_platform_waybill": "act"}
    risk = Risk.objects.get(kind="foreign_trace")
    assert {one.order.number for one in risk.orders.all()} == {"R-1", "R-2"}
    assert {one.thing_kind for one in risk.orders.all()} == {"parcel_check", "aftersale_case"}
    assert "短信" not in "".join(one.seen for one in risk.orders.all()), "what a buyer wrote is not repeated"
    tasks = Task.objects.filter(closed_at=None)
    assert set(tasks.filter(kind="no_source_risk").values_list("thing", flat=True)) == set(Risk.objects.values_list("pk", flat=True))
    assert tasks.filter(kind="parcel_breach", thing=check).exists()

    # What helps is planned; the broken agreement ends, and nothing is bought while there is none.
    for one in Risk.objects.filter(gone_at=None):
        find_risks.begin_plan(risk_id=one.pk, by=cast.BY, at=at)
    assert set(PlanStep.objects.values_list("kind", "supplier_id")) == {
        ("negotiate", shop.factory.pk), ("sample_order", None), ("waybills", None),
    }  # fmt: skip
    assert not tasks.filter(kind="no_source_risk").exists(), "being put right, it asks nobody"
    end_agreement(agreement_id=first.pk, last_day=at.date() - timedelta(days=1), by=cast.BY, at=at)
    cast.receive_orders(shop, ["R-4"], skus=("MUG",), at=at)
    work_until_idle(at=at)
    assert Hold.objects.get(order__number="R-4", released_at=None).reason == "agreement_missing"

    # Agreed anew, in writing: the order goes on, the negotiation is done, and the parcels bear the platform's numbers.
    at += timedelta(days=2)
    second, _again = put_right.record_agreement(
        supplier_id=shop.factory.pk, store_id=shop.store.pk, valid_from=at.date(), entrusted_on=at.date(),
        valid_until=at.date() + timedelta(days=90), papers=[("contract.pdf", b"%PDF-1.7 signed and sealed")], by=cast.BY, at=at,
        **TERMS,
    )  # fmt: skip
    assert second.documents.get().media_type == "application/pdf"
    at = ship(shop, ["R-5", "R-6"], at, "RN{:09d}GB")
    issued = io.StringIO()
    issued.write("order number,waybill\n")
    for parcel in Parcel.objects.filter(number__startswith="RN").select_related("order"):
        issued.write(f"{parcel.order.number},{parcel.number}\n")
    new, refused = check_parcels.read_issued_numbers(
        store_id=shop.store.pk, name="issued.csv", content=issued.getvalue().encode(), by=cast.BY, at=at
    )
    assert (new, refused) == (3, [])
    _sample, _none = check_parcels.add_photos(
        [NewPhoto(shop.store.pk, Order.objects.get(number="R-5").pk, None, "test_order", "sample.png", photo("易碎物品 轻拿轻放"))],
        by=cast.BY, at=at,
    )  # fmt: skip
    assert check_parcels.read_photos(at=at)["clean"] == 1
    find_risks.find_risks(at=at)
    assert PlanStep.objects.get(kind="negotiate").state == "done"
    assert set(Risk.objects.filter(gone_at=None).values_list("state", flat=True)) == {"acted"}, "nothing new: it stays so"

    # A month on the labels are the platform's; three months on nobody has complained again.
    at += timedelta(days=29)
    find_risks.find_risks(at=at)
    assert open_signs(shop) == {"foreign_trace": "warn"}
    assert not Task.objects.filter(kind="agreement_ending", closed_at=None).exists()
    at += timedelta(days=62)
    find_risks.find_risks(at=at)
    assert open_signs(shop) == {}
    assert set(Risk.objects.values_list("state", flat=True)) == {"gone"}
    assert audit() == []


def test_an_agreement_that_ends_is_told_in_time_and_then_closes_the_gate():
    shop = cast.open_shop(code="red")
    at = cast.MORNING
    agreement = Agreement.objects.get(supplier=shop.factory, store=shop.store)
    end_agreement(agreement_id=agreement.pk, last_day=at.date() + timedelta(days=20), by=cast.BY, at=at)
    find_risks.find_risks(at=at)
    task = Task.objects.get(kind="agreement_ending", closed_at=None)
    assert (task.thing, task.params["day"]) == (agreement.pk, "2026-03-22")
    put_right.record_agreement(
        supplier_id=shop.factory.pk, store_id=shop.store.pk, valid_from=at.date() + timedelta(days=21), by=cast.BY, at=at
    )
    find_risks.find_risks(at=at)
    task.refresh_from_db()
    assert task.closed_at is not None


def test_what_was_routed_is_not_handed_over_once_the_agreement_ends():
    """Workbooks, mail and systems: the gate is asked again at the door, and what waits goes out once it opens."""
    from daifa.flows import place_purchases
    from daifa.lib.refusal import Refused

    shop = cast.open_shop(code="red")
    Store.objects.filter(pk=shop.store.pk).update(kind="marketplace", channel="xiaohongshu")
    at = cast.MORNING
    for agreement in Agreement.objects.filter(store=shop.store):
        put_right.edit_agreement(agreement_id=agreement.pk, entrusted_on=at.date(), by=cast.BY, at=at, **TERMS)
    from daifa.flows.react import react

    cast.receive_orders(shop, ["R-1"], at=at)
    while react(at=at):
        pass
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"ready"}
    Agreement.objects.filter(store=shop.store).update(entrusted_on=None)
    assert place_purchases.fix_runs(at=at, by=cast.BY) == []
    assert place_purchases.submit_purchases(at=at)["placed"] == 0
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"ready"}
    tasks = Task.objects.filter(kind="address_withheld", closed_at=None)
    assert set(tasks.values_list("thing", flat=True)) == {shop.factory.pk, shop.system.pk}
    assert all("entrustment" in one.params["sentence"] for one in tasks)

    # A run that was fixed while the gate was open is neither mailed nor downloaded once it is shut.
    Agreement.objects.filter(store=shop.store).update(entrusted_on=at.date())
    (run,) = place_purchases.fix_runs(at=at, by=cast.BY)
    assert not tasks.filter(thing=shop.factory.pk).exists()
    Agreement.objects.filter(store=shop.store).update(entrusted_on=None)
    assert place_purchases.send_runs(at=at) == {"placed": 0, "unknown": 0, "later": 1}
    with pytest.raises(Refused, match="entrustment"):
        place_purchases.confirm_run(run, by=cast.BY, at=at)
    Agreement.objects.filter(store=shop.store).update(entrusted_on=at.date())
    assert place_purchases.send_runs(at=at)["placed"] == 1
    assert place_purchases.submit_purchases(at=at)["placed"] == 1
    place_purchases.fix_runs(at=at, by=cast.BY)
