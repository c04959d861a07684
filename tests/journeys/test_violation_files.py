"""The platform's list of violations comes in as it was downloaded; twice changes nothing; bad rows say why."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from daifa.domain.cases.models import Consequence, DepositMove, Violation
from daifa.domain.history.commands import ensure_months
from daifa.domain.stores.commands import add_store
from daifa.flows.audit import audit
from daifa.flows.read_violations import read_violations
from daifa.flows.work import work_until_idle
from daifa.lib.sheets import SheetRefused
from tests import cast

pytestmark = pytest.mark.django_db
AT = datetime(2026, 4, 20, tzinfo=UTC)
LIST = """违规编号,处罚时间,违规类型,违规原因,扣分,订单号,扣款金额,扣款来源,处罚措施,处罚截止,申诉截止
W1,2026-04-18 10:00,虚假发货,单号无轨迹,4,P1001,15.00,货款,限流5天,2026-04-23 10:00,
W1,2026-04-18 10:00,虚假发货,单号无轨迹,4,P1002,15.00,货款,限流5天,2026-04-23 10:00,
W2,2026-04-19 09:30,消费者赔付,延迟发货赔付,0,,3,,,,
W3,yesterday,缺货,,0,,,,,,
,2026-04-19 09:30,缺货,,0,,,,,,
W4,2026-04-19 09:30,其他,新规则,x,,,,,,
W5,2026-04-19 09:30,无货源经营,,12,,500,保证金,店铺冻结,,2026-04-26 18:00
"""


@pytest.fixture
def store():
    ensure_months(date(2026, 3, 1), date(2026, 6, 1))
    return add_store(
        code="red", name="Red", currency="CNY", kind="marketplace", channel="xiaohongshu", country="CN",
        timezone="Asia/Shanghai", by=cast.BY, at=AT,
    )  # fmt: skip


def read(store, tmp_path, text=LIST, name="list.csv", **words):
    path = tmp_path / name
    path.write_text(text, encoding="gb18030")
    return read_violations(path, name=name, store=store, by=cast.BY, at=AT, **words)


def test_a_list_as_the_platform_gives_it(store, tmp_path):
    done = read(store, tmp_path)
    assert done.rows_in == 7 == len(done.added) + done.further + done.known + len(done.refused)
    assert (len(done.added), done.further) == (3, 1)
    assert [(row.row, row.code) for row in done.refused][:2] != [] and len(done.refused) == 3
    told = [row.sentence() for row in done.refused]
    assert any("yesterday" in sentence and "处罚时间" in sentence for sentence in told)
    assert any("扣分" in sentence for sentence in told) and any("no reference" in sentence for sentence in told)
    first, second, third = Violation.objects.order_by("reference")
    assert (first.kind, first.points, first.unknown_orders) == ("invalid_tracking", Decimal(4), ["P1001", "P1002"])
    assert first.notified_at == datetime(2026, 4, 18, 2, tzinfo=UTC)
    assert (second.kind, second.appeal_rule) == ("compensation", "xhs-appeal-comp")
    assert third.appeal_until == datetime(2026, 4, 26, 10, tzinfo=UTC) and third.kind == "no_source"
    assert sorted(Consequence.objects.values_list("kind", flat=True)) == ["store_frozen", "traffic_limit"]
    assert sorted(DepositMove.objects.values_list("kind", "amount")) == [("penalty", 3), ("penalty", 15)]
    # More than is held cannot leave the deposit: the violation is there, and a remark says what is to be done.
    assert [row.code for row in done.notes] == ["too_much_out"]
    work_until_idle(at=AT)
    assert audit() == []


def test_the_same_list_again_changes_nothing(store, tmp_path):
    read(store, tmp_path)
    again = read(store, tmp_path)
    assert again.added == [] and again.known == 3 and again.notes == []
    assert Violation.objects.count() == 3 and DepositMove.objects.count() == 2


def test_columns_can_be_named_by_hand_and_missing_ones_are_named(store, tmp_path):
    with pytest.raises(SheetRefused) as refused:
        read(store, tmp_path, "Ticket,Day\nA1,2026-04-01\n")
    assert "reference" in refused.value.sentence()
    done = read(store, tmp_path, "Ticket,Day\nA1,2026-04-01\n", mapping={"reference": "Ticket", "notified_at": "Day"})
    assert len(done.added) == 1
