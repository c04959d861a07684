"""Telling the store: one notice for each parcel and number, taken as a file that can be taken again."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import transaction
from openpyxl import load_workbook

from daifa.domain.history.models import Transition
from daifa.domain.shipping.models import DispatchNotice, Parcel
from daifa.domain.shipping.process import DISPATCH_NOTICE
from daifa.flows import dispatch
from daifa.lib.refusal import Refused
from tests.shipped_orders import NOON, new_number, order, parcel, store

pytestmark = pytest.mark.django_db

AT = NOON + timedelta(days=3)
JOB = {"at": AT, "by": "user:1"}


def queue(*parcels) -> dict[int, str]:
    with transaction.atomic():
        return dispatch.queue_notices([row.pk for row in parcels], **JOB)


def notices() -> list[tuple[int, str]]:
    return list(DispatchNotice.objects.order_by("id").values_list("version", "state"))


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_one_notice_for_each_parcel_and_number():
    box = parcel(order(store()))
    for _twice in range(2):
        queue(box, box)
    assert notices() == [(1, "queued")]
    new_number(box, "NEW222")
    for _twice in range(2):
        queue(box)
    assert notices() == [(1, "suppressed"), (2, "queued")]
    assert Transition.objects.filter(kind=DISPATCH_NOTICE.kind).count() == 3


def test_a_cancelled_parcel_is_not_told():
    box = parcel(order(store()), state="cancelled")
    assert list(queue(box)) == [box.pk]
    assert notices() == []


def test_a_file_is_the_confirmation_and_can_be_taken_again():
    shop = store(timezone="Asia/Shanghai")
    bought = order(shop, goods=[("MUG", "Mug", 2), ("=SUM(A1)", "Trick", 1)])
    box = parcel(bought)
    other = parcel(order(store("other")))
    queue(box, other)
    name, content, count = dispatch.export_dispatches(shop, form="csv", **JOB)
    assert count == 2
    assert read(content) == [
        ["Order number", "SKU", "Quantity", "Carrier", "Tracking number", "Shipped at", "Replaces number"],
        [bought.number, "MUG", "2", "China Post", "LX123456785CN", "2026-03-04 20:00:00", ""],
        [bought.number, "'=SUM(A1)", "1", "China Post", "LX123456785CN", "2026-03-04 20:00:00", ""],
    ]
    assert notices() == [(1, "confirmed"), (1, "queued")]
    kept = DispatchNotice.objects.get(parcel=box)
    assert kept.sent_at == AT

    # Later the number changes: the old file stays as it was, the new one holds the correction only.
    new_number(box, "NEW222")
    queue(box)
    number = int(name.removesuffix(".csv").rpartition("-")[2])
    assert dispatch.export_dispatches(shop, form="csv", again=number, **JOB) == (name, content, 2)
    _name, corrected, count = dispatch.export_dispatches(shop, form="csv", **JOB)
    assert count == 2
    assert read(corrected)[1] == [
        bought.number,
        "MUG",
        "2",
        "China Post",
        "NEW222",
        "2026-03-04 20:00:00",
        "LX123456785CN",
    ]
    assert dispatch.export_dispatches(shop, form="csv", again=number, **JOB)[1] == content


def test_a_workbook_is_the_same_bytes_each_time_and_holds_no_formula():
    shop = store(language="zh-hans")
    bought = order(shop, goods=[("=1+1", "Trick", 3)])
    queue(parcel(bought, number="00123"))
    name, content, _count = dispatch.export_dispatches(shop, **JOB)
    number = int(name.removesuffix(".xlsx").rpartition("-")[2])
    assert dispatch.export_dispatches(shop, again=number, **JOB)[1] == content
    [heading, row] = load_workbook(io.BytesIO(content)).active.iter_rows()
    assert [cell.value for cell in heading][:5] == ["订单号", "商家编码", "数量", "快递公司", "运单号"]
    assert [cell.value for cell in row][:5] == [bought.number, "=1+1", 3, "China Post", "00123"]
    assert row[1].data_type == "s"


def test_nothing_to_tell_is_an_empty_file_without_a_number():
    shop = store()
    name, content, count = dispatch.export_dispatches(shop, form="csv", **JOB)
    assert (name, count, len(read(content))) == ("dispatches-gifts.csv", 0, 1)


def test_another_stores_file_is_refused():
    shop = store()
    queue(parcel(order(shop)))
    name, _content, _count = dispatch.export_dispatches(shop, form="csv", **JOB)
    number = int(name.removesuffix(".csv").rpartition("-")[2])
    with pytest.raises(Refused, match="no dispatch file"):
        dispatch.export_dispatches(store("other"), again=number, **JOB)


def test_only_stores_of_the_sample_channel_confirm_by_themselves():
    queue(parcel(order(store())), parcel(order(store("sample", channel="sample", is_sample=True))))
    assert dispatch.confirm_automatically(at=AT) == 1
    assert dispatch.confirm_automatically(at=AT) == 0
    assert notices() == [(1, "queued"), (1, "confirmed")]


def test_a_parcel_with_part_of_an_order_says_which_part():
    shop = store()
    bought = order(shop, goods=[("MUG", "Mug", 5)])
    box = parcel(bought)
    box.lines.update(order_quantity=2)
    queue(box)
    Parcel.objects.update(state="delivered")
    assert read(dispatch.export_dispatches(shop, form="csv", **JOB)[1])[1][2] == "2"
