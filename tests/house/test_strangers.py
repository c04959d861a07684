"""A stranger to a store gets nothing of it from any page or file. The pages are enumerated, not listed: a new one is in."""

import re

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from daifa.domain.aftersales.commands import open_case, refund_case
from daifa.domain.books.commands import NewExpense, add_expenses
from daifa.domain.books.models import Entry
from daifa.domain.catalog.models import ListingVariant
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.messages.models import Message
from daifa.domain.orders.models import Hold, Order
from daifa.domain.people.models import User
from daifa.domain.policy.commands import NewOverride, override_rules
from daifa.domain.policy.models import TextFinding
from daifa.domain.purchasing.models import PurchaseOrder, PurchaseRun
from daifa.domain.shipping.models import Parcel
from daifa.domain.stores.commands import NewTask, add_store, open_tasks
from daifa.domain.stores.models import FeeRule, StoreAccess, Task
from tests import cast

pytestmark = pytest.mark.django_db

# Open to everybody, or about the caller alone.
OPEN = {"status_page", "status_json", "status_badge", "health", "login_once", "set_language", "switch_language", "switch_store"}
FOREIGN = ("anna77001@example.invalid", "Anna Wood", "77001", "77002", "77003", "Kiln of the others")


def pages() -> list[tuple[str, str]]:
    """(path with its parameters, name) of every page of the console."""
    found = []

    def walk(resolver: URLResolver, path: str) -> None:
        for one in resolver.url_patterns:
            if isinstance(one, URLResolver):
                if one.namespace != "api-1" and not str(one.pattern).startswith(("account/", "api/")):
                    walk(one, path + str(one.pattern))
            elif isinstance(one, URLPattern):
                found.append((path + str(one.pattern), one.name or ""))

    walk(get_resolver(), "/")
    return [(path, name) for path, name in found if "^" not in path]


PAGES = pages()


@pytest.fixture
def foreign():
    """Everything a store can have, in a store the stranger may not see; his own store is empty."""
    shop = cast.open_shop()
    at = cast.whole_loop(shop, ["77001", "77002"])
    cast.receive_orders(shop, ["77003"], skus=("VASE",), at=at)
    from daifa.flows.work import work_until_idle

    work_until_idle(at=at)
    order = Order.objects.get(number="77001")
    line = order.lines.first()
    case = open_case(order_id=order.pk, kind="refund", reason="damaged", lines=[(line.pk, 1)], note="", by=cast.BY, at=at)
    refund = refund_case(case_id=case, amount=line.amount / 2, no_claim_reason="goodwill", by=cast.BY, at=at)
    from datetime import date
    from decimal import Decimal

    add_expenses(
        [NewExpense(shop.store.pk, "tools", Decimal("5"), "GBP", date(2026, 3, 3), "Kiln of the others", "k1", 1)],
        by=cast.BY, at=at,
    )  # fmt: skip
    file = ImportFile.objects.filter(store=shop.store).first()
    row = ImportRow.objects.create(file=file, row=3, document="77001", code="x", message="77001", at=at)
    open_tasks([NewTask(kind="order_changed", store_id=shop.store.pk, thing_kind="order", thing=order.pk,
                        params={"number": "77001", "what": ["lines"]})], at=at)  # fmt: skip
    own = add_store(code="own", name="Own", currency="GBP", kind="own_site", by=cast.BY, at=at)
    stranger = User.objects.create_user("stranger", password="x")
    StoreAccess.objects.create(user=stranger, store=own, role="owner")
    PurchaseRun.objects.all().update(store=shop.store)
    note = {"store": shop.store, "note": "Kiln of the others", "at": at}
    from daifa.domain.compliance.models import AffiliateLink, PlanStep, Risk
    from daifa.domain.shipping.models import ParcelCheck
    from daifa.domain.sourcing.models import Agreement

    risk = Risk.objects.create(store=shop.store, kind="foreign_trace", state="open", level="act", count=3, base=3, line=3,
                               note="Kiln of the others", found_at=at, seen_at=at)  # fmt: skip
    check = ParcelCheck.objects.create(order=order, about="complaint", state="received", name="77001.png", media_type="image/png",
                                       sha256="0" * 64, size=1, width=1, height=1, by=cast.BY, **note)  # fmt: skip
    step = PlanStep.objects.create(situation="orders", kind="negotiate", state="todo", supplier=shop.factory, moved_at=at, **note)
    from daifa.domain.sourcing.models import Sample

    sample = Sample.objects.create(store=shop.store, supplier=shop.factory, state="wanted", title="Kiln of the others", send_to="77001",
                                   currency="GBP", by=cast.BY, at=at)  # fmt: skip
    link = AffiliateLink.objects.create(store=shop.store, name="Kiln of the others", url="https://example.com/77001", at=at, by=cast.BY)
    word = NewOverride("xhs-comp-badtrack", "Kiln of the others", at.date(), {"cap": "250"}, shop.store.pk)
    said = override_rules([word], by=cast.BY, at=at)
    TextFinding.objects.create(kind="listing", thing=1, store=shop.store, name="77001", field="title", term="Kiln of the others",
                               category="brand", severity="block", start=0, end=1, found_at=at)  # fmt: skip
    things = {
        "override": said.ids[0], "risk": risk.pk, "parcel_check": check.pk, "plan_step": step.pk, "affiliate_link": link.pk,
        "sample": sample.pk, "agreement": Agreement.objects.filter(store=shop.store).first().pk,
        "order": order.pk, "purchase": PurchaseOrder.objects.first().pk, "run": PurchaseRun.objects.first().pk,
        "parcel": Parcel.objects.first().pk, "message": Message.objects.first().pk, "case": case, "refund": refund,
        "import": file.pk, "row": row.pk, "hold": Hold.objects.first().pk, "store": shop.store.pk,
        "entry": Entry.objects.first().pk, "fee": FeeRule.objects.first().pk, "task": Task.objects.first().pk,
        "listing": (ListingVariant.objects.filter(store=shop.store).first() or ListingVariant(pk=10**9)).pk,
        **closings_of(shop, at),
        "dispatch": shop.store.pk, **cases_of(shop, order.pk, at),
    }  # fmt: skip
    return stranger, things


