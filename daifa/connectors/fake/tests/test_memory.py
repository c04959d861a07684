"""What the scripted supplier remembers survives being cut off in the middle."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daifa.connectors.contract import Address, PurchaseRequest, PurchaseRequestLine
from daifa.connectors.fake.connector import FakeSupplier

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def a_request(reference: str) -> PurchaseRequest:
    return PurchaseRequest(reference, "fake", "GBP", Address(name="Ann"), (PurchaseRequestLine("1", "F-1", 2, Decimal("4")),))


def cut_off(reference: str) -> str:
    raise KeyboardInterrupt


def test_a_purchase_is_remembered_with_its_waybill_or_not_at_all(tmp_path, monkeypatch):
    supplier = FakeSupplier(code="fake", script={}, memory=tmp_path / "suppliers.sqlite3")
    with monkeypatch.context() as cut:
        cut.setattr(supplier, "number_of", cut_off)
        with pytest.raises(KeyboardInterrupt):
            supplier.place([a_request("G-1")], at=AT)
    assert supplier.find(["G-1"], at=AT) == {"G-1": None}

    supplier.place([a_request("G-1")], at=AT)
    scans = supplier.track([supplier.number_of("G-1")], at=AT + timedelta(days=20))
    assert [scan.status for scan in scans] == ["handed_over", "in_transit", "delivered"]
