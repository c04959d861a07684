"""A channel that masks its buyers gives a masked name, a masked phone and a token. That is all anybody ever sees."""

import io
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from python_calamine import CalamineWorkbook

from daifa.connectors.contract import Address, IncomingLine, IncomingOrder
from daifa.domain.messages.models import Message
from daifa.domain.orders.models import AddressVersion, Order
from daifa.domain.people.models import User
from daifa.domain.purchasing.models import PurchaseRun
from daifa.domain.shipping.models import Parcel, PlatformWaybill
from daifa.domain.stores.models import StoreAccess
from daifa.flows import intake, place_purchases
from daifa.flows.audit import audit
from daifa.flows.dispatch import export_dispatches
from daifa.flows.work import work_until_idle
from tests import cast

pytestmark = pytest.mark.django_db

PLAIN = Address(name="张晓明", line1="凤起路1号", city="杭州", country="CN", phone="13812341234", email="zhang@example.invalid")
MASKED = Address(name="张**", line1="凤起路***", city="杭州", country="CN", phone="138****1234", token="v2#kx81masked#token")
SECRETS = ("张晓明", "凤起路1号", "13812341234", "zhang@example.invalid")


def order(number: str, address: Address) -> IncomingOrder:
    lines = (IncomingLine(1, "MUG", "Mug", 2, Decimal("12.00"), Decimal("24.00")),
             IncomingLine(2, "LAMP", "Lamp", 1, Decimal("30.00"), Decimal("30.00")))  # fmt: skip
    return IncomingOrder(number, cast.MORNING, lines, (1, 2), "GBP", paid_at=cast.MORNING, customer_ref="zhang", country="CN", address=address)


def test_nothing_unmasks_a_masked_recipient(client, monkeypatch):
    shop = cast.open_shop()
    # The same customer bought before, when the channel still told his name.
    intake.receive_orders([replace(order("OLD", PLAIN), dispatched_at=cast.MORNING)], store=shop.store, source="api:1", by=cast.BY, at=cast.MORNING)
    assert Order.objects.get(number="OLD").is_history
    intake.receive_orders([order("NEW", MASKED)], store=shop.store, source="api:2", by=cast.BY, at=cast.MORNING)
    PlatformWaybill.objects.create(store=shop.store, order=Order.objects.get(number="NEW"), number="XHS0012345", source="api:2", at=cast.MORNING)
    asked = []
    plain_connector = place_purchases.supplier_connector

    def listening(**how):
        connector = plain_connector(**how)
        place = connector.place
        connector.place = lambda requests, *, at: (asked.extend(requests), place(requests, at=at))[1]
        return connector

    monkeypatch.setattr(place_purchases, "supplier_connector", listening)
    work_until_idle(at=cast.MORNING)
    stored = AddressVersion.objects.get(order__number="NEW")
    assert {name: getattr(stored, name) for name in ("name", "line1", "phone", "token")} == {
        "name": "张**", "line1": "凤起路***", "phone": "138****1234", "token": "v2#kx81masked#token",
    }  # fmt: skip
    # The supplier with a system gets the token and the masked words, the workbook what the channel gave.
    (request,) = asked
    assert (request.address.name, request.address.phone, request.address.token) == ("张**", "138****1234", MASKED.token)
    run = PurchaseRun.objects.get()
    cells = [str(c) for row in CalamineWorkbook.from_filelike(io.BytesIO(bytes(run.content))).get_sheet_by_index(0).to_python() for c in row]
    assert "张**" in cells and "138****1234" in cells and "凤起路***" in cells
    # With that alone nothing can be shipped: the channel's token and its own e-waybill stand beside it.
    assert MASKED.token in cells and "XHS0012345" in cells and {"收件人密文", "平台电子面单号"} <= set(cells)
    at = cast.MORNING + timedelta(hours=30)
    cast.answer_run(shop, run.pk, at=at)
    work_until_idle(at=at)
    assert [parcel.number for parcel in Parcel.objects.filter(order__number="NEW", supplier=shop.factory)] != ["XHS0012345"]
    seen = " ".join(cells)
    seen += repr(asked)
    seen += export_dispatches(shop.store, by=cast.BY, at=at, form="csv")[1].decode("utf-8-sig")
    seen += " ".join(f"{m.subject} {m.body}" for m in Message.objects.filter(order__number="NEW"))
    owner = User.objects.create_user("owner", password="x")
    StoreAccess.objects.create(user=owner, store=shop.store, role="owner")
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    new = Order.objects.get(number="NEW").pk
    page = client.get(f"/orders/{new}/").content.decode()
    assert "张**" in page
    seen += page + client.get(f"/api/v1/orders/{new}").content.decode()
    seen += client.get("/purchases/").content.decode()
    assert [secret for secret in SECRETS if secret in seen] == []
    assert audit() == []


def test_nothing_in_the_program_asks_a_channel_to_unmask():
    """No capability of connectors, no command and no button decrypts a recipient."""
    import re
    from pathlib import Path

    import daifa

    words = re.compile(r"\b(unmask(?!ed)|decrypt_(recipient|address|buyer|receiver)|batch_decrypt|desensiti)", re.I)
    found = [
        path.name for path in Path(daifa.__file__).parent.rglob("*.py")
        if "tests" not in path.parts and words.search(re.sub(r"#.*|\"\"\".*?\"\"\"", "", path.read_text(), flags=re.S))
    ]  # fmt: skip
    assert found == []