def closings_of(shop, at) -> dict[str, int]:
    """A closing with evidence, and a way back from it."""
    from daifa.domain.closing import commands, queries
    from daifa.domain.closing.models import Lifecycle, StepEvidence
    from daifa.flows import close_store

    closing = close_store.start(store_id=shop.store.pk, scenario="choice", reason="Kiln of the others", by=cast.BY, at=at)
    life = Lifecycle.objects.filter(store=shop.store)
    life.update(state="archived")
    back = commands.plan_readmission(closing_id=closing.pk, cause="Kiln of the others", by=cast.BY, at=at)
    commands.add_comeback_papers(step_id=queries.plan_of(back.pk)[0].pk, papers=[("77001.pdf", b"%PDF-1.4 Anna Wood 77001")], by=cast.BY, at=at)
    life.update(state="closing")
    kept = StepEvidence.objects.filter(step__closing=closing).first()
    return {
        "closing": closing.pk, "closing_step": closing.steps.first().pk, "closing_evidence": kept.pk, "readmission": back.pk,
        "comeback_step": queries.plan_of(back.pk)[0].pk, "comeback_paper": queries.papers_of(back.pk)[0].pk,
    }  # fmt: skip


def cases_of(shop, order: int, at) -> dict[str, int]:
    """One case of each kind, with a photo, a licence and an evidence pack."""
    from datetime import date
    from io import BytesIO

    from PIL import Image

    from daifa.domain.cases import commands as cases
    from daifa.domain.cases.models import CaseFile
    from daifa.domain.catalog.models import ListingVariant

    found = cast.open_one_case_each(shop, at=at, order="77001")
    picture = BytesIO()
    Image.new("RGB", (20, 20), "red").save(picture, "PNG")
    [file], _ = cases.attach_files([("77001.png", picture.getvalue())], store_id=shop.store.pk, thing_kind="complaint",
                                   thing=found["complaint"], by=cast.BY, at=at)  # fmt: skip
    licence = cases.add_qualification(store=shop.store, kind="ccc", number="77001", valid_from=date(2026, 1, 1), by=cast.BY, at=at)
    pack = cases.ask_pack(
        store_id=shop.store.pk, case_kind="complaint", case=found["complaint"], orders=[order], name="77001.zip", language="en",
        revealed=True, reason="77001", by=cast.BY, at=at,
    )  # fmt: skip
    cases.finish_pack(pack.pk, name="77001.zip", content=b"Anna Wood 77001", contents=[("77001", "0" * 64, 15, "")], left_out=["77001"],
                      gaps=["77001"], by=cast.BY, at=at)  # fmt: skip
    listing = ListingVariant.objects.create(store=shop.store, sku="77001-R", title="77001", created_at=at)
    [right] = cases.record_right(
        listing_ids=[listing.pk], store=shop.store, right="trademark", basis="own", number="77001", valid_from=date(2026, 1, 1), by=cast.BY, at=at
    )
    [cover] = cases.note_readings(
        [cases.Reading(CaseFile.objects.get(pk=file).sha256, "cases", "1" * 64, why="no_text")], store_id=shop.store.pk, by=cast.BY, at=at
    )
    del found["move"]
    return {**found, "picture": cover.pk, "right": right, "qualification": licence.pk, "evidence": pack.pk, "casefile": file}


