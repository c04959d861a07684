"""Today, orders, purchases, runs, parcels, messages, aftersales: they open, hide, refuse and do what they say."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.urls import reverse

from daifa.domain.aftersales.models import AftersaleCase, Refund
from daifa.domain.compliance.models import Finding
from daifa.domain.history.commands import keep_pending, move
from daifa.domain.history.models import PendingReaction
from daifa.domain.messages.models import Message
from daifa.domain.messages.process import MESSAGE
from daifa.domain.orders.models import Hold, Order
from daifa.domain.people.models import User
from daifa.domain.purchasing.models import PurchaseOrder, PurchaseRun
from daifa.domain.purchasing.process import PURCHASE_ORDER, PURCHASE_RUN
from daifa.domain.shipping.models import DispatchNotice, Parcel, WaybillNumber
from daifa.domain.stores.commands import NewTask, add_store, open_tasks
from daifa.domain.stores.models import StoreAccess, Task
from daifa.flows.place_purchases import fix_runs
from daifa.flows.work import work_until_idle
from daifa.lib import clock
from tests import cast

NOW = cast.MORNING + timedelta(days=12)
ROLES = ("owner", "operator", "bookkeeper", "viewer")
BUYER = ("Anna", "High Street", "LS1 4AP", "annaDONE")


@pytest.fixture
def loop(db):
    """Two orders that went all the way, one held for an unknown SKU; people in every role, and of another store."""
    with clock.moved_to(NOW):
        shop = cast.open_shop()
        cast.whole_loop(shop, ["DONE-71", "DONE-72"])
        cast.receive_orders(shop, ["HELD-77"], skus=("NOBODY-KNOWS",), at=NOW - timedelta(days=4))
        work_until_idle(at=NOW - timedelta(days=4))
        other = add_store(code="other", name="Other shop", currency="GBP", by="user:1", at=NOW)
        people = {role: User.objects.create_user(role) for role in ROLES}
        StoreAccess.objects.bulk_create(StoreAccess(user=u, store=shop.store, role=r) for r, u in people.items())
        stranger = User.objects.create_user("stranger")
        StoreAccess.objects.create(user=stranger, store=other, role="owner")
        yield SimpleNamespace(
            shop=shop, store=shop.store, people=people, stranger=stranger, other=other,
            root=User.objects.create_superuser("root"), done=Order.objects.get(number="DONE-71"),
            held=Order.objects.get(number="HELD-77"),
        )  # fmt: skip


def details() -> list[str]:
    """A page of every kind of thing there is."""
    return [
        *(reverse("web:order", args=[pk]) for pk in Order.objects.values_list("pk", flat=True)),
        *(reverse("web:purchase", args=[pk]) for pk in PurchaseOrder.objects.values_list("pk", flat=True)[:2]),
        *(reverse("web:run", args=[pk]) for pk in PurchaseRun.objects.values_list("pk", flat=True)),
        *(reverse("web:parcel", args=[pk]) for pk in Parcel.objects.values_list("pk", flat=True)[:2]),
        *(reverse("web:message", args=[pk]) for pk in Message.objects.values_list("pk", flat=True)[:3]),
    ]


LISTS = (
    "today", "orders", "purchases", "runs", "parcels", "messages", "aftersales", "cases",
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("role", ROLES)
def test_every_page_opens_for_every_role(loop, as_, role, language):
    client = as_(loop.people[role], language)
    for url in [*(reverse(f"web:{name}") for name in LISTS), *details()]:
        assert client.get(url).status_code == 200, url


def test_a_stranger_finds_nothing(loop, as_):
    client = as_(loop.stranger)
    for url in details():
        assert client.get(url).status_code == 404, url
    for name in LISTS:
        body = client.get(reverse(f"web:{name}")).content.decode()
        assert "HELD-77" not in body and "Anna" not in body, name
    assert "HELD-77" not in client.get(reverse("web:search"), {"q": "HELD"}).content.decode()
    for name in ("order_release", "order_hold", "order_route"):
        assert client.post(reverse(f"web:{name}", args=[loop.held.pk])).status_code == 404, name
    run, parcel = PurchaseRun.objects.first(), Parcel.objects.first()
    for name, pk in (("run_download", run.pk), ("run_settle", run.pk), ("dispatch_file", loop.store.pk)):
        assert client.post(reverse(f"web:{name}", args=[pk])).status_code == 404, name
    for name, pk in (("order_address", loop.held.pk), ("order_give_back", loop.held.pk), ("parcel_number", parcel.pk),
                     ("run_reply", run.pk)):  # fmt: skip
        assert client.get(reverse(f"web:{name}", args=[pk])).status_code == 404, name
    assert client.post(reverse("web:orders_release"), {"ids": [loop.held.pk]}).status_code == 404
    loop.held.refresh_from_db()
    assert loop.held.open_holds == 1


@pytest.mark.parametrize("role", ["viewer", "bookkeeper"])
def test_who_the_buyer_is_stays_with_owners_and_operators(loop, as_, role):
    pages = [*(reverse(f"web:{name}") for name in LISTS), *details(), reverse("web:search") + "?q=DONE-71"]
    client = as_(loop.people[role])
    for url in pages:
        body = client.get(url, follow=True).content.decode()
        assert not [word for word in BUYER if word in body], url
    for kind in ("csv", "xlsx"):
        response = client.get(reverse("web:orders"), {"format": kind})
        assert b"Anna" not in b"".join(response.streaming_content)
    body = as_(loop.people["operator"]).get(reverse("web:order", args=[loop.done.pk])).content.decode()
    assert all(word in body for word in BUYER)


@pytest.mark.parametrize("role", ["viewer", "bookkeeper"])
def test_looking_is_not_acting(loop, as_, role):
    client = as_(loop.people[role])
    run = PurchaseRun.objects.first()
    for name, pk in (("order_release", loop.held.pk), ("order_hold", loop.held.pk), ("order_route", loop.held.pk),
                     ("run_download", run.pk), ("dispatch_file", loop.store.pk),
                     ("message_stop", Message.objects.first().pk)):  # fmt: skip
        assert client.post(reverse(f"web:{name}", args=[pk])).status_code == 403, name
    body = client.get(reverse("web:order", args=[loop.held.pk])).content.decode()
    assert "Your role may look but not act here" in body


# --- Orders -------------------------------------------------------------------------------------------------------


def test_the_list_is_searched_and_filtered(loop, as_):
    client = as_(loop.people["operator"])

    def listed(**query):
        body = client.get(reverse("web:orders"), query).content.decode()
        return [number for number in ("DONE-71", "DONE-72", "HELD-77") if f">{number}<" in body]

    waybill = Parcel.objects.filter(order=loop.done).first().number
    assert listed() == ["DONE-71", "DONE-72", "HELD-77"]
    assert listed(hold="mapping_missing") == ["HELD-77"]
    assert listed(status="delivered") == ["DONE-71", "DONE-72"]
    assert listed(status="open") == ["HELD-77"]
    assert listed(q=waybill) == ["DONE-71"]
    assert listed(q="NOBODY") == ["HELD-77"]
    assert listed(placed_from=str((NOW - timedelta(days=5)).date())) == ["HELD-77"]
    found = client.get(reverse("web:search"), {"q": "HELD-77"})
    assert found.status_code == 302 and found["Location"] == reverse("web:order", args=[loop.held.pk])


def test_an_order_tells_its_whole_story(loop, as_):
    body = as_(loop.people["operator"]).get(reverse("web:order", args=[loop.done.pk])).content.decode()
    for words in ("Who delivers, and why", "Purchase orders", "Parcels", "Messages to the buyer", "In the books",
                  "What happened", "Routed to", "What it earns"):  # fmt: skip
        assert words in body, words
    held = as_(loop.people["operator"]).get(reverse("web:order", args=[loop.held.pk])).content.decode()
    assert "nobody has said which supplier SKU this is" in held and "Link the SKU" in held


def test_an_order_says_what_is_wrong_with_its_parcels(loop, as_):
    box = Parcel.objects.filter(order=loop.done).first()
    finding = Finding.objects.create(
        store=loop.store, order=loop.done, parcel=box, kind="moved_after_delivery", currency="GBP", found_at=NOW,
        params={"number": "YT1", "order": "DONE-71", "first": "2026-07-01 23:30", "then": "2026-07-03 09:15"},
    )  # fmt: skip
    client, url = as_(loop.people["viewer"]), reverse("web:order", args=[loop.done.pk])
    body = client.get(url).content.decode()
    assert "was delivered at 2026-07-02 00:30 and scanned on its way again at 2026-07-03 10:15" in body, "by the store's clock"
    assert "Both scans are kept" in body
    Finding.objects.filter(pk=finding.pk).update(gone_at=NOW)
    assert "Both scans are kept" not in client.get(url).content.decode()


def test_holding_and_releasing(loop, as_):
    client = as_(loop.people["operator"])
    url = reverse("web:order", args=[loop.held.pk])
    client.post(reverse("web:order_hold", args=[loop.held.pk]), {"reason": "buyer rang"})
    assert set(Hold.objects.filter(order=loop.held, released_at=None).values_list("reason", flat=True)) == {
        "by_hand", "mapping_missing",
    }  # fmt: skip
    assert "buyer rang" in client.get(url).content.decode()
    response = client.post(reverse("web:orders_release"), {"ids": [loop.held.pk, loop.done.pk]}, follow=True)
    body = response.content.decode()
    assert "1 order released." in body and "1 was not held." in body
    hold = Hold.objects.get(order=loop.held, reason="by_hand")
    assert hold.released_by == f"user:{loop.people['operator'].pk}" and hold.released_at == NOW
    work_until_idle(at=NOW)
    assert Hold.objects.filter(order=loop.held, reason="mapping_missing", released_at=None).exists()  # still unknown
    assert "by_hand" not in client.get(url).content.decode()


def test_one_hold_is_released_from_its_order(loop, as_):
    hold = Hold.objects.get(order=loop.held)
    as_(loop.people["operator"]).post(reverse("web:hold_release", args=[hold.pk]))
    hold.refresh_from_db()
    assert hold.released_at == NOW
    assert PendingReaction.objects.filter(reaction="route_orders", things__contains=[loop.held.pk]).exists()


ADDRESS = {"name": "Ben Reed", "line1": "2 Low Road", "city": "York", "postcode": "YO1", "country": "gb"}


def test_the_address_changes_until_something_was_placed(loop, as_):
    client = as_(loop.people["operator"])
    response = client.post(reverse("web:order_address", args=[loop.held.pk]), ADDRESS)
    assert response.status_code == 302
    loop.held.refresh_from_db()
    newest = loop.held.addresses.get(version=loop.held.address_version)
    assert (newest.name, newest.country, loop.held.address_version) == ("Ben Reed", "GB", 2)
    body = client.get(reverse("web:order", args=[loop.held.pk])).content.decode()
    assert "Ben Reed" in body and "1 earlier version" in body
    for wrong in ({"name": ""}, {"country": "England"}):
        assert client.post(reverse("web:order_address", args=[loop.held.pk]), ADDRESS | wrong).status_code == 422


def test_an_address_a_supplier_has_stays(loop, as_):
    cast.receive_orders(loop.shop, ["B1"], at=NOW - timedelta(hours=2))
    work_until_idle(at=NOW - timedelta(hours=1))
    order = Order.objects.get(number="B1")
    response = as_(loop.people["operator"]).post(reverse("web:order_address", args=[order.pk]), ADDRESS)
    assert response.status_code == 422 and "already carries this address" in response.content.decode()
    assert Order.objects.get(pk=order.pk).address_version == 1


def test_cancelling_what_nobody_was_asked_for(loop, as_):
    client = as_(loop.people["operator"])
    line = loop.held.lines.get()
    url = reverse("web:order_give_back", args=[loop.held.pk])
    data = {"what": "cancel", "reason": "changed_mind", f"line_{line.pk}": "2"}
    assert client.post(url, data).status_code == 302
    loop.held.refresh_from_db()
    assert (loop.held.status, loop.held.open_holds) == ("cancelled", 0)
    bought = loop.done.lines.first()
    response = client.post(
        reverse("web:order_give_back", args=[loop.done.pk]), data | {f"line_{bought.pk}": "1"}
    )
    assert response.status_code == 422 and "already ordered from a supplier" in response.content.decode()


def test_a_refund_opens_a_case_and_is_booked(loop, as_):
    client = as_(loop.people["operator"])
    line = loop.done.lines.order_by("line_no").first()
    url = reverse("web:order_give_back", args=[loop.done.pk])
    data = {"what": "refund", "reason": "damaged", f"line_{line.pk}": "1", "amount": "12.00"}
    assert client.post(url, data).status_code == 422  # why no claim?
    assert not AftersaleCase.objects.exists()
    assert client.post(url, data | {"no_claim_reason": "cheaper than arguing"}).status_code == 302
    refund = Refund.objects.get()
    assert (refund.amount, refund.case.state, refund.order_id) == (Decimal(12), "refunded", loop.done.pk)
    work_until_idle(at=NOW)
    for name, pk in (("case", refund.case_id), ("refund", refund.pk)):
        assert "DONE-71" in client.get(reverse(f"web:{name}", args=[pk])).content.decode()
        assert as_(loop.stranger).get(reverse(f"web:{name}", args=[pk])).status_code == 404
        client = as_(loop.people["operator"])
    loop.done.refresh_from_db()
    assert loop.done.refunded_amount == 12


def test_a_case_is_refunded_later(loop, as_):
    client = as_(loop.people["operator"])
    line = loop.done.lines.order_by("line_no").first()
    client.post(
        reverse("web:order_give_back", args=[loop.done.pk]),
        {"what": "return", "reason": "wrong_item", f"line_{line.pk}": "1"},
    )
    case = AftersaleCase.objects.get()
    assert (case.state, case.kind) == ("requested", "return")
    url = reverse("web:case_refund", args=[case.pk])
    response = client.post(url, {"amount": "9999", "no_claim_reason": "x"})
    assert response.status_code == 422 and "can still be refunded" in response.content.decode()
    assert client.post(url, {"amount": "5", "no_claim_reason": "small"}).status_code == 302
    case.refresh_from_db()
    assert case.state == "refunded"
    assert as_(loop.people["viewer"]).get(url).status_code == 403


def test_a_case_goes_its_way_by_its_buttons(loop, as_):
    client = as_(loop.people["operator"])
    line = loop.done.lines.order_by("line_no").first()
    asked = {"what": "return", "reason": "wrong_item", f"line_{line.pk}": "2"}
    client.post(reverse("web:order_give_back", args=[loop.done.pk]), asked)
    case = AftersaleCase.objects.get()
    page = reverse("web:case", args=[case.pk])

    def step(to):
        return reverse("web:case_step", args=[case.pk, to])

    body = client.get(page).content.decode()
    assert step("approved") in body and step("refused") in body and step("closed") not in body
    assert "1 buyer asks for money back" in client.get(reverse("web:today")).content.decode()
    assert "why it is refused" in client.post(step("refused"), {"reason": " "}, follow=True).content.decode()
    client.post(reverse("web:cases_step", args=["approved"]), {"ids": [case.pk]})
    body = client.get(page).content.decode()
    assert step("approved") not in body and reverse("web:case_received", args=[case.pk]) in body
    client.post(reverse("web:case_returning", args=[case.pk]), {"number": "RT 1"})
    back, received = case.lines.get(), reverse("web:case_received", args=[case.pk])
    assert client.post(received, {f"units_{back.pk}": "3", f"outcome_{back.pk}": "damaged"}).status_code == 422
    sent = client.post(received, {f"units_{back.pk}": "1", f"outcome_{back.pk}": "damaged", "note": "box open"})
    assert sent.status_code == 302
    body = client.get(page).content.decode()
    for told in ("RT 1", "The goods came back", "box open", "Return agreed to", step("refused")):
        assert told in body, told
    assert "1 buyer waits for an agreed refund" in client.get(reverse("web:today")).content.decode()
    assert 'value="12.00"' in client.get(reverse("web:case_refund", args=[case.pk])).content.decode()
    again = client.post(reverse("web:case_returning", args=[case.pk]), {"number": "RT 2"})
    assert again.status_code == 422 and "it cannot become" in again.content.decode()
    for name in ("case_returning", "case_received"):
        url = reverse(f"web:{name}", args=[case.pk])
        assert as_(loop.stranger).get(url).status_code == 404
        assert as_(loop.people["viewer"]).get(url).status_code == 403
    assert as_(loop.stranger).post(step("refunded")).status_code == 404
    assert as_(loop.people["viewer"]).post(step("closed")).status_code == 403
    assert "已收到退货" in as_(loop.people["operator"], "zh-hans").get(page).content.decode()


# --- Purchases and runs -------------------------------------------------------------------------------------------


@pytest.fixture
def waiting_run(loop):
    """A workbook that waits for a person to download it."""
    type(loop.shop.factory).objects.filter(pk=loop.shop.factory.pk).update(delivery="download")
    cast.receive_orders(loop.shop, ["D1", "D2"], skus=(cast.FROM_FACTORY,), at=NOW - timedelta(hours=3))
    work_until_idle(at=NOW - timedelta(hours=2))
    fix_runs(at=NOW - timedelta(hours=1), by="user:1")
    return PurchaseRun.objects.get(state="fixed")


def test_downloading_a_workbook_places_it_and_a_second_time_says_repeat(loop, waiting_run, as_):
    client = as_(loop.people["operator"])
    url = reverse("web:run_download", args=[waiting_run.pk])
    copy = client.post(url)
    assert copy.content == bytes(waiting_run.content) and "COPY-" in copy["Content-Disposition"]
    waiting_run.refresh_from_db()
    assert (waiting_run.state, waiting_run.times_sent) == ("fixed", 0)
    first = client.post(url, {"place": "1"})
    assert waiting_run.name in first["Content-Disposition"] and "REPEAT" not in first["Content-Disposition"]
    again = client.post(url, {"place": "1"})
    assert "REPEAT-2-" in again["Content-Disposition"]
    assert copy.content == first.content == again.content
    waiting_run.refresh_from_db()
    assert (waiting_run.state, waiting_run.times_sent) == ("placed", 2)
    assert set(waiting_run.purchase_orders.values_list("state", flat=True)) == {"placed"}
    assert client.get(url).status_code == 405  # a link somebody prefetches places nothing


def test_a_run_in_doubt_is_settled_by_a_person(loop, waiting_run, as_):
    client = as_(loop.people["operator"])
    for state in ("sending", "unknown"):
        move(PURCHASE_RUN, [waiting_run.pk], to=state, by="job:send_runs", at=NOW)
    assert "Nobody knows whether it was sent" in client.get(reverse("web:run", args=[waiting_run.pk])).content.decode()
    refused = client.post(reverse("web:run_download", args=[waiting_run.pk]), {"place": "1"}, follow=True)
    assert "First say what became of it" in refused.content.decode()
    client.post(reverse("web:run_settle", args=[waiting_run.pk]), {"sent": "1"})
    waiting_run.refresh_from_db()
    assert waiting_run.state == "placed"
    settled = client.post(reverse("web:run_settle", args=[waiting_run.pk]), {"sent": "0"}, follow=True)
    assert "nothing to settle" in settled.content.decode()


def test_a_reply_is_read_where_the_run_stands(loop, waiting_run, as_, client):
    from django.core.files.uploadedfile import SimpleUploadedFile

    operator = as_(loop.people["operator"])
    operator.post(reverse("web:run_download", args=[waiting_run.pk]), {"place": "1"})
    url = reverse("web:run_reply", args=[waiting_run.pk])
    reference = waiting_run.purchase_orders.order_by("pk").first().reference
    text = f"Reference,Line,Accepted,Shipped,Carrier,Tracking number\n{reference},1,2,2,Royal Mail,RM000000777GB\n"
    refused = operator.post(url, {"file": SimpleUploadedFile("reply.csv", text.encode())})
    assert refused.status_code == 422 and "belongs to all stores" in refused.content.decode()
    root = as_(loop.root)
    assert root.post(url, {"file": SimpleUploadedFile("reply.csv", text.encode())}).status_code == 302
    assert Parcel.objects.filter(number="RM000000777GB").exists()
    nothing = root.post(url, {"file": SimpleUploadedFile("reply.xlsx", b"PK no workbook")})
    assert nothing.status_code == 422


def test_a_purchase_in_doubt_is_settled_by_a_person(loop, as_):
    client = as_(loop.people["operator"])
    cast.receive_orders(loop.shop, ["E1"], skus=(cast.FROM_SYSTEM,), at=NOW - timedelta(hours=2))
    from daifa.flows.react import react

    react(at=NOW - timedelta(hours=1))
    purchase = PurchaseOrder.objects.get(order__number="E1")
    for state in ("submitting", "unknown"):
        move(PURCHASE_ORDER, [purchase.pk], to=state, by="job:submit_purchases", at=NOW)
    open_tasks(
        [NewTask("purchase_unknown", loop.store.pk, "purchase_order", purchase.pk, {"reference": purchase.reference})],
        at=NOW,
    )
    today = client.get(reverse("web:today")).content.decode()
    assert purchase.reference in today and "Clear this up first" in today
    url = reverse("web:purchase_settle", args=[purchase.pk])
    assert as_(loop.people["viewer"]).post(url, {"placed": "1"}).status_code == 403
    client = as_(loop.people["operator"])
    client.post(url, {"placed": "0"})
    purchase.refresh_from_db()
    assert purchase.state == "ready" and not Task.objects.filter(kind="purchase_unknown", closed_at=None).exists()
    assert "Nothing about this purchase order is in doubt" in client.post(url, follow=True).content.decode()


# --- Parcels ------------------------------------------------------------------------------------------------------


def test_a_number_is_replaced_once(loop, as_):
    client = as_(loop.people["operator"])
    cast.receive_orders(loop.shop, ["P1"], skus=(cast.FROM_FACTORY,), at=NOW - timedelta(hours=9))
    work_until_idle(at=NOW - timedelta(hours=8))
    run = PurchaseRun.objects.order_by("-pk").first()
    cast.answer_run(loop.shop, run.pk, at=NOW - timedelta(hours=7))
    work_until_idle(at=NOW - timedelta(hours=6))
    parcel = Parcel.objects.get(order__number="P1")
    url = reverse("web:parcel_number", args=[parcel.pk])
    assert client.post(url, {"number": "??"}).status_code == 422
    assert client.post(url, {"number": "rm 9876 54321gb"}).status_code == 302
    parcel.refresh_from_db()
    assert parcel.number == "RM987654321GB"
    assert WaybillNumber.objects.filter(parcel=parcel).count() == 2
    assert client.post(url, {"number": "RM987654321GB"}).status_code == 422  # it has it already
    work_until_idle(at=NOW)
    assert DispatchNotice.objects.filter(parcel=parcel, version=2).count() == 1
    body = client.get(reverse("web:parcel", args=[parcel.pk])).content.decode()
    assert "Its numbers" in body and "in force" in body
    ended = Parcel.objects.filter(state="delivered").first()
    response = client.post(reverse("web:parcel_number", args=[ended.pk]), {"number": "RM1234567"})
    assert response.status_code == 422 and "its number stays" in response.content.decode()


def test_a_dispatch_file_confirms_and_can_be_taken_again(loop, as_):
    client = as_(loop.people["operator"])
    url = reverse("web:dispatch_file", args=[loop.store.pk])
    waiting = DispatchNotice.objects.filter(store=loop.store, state="queued").count()
    assert waiting and str(waiting) in client.get(reverse("web:dispatch_files")).content.decode()
    first = client.post(url, {"form": "csv"})
    assert first["Content-Type"].startswith("text/csv") and b"DONE-71" in first.content
    assert not DispatchNotice.objects.filter(store=loop.store, state="queued").exists()
    number = DispatchNotice.objects.filter(store=loop.store).first().answer.partition(":")[2]
    assert number in client.get(reverse("web:dispatch_files")).content.decode()
    assert client.post(url, {"form": "csv", "again": number}).content == first.content
    assert "There is no dispatch file" in client.post(url, {"again": "999999"}, follow=True).content.decode()
    assert as_(loop.people["viewer"]).get(reverse("web:dispatch_files")).status_code == 403


# --- Messages -----------------------------------------------------------------------------------------------------


def test_messages_in_doubt_and_waiting(loop, as_):
    client = as_(loop.people["operator"])
    message = Message.objects.filter(order=loop.held, kind="order_received").get()
    url = reverse("web:message", args=[message.pk])
    if message.state == "sent":
        Message.objects.filter(pk=message.pk).update(state="queued", sent_at=None, subject="", body="", at=NOW)
    body = client.get(url).content.decode()
    assert "As it would be sent now" in body and "Anna" in body
    for state in ("sending", "unknown"):
        move(MESSAGE, [message.pk], to=state, by="job:send_messages", at=NOW)
    client.post(reverse("web:message_settle", args=[message.pk]), {"sent": "0"})
    message.refresh_from_db()
    assert message.state == "queued"
    client.post(reverse("web:messages_stop"), {"ids": [message.pk]})
    message.refresh_from_db()
    assert (message.state, message.reason) == ("suppressed", "by_hand")
    assert "a person stopped it" in client.get(url).content.decode()
    again = client.post(reverse("web:message_stop", args=[message.pk]), follow=True).content.decode()
    assert "cannot be stopped" in again


# --- Today --------------------------------------------------------------------------------------------------------


def test_today_shows_what_needs_a_person_and_settles_it(loop, as_):
    client = as_(loop.people["operator"])
    open_tasks([NewTask("parcel_lost", loop.store.pk, "parcel", Parcel.objects.first().pk, {"number": "RM1"})], at=NOW)
    body = client.get(reverse("web:today")).content.decode()
    assert "1 order held: nobody has said which supplier SKU this is" in body and "Parcel RM1 counts as lost" in body
    task = Task.objects.get(kind="parcel_lost")
    assert as_(loop.stranger).post(reverse("web:today_done", args=[task.pk])).status_code == 404
    client = as_(loop.people["operator"])
    client.post(reverse("web:today_done", args=[task.pk]))
    task.refresh_from_db()
    assert task.closed_by == f"user:{loop.people['operator'].pk}"
    asked = {"hold": "mapping_missing", "store": loop.store.pk}
    client.post(reverse("web:today_release"), asked)
    loop.held.refresh_from_db()
    assert loop.held.open_holds == 0
    assert as_(loop.stranger).post(reverse("web:today_release"), asked).status_code == 404


def test_parked_steps_are_tried_again_by_those_who_may(loop, as_):
    keep_pending("post_orders", {loop.held.pk: "ValueError: no account"}, state="parked", at=NOW)
    open_tasks([NewTask("reaction_parked", None, "post_orders", loop.held.pk, {"reaction": "post_orders"})], at=NOW)
    assert "no account" in as_(loop.root).get(reverse("web:today")).content.decode()
    asked = {"reaction": "post_orders"}
    refused = as_(loop.people["operator"]).post(reverse("web:today_retry"), asked, follow=True)
    assert "belongs to all stores" in refused.content.decode()
    assert PendingReaction.objects.filter(state="parked").exists()
    as_(loop.root).post(reverse("web:today_retry"), asked)
    assert not PendingReaction.objects.filter(state="parked").exists()
    assert not Task.objects.filter(kind="reaction_parked", closed_at=None).exists()


def test_pages_ask_little(loop, as_, django_assert_max_num_queries):
    client = as_(loop.people["operator"])
    for url in [*(reverse(f"web:{name}") for name in LISTS), *details()]:
        with django_assert_max_num_queries(22):
            client.get(url)
