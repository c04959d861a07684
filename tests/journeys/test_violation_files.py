"""The platform's list of violations comes in as it was downloaded; twice changes nothing; bad rows say why."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from daifa.domain.cases.commands import NewMove, move_deposit
from daifa.domain.cases.models import Consequence, DepositMove, Violation
from daifa.domain.history.commands import ensure_months
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.imports.queries import sentence_of
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import StoreAccess
from daifa.flows import file_shapes, intake
from daifa.flows.audit import audit
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
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


def read(store, text=LIST, name="list.csv", **options):
    received = intake.receive_file(
        kind="violations", name=name, content=text.encode("gb18030"), store=store, options=options, by=cast.BY, at=AT
    )
    return intake.read_file(received.pk, by=cast.BY, at=AT)


def rows_of(file, state):
    return list(ImportRow.objects.filter(file=file, state=state).order_by("row", "id"))


def test_a_list_as_the_platform_gives_it(store):
    done = read(store)
    assert (done.state, done.rows_in, done.rows_used, done.rows_refused) == ("done", 7, 4, 3)
    assert done.counts["used"] == {"violation": 4} and done.counts["documents"]["violation"] == 3
    told = [sentence_of(row) for row in rows_of(done, "open")]
    assert len(told) == 3
    assert any("yesterday" in sentence and "处罚时间" in sentence for sentence in told)
    assert any("扣分" in sentence for sentence in told) and any("no reference" in sentence for sentence in told)
    first, second, third = Violation.objects.order_by("reference")
    assert (first.kind, first.points, first.unknown_orders) == ("invalid_tracking", Decimal(4), ["P1001", "P1002"])
    assert first.notified_at == datetime(2026, 4, 18, 2, tzinfo=UTC) and first.source == f"import:{done.pk}"
    assert (second.kind, second.appeal_rule) == ("compensation", "xhs-appeal-comp")
    assert third.appeal_until == datetime(2026, 4, 26, 10, tzinfo=UTC) and third.kind == "no_source"
    assert sorted(Consequence.objects.values_list("kind", flat=True)) == ["store_frozen", "traffic_limit"]
    assert sorted(DepositMove.objects.values_list("kind", "amount")) == [("penalty", 3), ("penalty", 15)]
    # More than is held cannot leave the deposit: the violation is there, and a remark says what is to be done.
    notes = {row.code: sentence_of(row) for row in rows_of(done, "note")}
    assert notes.keys() == {"too_much_out", "no_order"}
    assert "only 0.00 CNY" in notes["too_much_out"] and "P1001, P1002" in notes["no_order"]
    work_until_idle(at=AT)
    assert audit() == []


def test_the_same_list_again_changes_nothing(store):
    read(store)
    again = read(store)
    assert again.counts["used"] == {"violation_known": 4}
    assert [row.code for row in rows_of(again, "note")] == ["too_much_out"]  # as long as it is not booked it is said
    assert Violation.objects.count() == 3 and DepositMove.objects.count() == 2
    # Once the deposit is there, the same list books what it lacked, once.
    move_deposit([NewMove("paid_in", Decimal(1000), AT, "B-1")], store=store, by=cast.BY, at=AT)
    third = read(store)
    assert third.counts["used"] == {"violation_known": 3, "violation_completed": 1} and rows_of(third, "note") == []
    assert read(store).counts["used"] == {"violation_known": 4}
    assert sorted(DepositMove.objects.values_list("kind", "amount")) == [("deducted", 500), ("paid_in", 1000), ("penalty", 3), ("penalty", 15)]
    work_until_idle(at=AT)
    assert audit() == []


@pytest.mark.parametrize("heading", ["罚款金额", "罚款金额（元）", "处罚金额", "扣罚金额", "违约金", "Fine amount (CNY)"])
def test_amounts_are_known_by_their_names_and_columns_nobody_reads_are_said(store, heading):
    done = read(store, f"违规编号,处罚时间,{heading},处理人备注\nW1,2026-04-18 10:00,88.50,x\n")
    assert DepositMove.objects.get().amount == Decimal("88.50")
    assert done.options["unknown_columns"] == ["处理人备注"]


def test_a_refused_row_is_mended_and_tried_again(store):
    done = read(store)
    row = next(row for row in rows_of(done, "open") if row.document == "W3")
    assert row.raw[:2] == ["W3", "yesterday"]
    again = intake.retry_row(row.pk, cells=[row.raw[0], "2026-04-19 08:00", *row.raw[2:]], by=cast.BY, at=AT)
    row.refresh_from_db()
    assert (again.rows_used, row.state) == (1, "retried") and Violation.objects.filter(reference="W3", kind="out_of_stock").exists()


def test_columns_can_be_named_by_hand_and_missing_ones_are_named(store):
    refused = read(store, "Ticket,Day\nA1,2026-04-01\n")
    assert refused.state == "refused" and "reference" in refused.sentence
    look = file_shapes.look_at(refused)
    assert "reference" in look.missing and {one.name for one in file_shapes.fields_of("violations") if one.needed} == {"reference", "notified_at"}
    done = read(store, "Ticket,Day\nA1,2026-04-01\n", mapping={"reference": "Ticket", "notified_at": "Day"})
    assert done.counts["used"] == {"violation": 1}
    with pytest.raises(Refused, match="which store"):
        intake.receive_file(kind="violations", name="a.csv", content=b"", by=cast.BY, at=AT)


def test_rows_of_one_violation_are_put_together_and_what_contradicts_is_said(store):
    done = read(store, "违规编号,处罚时间,扣分,订单号,扣款金额,处罚措施\n"
                       "W1,2026-04-18 10:00,,P1,20,限流\nW1,2026-04-18 10:00,4,P2,,限制上新\nW1,2026-04-18 10:00,4,P3,30,\n")
    violation = Violation.objects.get()
    assert (violation.points, violation.unknown_orders) == (4, ["P1", "P2"])
    assert sorted(Consequence.objects.values_list("kind", flat=True)) == ["listing_limit", "traffic_limit"]
    assert (done.rows_used, done.rows_refused, DepositMove.objects.get().amount) == (2, 1, 20)
    told = sentence_of(rows_of(done, "open")[0])
    assert "扣款金额" in told and "row 2" in told and "W1" in told


def test_a_day_without_a_time_lasts_to_its_end_and_no_deadline_lies_before_the_notice(store):
    done = read(store, "违规编号,处罚时间,扣分,扣分到期,申诉截止,处罚措施,处罚截止\n"
                       "W1,2026-04-18 10:00,4,2026-12-31,2026-04-18,限流,2026-04-20\n"
                       "W2,2026-04-18 10:00,,,2026-04-18 09:00,,\nW3,2026-04-18 10:00,,,2026-04-20 00:00:00,,\n")
    shanghai = ZoneInfo("Asia/Shanghai")
    first = Violation.objects.get(reference="W1")
    assert first.appeal_until.astimezone(shanghai) == datetime(2026, 4, 18, 23, 59, 59, tzinfo=shanghai)
    assert first.points_until.astimezone(shanghai) == datetime(2026, 12, 31, 23, 59, 59, tzinfo=shanghai)
    assert Consequence.objects.get().until_at.astimezone(shanghai).day == 20
    assert Violation.objects.get(reference="W3").appeal_until.astimezone(shanghai) == datetime(2026, 4, 20, tzinfo=shanghai)
    assert [row.document for row in rows_of(done, "open")] == ["W2"]
    assert "before the notice" in sentence_of(rows_of(done, "open")[0])


def test_a_kind_nobody_here_knows_is_kept_in_the_platforms_word(store):
    read(store, "违规编号,处罚时间,违规类型,违规原因\nW1,2026-04-18 10:00,新型行为,资质问题说明\nW2,2026-04-18 10:00,虚假发货,单号无轨迹\n")
    assert dict(Violation.objects.values_list("kind", "title")) == {"other": "资质问题说明 (新型行为)", "invalid_tracking": "单号无轨迹"}


def test_a_kind_nobody_here_knows_is_said_on_its_row_once(store):
    text = ("违规编号,处罚时间,违规类型,违规原因\nW1,2026-04-18 10:00,新型行为,说明一\nW2,2026-04-18 10:00,虚假发货,无轨迹\n"
            "W3,2026-04-18 10:00,其他,说明三\nW4,2026-04-18 10:00,,说明四\n")
    done = read(store, text)
    assert (done.rows_used, done.rows_refused) == (4, 0), "kept as other, with a remark"
    (note,) = rows_of(done, "note")
    assert (note.row, note.document, note.code) == (2, "W1", "kind_unknown")
    assert sentence_of(note) == "The kind “新型行为” is not known here; recorded as other, with the platform's word beside its title."
    assert rows_of(read(store, text + "\n"), "note") == [], "what is known already is not said again"


def test_money_is_booked_only_for_those_who_keep_the_books(store, client, django_user_model):
    operator = django_user_model.objects.create_user("operator@example.invalid", password="x")
    StoreAccess.objects.create(user=operator, store=store, role="operator")
    text = "违规编号,处罚时间,扣分,扣款金额\nW1,2026-04-18 10:00,x,20\nW2,2026-04-18 10:00,4,30\n"
    client.force_login(operator)
    client.post(reverse("web:import_add", args=["violations"]), {"store": store.pk, "file": SimpleUploadedFile("list.csv", text.encode("gb18030"))})
    file = ImportFile.objects.get()
    intake.read_file(file.pk, by=cast.BY, at=AT)
    assert Violation.objects.get().reference == "W2" and not DepositMove.objects.exists()
    assert "imports the list once more" in sentence_of(rows_of(file, "note")[0])
    client.post(reverse("web:import_row", args=[rows_of(file, "open")[0].pk]), {"cell0": "W1", "cell1": "2026-04-18 10:00", "cell2": "4", "cell3": "20"})
    assert Violation.objects.count() == 2 and not DepositMove.objects.exists()
    read(store, text)
    assert [one.amount for one in DepositMove.objects.all()] == [30]