def thing_of(path: str, name: str, things: dict[str, int]) -> int:
    """The id of what a page is about, by its name or its place."""
    for word, place in (
        ("closing_step", "/closings/steps/"), ("closing_evidence", "/closings/evidence/"),
        ("comeback_paper", "/closings/back/papers/"), ("comeback_step", "/closings/back/steps/"), ("readmission", "/closings/back/"),
        ("picture", "/evidence/photos/"), ("right", "/infringements/rights/"), ("override", "/rules/overrides/"), ("appeal", "/violations/appeals/"), ("plan_step", "/plan/steps/"), ("affiliate_link", "/plan/links/"), ("risk", "/risks/"),
        ("parcel_check", "/parcel-checks/"), ("agreement", "/suppliers/agreements/"), ("sample", "/suppliers/samples/<"),
        ("row", "/rows/"), ("refund", "/refunds/"), ("case", "/cases/"), ("hold", "/holds/"), ("fee", "/fees/"),
        ("entry", "/entries/"), ("listing", "/listings/"), ("dispatch", "/dispatch/"), ("store", "/exit-index/"), ("store", "/store-health/"),
    ):  # fmt: skip
        if place in path:
            return things[word]
    head = path.strip("/").split("/")[0].rstrip("s")
    return things.get({"import": "import"}.get(head, head), 1)


def address(path: str, name: str, things: dict[str, int]) -> str:
    path = re.sub(r"<int:\w+>", lambda _: str(thing_of(path, name, things)), path)
    path = path.replace("<slug:rule_id>", "xhs-comp-badtrack").replace("<slug:where>", str(things["store"])).replace("<slug:kind>", "dispatched")
    return re.sub(r"<slug:\w+>", "en", re.sub(r"<str:\w+>", "x", path))


def body(response) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode("utf-8", "ignore")


def test_a_stranger_sees_nothing_and_does_nothing(client, foreign):
    stranger, things = foreign
    client.force_login(stranger, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.raise_request_exception = False
    counts = (Order.objects.count(), PurchaseOrder.objects.count(), Hold.objects.filter(released_at=None).count(),
              Message.objects.filter(state="sent").count(), Entry.objects.count(), Task.objects.filter(closed_at=None).exclude(store__code="own").count())  # fmt: skip
    leaks = []
    for path, name in PAGES:
        if name in OPEN:
            continue
        url = address(path, name, things)
        for method in ("get", "post"):
            data = {"ids": [things["order"]], "reason": "x"} if method == "post" else {}
            response = getattr(client, method)(url, data)
            if response.status_code >= 500:
                leaks.append(f"{method} {url}: answered {response.status_code}")
                continue
            text = body(response)
            for secret in FOREIGN:
                if secret in text:
                    leaks.append(f"{method} {url} ({name}) shows {secret}")
                    break
            about_store = "<" in path and not path.startswith(("/suppliers", "/catalogue", "/people", "/profile", "/books/payments", "/rules/<slug", "/words/products"))
            if about_store and response.status_code not in (403, 404, 405):
                leaks.append(f"{method} {url} ({name}) answered {response.status_code}")
    for url in ("/search/", "/orders/", "/parcels/", "/purchases/", "/imports/", "/messages/"):
        for asked in ("77001", "Anna Wood"):
            text = body(client.get(url, {"q": asked}, follow=True))
            if f"/orders/{things['order']}/" in text or f"/parcels/{things['parcel']}/" in text:
                leaks.append(f"{url} finds {asked}")
    assert not leaks, "\n".join(leaks)
    assert counts == (
        Order.objects.count(), PurchaseOrder.objects.count(), Hold.objects.filter(released_at=None).count(),
        Message.objects.filter(state="sent").count(), Entry.objects.count(), Task.objects.filter(closed_at=None).exclude(store__code="own").count(),
    )  # fmt: skip


def test_nobody_gets_in_without_a_login(client, foreign):
    _, things = foreign
    for path, name in PAGES:
        if name in OPEN:
            continue
        response = client.get(address(path, name, things))
        assert response.status_code in (302, 403, 404, 405), (path, response.status_code)
        if response.status_code == 302:
            assert "/account/login/" in response["Location"], path


def test_uploaded_files_have_no_address():
    """Files lie in the home; nothing below it is served by its path."""
    assert not any("media" in path for path, _ in PAGES)
