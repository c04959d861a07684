"""What is written down, what is refused and with which sentence, and what it leads to."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest

from daifa.domain.aftersales.models import AftersaleCase
from daifa.domain.cases import commands, files, queries
from daifa.domain.cases.commands import NewComplaint, NewConsequence, NewInfringement, NewMove, NewViolation
from daifa.domain.cases.models import (
    Appeal,
    CaseFile,
    Complaint,
    Consequence,
    DepositMove,
    Infringement,
    Violation,
)
from daifa.domain.catalog.models import ListingVariant
from daifa.domain.policy.commands import NewOverride, override_rules
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import Task
from daifa.flows.audit import audit
from daifa.flows.work import work_until_idle
from daifa.lib import bulk, pictures
from daifa.lib.refusal import Refused
from tests import bought_orders, cast

pytestmark = pytest.mark.django_db
BY = cast.BY
AT = datetime(2026, 4, 1, 2, tzinfo=UTC)  # ten in the morning in Shanghai


@pytest.fixture(autouse=True)
def _months():
    from daifa.domain.history.commands import ensure_months

    ensure_months(date(2026, 3, 1), date(2026, 12, 1))


@pytest.fixture
def store():
    return add_store(
        code="red", name="Red", currency="CNY", kind="marketplace", channel="xiaohongshu", country="CN",
        timezone="Asia/Shanghai", by=BY, at=AT,
    )  # fmt: skip


@pytest.fixture
def shopee():
    return add_store(
        code="sp", name="SP", currency="SGD", kind="marketplace", channel="shopee", timezone="Asia/Singapore", by=BY, at=AT
    )


def violate(store, *violations, at=AT):
    return commands.add_violations(violations, store=store, source=BY, by=BY, at=at)


def tasks(kind):
    return list(Task.objects.filter(kind=kind, closed_at=None))


def picture(kind="PNG", size=(40, 30)):
    from PIL import Image

    found = BytesIO()
    Image.new("RGB", size, "white").save(found, kind)
    return found.getvalue()


# --- Violations and appeals ---------------------------------------------------------------------------------------


def test_a_violation_imported_twice_is_one(store):
    one = NewViolation("V-1", AT, "late_dispatch", points=Decimal(2))
    first, again = violate(store, one, one), violate(store, one._replace(points=Decimal(4)))
    assert (len(first.added), first.known, again.added, again.known) == (1, ["V-1"], [], ["V-1"])
    assert Violation.objects.get().points == 2
    assert [(task.thing, task.due_at) for task in tasks("violation_to_appeal")] == [(first.added[0], AT + timedelta(days=1))]


def test_orders_of_a_notice_are_attached_when_they_are_known():
    shop = cast.open_shop()
    at = cast.MORNING
    cast.receive_orders(shop, ["88001"], at=at)
    first = cases_of(shop, "V-1", orders=("88001", "88002"), at=at)
    assert "88002" in first.notes[0].sentence() and [one.code for one in first.notes] == ["no_order"]
    violation = Violation.objects.get(reference="V-1")
    cast.receive_orders(shop, ["88002", "88003"], at=at)
    commands.watch_cases(by=BY, at=at)
    violation.refresh_from_db()
    assert violation.unknown_orders == [] and sorted(violation.orders.values_list("order__number", flat=True)) == ["88001", "88002"]
    again = cases_of(shop, "V-1", orders=("88003",), at=at)
    assert (again.completed, again.known, again.notes) == (["V-1"], [], []) and violation.orders.count() == 3
    with pytest.raises(Refused, match="no order 99"):
        commands.name_orders(violation_id=violation.pk, numbers=["99"], by=BY, at=at)


def cases_of(shop, reference, *, orders, at):
    wanted = commands.NewViolation(reference, at, "late_dispatch", orders=orders)
    return commands.add_violations([wanted], store=shop.store, source=BY, by=BY, at=at)


def test_what_cannot_be_is_refused_and_the_rest_is_taken(store):
    done = violate(
        store,
        NewViolation("", AT), NewViolation("A", AT, "nonsense"), NewViolation("B", AT + timedelta(days=3)),
        NewViolation("C", AT, points=Decimal(-1)), NewViolation("D", AT, rule="xhs-no-such-rule"),
        NewViolation("E", AT, money=Decimal("1.234")),
        NewViolation("F", AT, consequences=(NewConsequence("traffic_limit", AT, AT - timedelta(days=1)),)),
        NewViolation("G", AT, rule="xhs-rate-badtrack"),
    )  # fmt: skip
    assert [row.code for row in done.refused] == [
        "reference_missing", "unknown_kind", "date_in_future", "points_wrong", "unknown_rule", "amount_too_fine",
        "times_crossed_consequence",
    ]  # fmt: skip
    assert all(row.sentence() and "%(" not in row.sentence() for row in done.refused)
    assert len(done.added) == 1


def test_an_appeal_goes_its_way_and_a_won_one_brings_the_money_back(store):
    commands.move_deposit([NewMove("paid_in", Decimal(1000), AT)], store=store, by=BY, at=AT)
    violation = violate(
        store,
        NewViolation(
            "V-1", AT, "invalid_tracking", points=Decimal(4), money=Decimal("15.00"),
            consequences=(NewConsequence("funds_frozen", AT, AT + timedelta(days=5)),),
        ),
    ).added[0]  # fmt: skip
    appeal = commands.open_appeal(violation_id=violation, text="The number was scanned.", by=BY, at=AT)
    with pytest.raises(Refused, match="under way"):
        commands.open_appeal(violation_id=violation, text="Again.", by=BY, at=AT)
    sent = commands.send_appeal(appeal_id=appeal.pk, reference="AP-7", by=BY, at=AT + timedelta(hours=3))
    assert sent.answer_due_at == datetime(2026, 4, 7, 16, tzinfo=UTC)  # three working days without Qingming, Shanghai's midnight
    assert not tasks("violation_to_appeal")
    assert queries.points(store.pk, at=AT + timedelta(hours=4)).total == 4
    later = AT + timedelta(days=2)
    assert commands.answer_appeal(appeal_id=appeal.pk, outcome="won", by=BY, at=later).state == "lifted"
    assert queries.points(store.pk, at=later).total == 0
    assert queries.consequences_in_force([store.pk], at=later) == []
    (task,) = tasks("deduction_to_get_back")
    assert (task.stake, task.currency) == (15, "CNY")
    done = commands.move_deposit([NewMove("penalty_back", Decimal("15.00"), later, violation=violation)], store=store, by=BY, at=later)
    assert done.added and not tasks("deduction_to_get_back")
    work_until_idle(at=later)
    assert audit() == []


def test_an_appeal_after_its_deadline_is_refused_and_may_be_kept_as_a_note(store):
    violation = violate(store, NewViolation("V-1", AT)).added[0]
    late = datetime(2026, 4, 2, 16, tzinfo=UTC)
    commands.open_appeal(violation_id=violation, text="In time.", by=BY, at=late - timedelta(minutes=1))
    draft = Appeal.objects.get()
    with pytest.raises(Refused, match=r"2026-04-03 00:00.*note"):
        commands.send_appeal(appeal_id=draft.pk, by=BY, at=late)
    commands.withdraw_appeal(appeal_id=draft.pk, by=BY, at=late)
    with pytest.raises(Refused, match="ended on"):
        commands.open_appeal(violation_id=violation, text="Too late.", by=BY, at=late)
    note = commands.open_appeal(violation_id=violation, text="Too late.", keep_as_note=True, by=BY, at=late)
    assert (note.state, note.round) == ("note", 0)
    assert Violation.objects.get().state == "active"
    with pytest.raises(Refused):
        commands.send_appeal(appeal_id=note.pk, by=BY, at=AT)
    commands.watch_cases(by=BY, at=late)
    assert not tasks("violation_to_appeal") and queries.open_cases(store.pk) == []
    assert audit() == []


def test_an_appeal_handed_in_in_time_may_be_entered_later(store):
    """The day allowed is over when a person gets round to saying so here: what counts is when the platform had it."""
    first, second = violate(store, NewViolation("V-1", AT), NewViolation("V-2", AT, points=Decimal(4))).added
    until, later = datetime(2026, 4, 2, 16, tzinfo=UTC), AT + timedelta(days=3)
    how = {"text": "It left in time.", "by": BY}
    for moment, sentence in ((until, "ended on"), (AT - timedelta(hours=1), "before the notice"), (later + timedelta(hours=1), "later than now")):
        with pytest.raises(Refused, match=sentence):
            commands.open_appeal(violation_id=first, handed_in_at=moment, at=later, **how)
    sent = commands.open_appeal(violation_id=first, handed_in_at=until - timedelta(hours=1), at=later, **how)
    assert (sent.state, sent.sent_at, sent.opened_at) == ("sent", until - timedelta(hours=1), until - timedelta(hours=1))
    assert commands.answer_appeal(appeal_id=sent.pk, outcome="lost", by=BY, at=later).state == "upheld"
    draft = commands.open_appeal(violation_id=second, at=AT + timedelta(hours=2), **how)
    sent = commands.send_appeal(appeal_id=draft.pk, handed_in_at=AT + timedelta(hours=3), by=BY, at=later)
    assert sent.answer_due_at == datetime(2026, 4, 7, 16, tzinfo=UTC)  # reckoned from the day the platform had it
    assert commands.answer_appeal(appeal_id=draft.pk, outcome="partly_won", points=Decimal(1), by=BY, at=later).state == "reduced"
    work_until_idle(at=later)
    assert audit() == []


def test_one_round_where_the_rule_allows_one(store):
    violation = violate(store, NewViolation("V-1", AT, points=Decimal(4))).added[0]
    appeal = commands.open_appeal(violation_id=violation, text="No.", by=BY, at=AT)
    commands.send_appeal(appeal_id=appeal.pk, by=BY, at=AT)
    commands.answer_appeal(appeal_id=appeal.pk, outcome="lost", by=BY, at=AT)
    with pytest.raises(Refused, match="allows 1"):
        commands.open_appeal(violation_id=violation, text="No!", by=BY, at=AT)


def override(rule, at=AT, **changes):
    done = override_rules([NewOverride(rule, "The platform's new text", at.date(), changes)], by=BY, at=at)
    assert not done.refused, done.refused


def test_a_changed_rule_changes_deadlines_and_rounds(store):
    done = violate(store, NewViolation("V-1", AT), NewViolation("V-2", AT), NewViolation("V-3", AT, appeal_due_at=AT + timedelta(days=9)))
    first, second, third = done.added
    appeal = commands.open_appeal(violation_id=first, text="No.", by=BY, at=AT)
    sent = commands.send_appeal(appeal_id=appeal.pk, by=BY, at=AT)
    assert sent.answer_due_at == datetime(2026, 4, 7, 16, tzinfo=UTC)
    assert commands.recount_deadlines(at=AT) == 0
    override("xhs-appeal-penalty", threshold="4")
    override("xhs-appeal-penalty-answer", threshold="7")
    override("xhs-appeal-penalty-rounds", threshold="2")
    assert commands.recount_deadlines(at=AT) == 2
    assert Violation.objects.get(pk=second).appeal_due_at == AT + timedelta(days=4)
    assert Violation.objects.get(pk=third).appeal_due_at == AT + timedelta(days=9), "what the notice says stays"
    assert {task.thing: task.due_at for task in tasks("violation_to_appeal")}[second] == AT + timedelta(days=4)
    assert Appeal.objects.get().answer_due_at == datetime(2026, 4, 13, 16, tzinfo=UTC)
    commands.answer_appeal(appeal_id=appeal.pk, outcome="lost", by=BY, at=AT)
    again = commands.open_appeal(violation_id=first, text="Still no.", by=BY, at=AT)
    commands.send_appeal(appeal_id=again.pk, by=BY, at=AT)
    commands.answer_appeal(appeal_id=again.pk, outcome="lost", by=BY, at=AT)
    with pytest.raises(Refused, match=r"allows 2 .*xhs-appeal-penalty-rounds"):
        commands.open_appeal(violation_id=first, text="And again no.", by=BY, at=AT)


def test_a_rule_that_only_informs_lets_no_points_fall_until_it_is_confirmed(shopee):
    violation = violate(shopee, NewViolation("V-1", AT, points=Decimal(6))).added[0]
    found = Violation.objects.get()
    assert (found.points_until, found.points_rule) == (None, "shopee-points-reset")
    assert queries.points(shopee.pk, at=datetime(2026, 4, 6, tzinfo=UTC)).total == 6
    override("shopee-points-reset", at=AT + timedelta(days=1))
    assert commands.recount_deadlines(at=AT + timedelta(days=1)) == 1
    assert Violation.objects.get().points_until == datetime(2026, 4, 5, 16, tzinfo=UTC)
    assert queries.points(shopee.pk, at=datetime(2026, 4, 6, tzinfo=UTC)).total == 0
    commands.correct_points(violation_id=violation, points=Decimal(6), points_until=None, reason="still on the page", by=BY, at=AT)
    assert commands.recount_deadlines(at=AT + timedelta(days=1)) == 0 and Violation.objects.get().points_until is None


def test_a_deadline_on_the_notice_counts_before_the_book(shopee):
    violation = violate(shopee, NewViolation("V-1", AT)).added[0]
    assert Violation.objects.get().appeal_due_at is None and tasks("violation_to_appeal")[0].due_at is None
    due = AT + timedelta(days=7)
    commands.set_appeal_deadline(violation_id=violation, due_at=due, by=BY, at=AT)
    assert tasks("violation_to_appeal")[0].due_at == due
    with pytest.raises(Refused):
        commands.open_appeal(violation_id=violation, text="x", by=BY, at=due)


def test_part_of_the_points_stay(shopee):
    override("shopee-points-reset")
    violation = violate(shopee, NewViolation("V-1", AT, points=Decimal(6))).added[0]
    appeal = commands.open_appeal(violation_id=violation, text="x", by=BY, at=AT)
    commands.send_appeal(appeal_id=appeal.pk, by=BY, at=AT)
    with pytest.raises(Refused, match="6 points"):
        commands.answer_appeal(appeal_id=appeal.pk, outcome="partly_won", points=Decimal(7), by=BY, at=AT)
    commands.answer_appeal(appeal_id=appeal.pk, outcome="partly_won", points=Decimal(2), by=BY, at=AT)
    found = queries.points(shopee.pk, at=AT)
    assert (found.total, found.next.threshold, found.left) == (2, 3, 1)
    assert "28" in found.next.consequence
    assert queries.points(shopee.pk, at=datetime(2026, 4, 6, tzinfo=UTC)).total == 0
    assert commands.watch_cases(by=BY, at=datetime(2026, 4, 6, tzinfo=UTC))["expired"] == 1
    assert Violation.objects.get().state == "expired"


def test_points_are_corrected_with_a_reason_and_what_was_there_is_kept(shopee):
    override("shopee-points-reset")
    violation = violate(shopee, NewViolation("V-1", AT, points=Decimal(6))).added[0]
    with pytest.raises(Refused, match="where the platform"):
        commands.correct_points(violation_id=violation, points=Decimal(2), points_until=None, reason=" ", by=BY, at=AT)
    with pytest.raises(Refused, match="before the notice"):
        commands.correct_points(
            violation_id=violation, points=Decimal(2), points_until=AT - timedelta(days=1), reason="x", by=BY, at=AT
        )
    commands.correct_points(violation_id=violation, points=Decimal(2), points_until=None, reason="health page", by=BY, at=AT)
    found = Violation.objects.get()
    assert (found.points, found.points_until) == (2, None) and "6 / 2026-04-06 → 2 / – (health page)" in found.note
    assert queries.points(shopee.pk, at=datetime(2026, 12, 1, tzinfo=UTC)).total == 2


# --- Deposit ------------------------------------------------------------------------------------------------------


def ledger(store):
    return dict(
        bulk.fetch(
            """SELECT a.code, sum(p.amount) FROM books_posting p JOIN books_account a ON a.id = p.account_id
               JOIN books_entry e ON e.id = p.entry_id WHERE e.store_id = %s GROUP BY 1""",
            (store.pk,),
        )
    )


def test_the_deposit_is_what_the_books_say(store):
    commands.require_deposit(store=store, amount=Decimal(1000), valid_from=AT.date(), due_at=AT + timedelta(days=7), by=BY, at=AT)
    assert tasks("deposit_short")[0].stake == 1000
    commands.move_deposit(
        [NewMove("paid_in", Decimal(1000), AT, "first"), NewMove("paid_in", Decimal(1000), AT, "first")], store=store, by=BY, at=AT
    )
    assert not tasks("deposit_short")
    done = commands.move_deposit(
        [NewMove("deducted", Decimal(1200), AT), NewMove("deducted", Decimal(200), AT), NewMove("withdrawn", Decimal(1), AT)],
        store=store, by=BY, at=AT,
    )  # fmt: skip
    assert [row.code for row in done.refused] == ["too_much_out", "below_required"]
    assert "1000" in done.refused[0].sentence()
    assert tasks("deposit_short")[0].stake == 200
    work_until_idle(at=AT)
    work_until_idle(at=AT)
    found = queries.deposit(store.pk)
    assert (found.held.amount, found.required.amount, found.short.amount) == (800, 1000, 200)
    assert ledger(store) == {"1200": 800, "1000": -1000, "6300": 200}
    assert DepositMove.objects.count() == 2 and audit() == []


def test_the_deposit_does_not_come_back_while_a_case_is_open(store):
    commands.move_deposit([NewMove("paid_in", Decimal(1000), AT)], store=store, by=BY, at=AT)
    complaint = commands.open_complaints([NewComplaint("late", "…", AT)], store=store, source=BY, by=BY, at=AT).added[0]
    done = commands.move_deposit([NewMove("returned", Decimal(1000), AT)], store=store, by=BY, at=AT)
    assert [row.code for row in done.refused] == ["open_cases"]
    commands.settle_complaint(complaint_id=complaint, outcome="explained", by=BY, at=AT)
    assert commands.move_deposit([NewMove("returned", Decimal(1000), AT)], store=store, by=BY, at=AT).added


def test_a_limit_sent_twice_is_one(store):
    violation = commands.add_violations([NewViolation("V-1", AT)], store=store, source=BY, by=BY, at=AT).added[0]
    limit = NewConsequence("traffic_limit", AT, AT + timedelta(days=3))
    first, second = (commands.add_consequences([limit], violation_id=violation, by=BY, at=AT) for _ in range(2))
    later = commands.add_consequences([limit._replace(until_at=AT + timedelta(days=9))], violation_id=violation, by=BY, at=AT)
    assert first == second != later and Consequence.objects.count() == 2


# --- Complaints ---------------------------------------------------------------------------------------------------


def test_a_complaint_that_contradicts_itself_is_refused(store):
    mine, other = (bought_orders.order(store, [("goods", 1, "9.00")], currency="CNY", placed_at=AT) for _ in range(2))
    case = AftersaleCase.objects.create(store=store, order=other, kind="refund", state="requested", reason="other", opened_at=AT)
    done = commands.open_complaints(
        [NewComplaint("late", "…", AT, "C-1", mine.number, case.pk), NewComplaint("late", "…", AT, "C-2", due_at=AT),
         NewComplaint("late", "…", AT, "C-3", other.number, case.pk, AT + timedelta(hours=1))],
        store=store, source=BY, by=BY, at=AT,
    )  # fmt: skip
    assert [row.code for row in done.refused] == ["case_of_other_order", "times_crossed"]
    assert Complaint.objects.get().order_id == other.pk


def test_a_complaint_runs_to_its_outcome(store):
    done = commands.open_complaints(
        [NewComplaint("foreign_card", "里面有别家的卡片", AT, "C-1"), NewComplaint("foreign_card", "…", AT, order="nope"),
         NewComplaint("what", "…", AT)],
        store=store, source=BY, by=BY, at=AT,
    )  # fmt: skip
    assert [row.code for row in done.refused] == ["no_order", "unknown_kind"]
    (complaint,) = done.added
    assert tasks("complaint_to_answer")[0].due_at == AT + timedelta(hours=24)
    assert commands.open_complaints([NewComplaint("late", "…", AT, "C-1")], store=store, source=BY, by=BY, at=AT).known == ["C-1"]
    commands.note_findings({complaint: ("breach", {"words": ["拼多多"]})}, by=BY, at=AT)
    commands.answer_complaint(complaint_id=complaint, answer="Sorry.", by=BY, at=AT)
    assert not tasks("complaint_to_answer")
    commands.escalate_complaint(complaint_id=complaint, due_at=AT + timedelta(days=2), by=BY, at=AT)
    assert tasks("complaint_to_answer")[0].due_at == AT + timedelta(days=2)
    with pytest.raises(Refused, match="how the complaint ended"):
        commands.settle_complaint(complaint_id=complaint, outcome="?", by=BY, at=AT)
    commands.settle_complaint(complaint_id=complaint, outcome="refunded", by=BY, at=AT)
    with pytest.raises(Refused, match="look at it again"):
        commands.settle_complaint(complaint_id=complaint, outcome="refunded", by=BY, at=AT)
    assert commands.close_complaints([complaint], by=BY, at=AT) == [complaint]
    assert Complaint.objects.get().finding == "breach" and audit() == []


def test_a_photo_that_is_no_picture_is_refused_with_a_sentence(store):
    complaint = commands.open_complaints([NewComplaint("damaged", "", AT)], store=store, source=BY, by=BY, at=AT).added[0]
    good = picture()
    ids, refused = commands.attach_files(
        [("ok.png", good), ("again.png", good), ("script.jpg", b"<script>alert(1)</script>"), ("cut.png", good[:60]),
         ("head.jpg", b"\xff\xd8\xff\xe0" + b"0" * 500), ("empty.png", b""), ("paper.pdf", b"%PDF-1.4 %%EOF"),
         ("big.png", b"\x89PNG\r\n\x1a\n" + b"0" * files.MAX_BYTES)],
        store_id=store.pk, thing_kind="complaint", thing=complaint, by=BY, at=AT,
    )  # fmt: skip
    assert len(set(ids)) == 1 and len(refused) == 6
    assert "script.jpg is not a picture" in refused[0] and "empty.png is empty" in refused[3]
    kept = CaseFile.objects.get()
    assert files.read(kept.sha256) == good and kept.media_type == "image/png"
    assert files.path_of(kept.sha256).stat().st_mode & 0o777 == 0o600


def test_a_picture_that_unpacks_to_a_giant_is_refused(monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 1000)
    with pytest.raises(Refused, match="not a picture"):
        files.media_type_of("wide.png", picture(size=(100, 100)), images_only=True)


# --- Rights and licences ------------------------------------------------------------------------------------------


def test_a_counter_notice_needs_proof_and_starts_the_fifteen_days(store):
    listing = ListingVariant.objects.create(store=store, sku="CUP", title="Cup", created_at=AT)
    case = commands.open_infringement(
        NewInfringement("N-1", AT, "copyright", "Original seller", listing.pk, taken_down=True), store=store, source=BY, by=BY, at=AT
    )
    with pytest.raises(Refused, match="known already"):
        commands.open_infringement(NewInfringement("N-1", AT, "copyright"), store=store, source=BY, by=BY, at=AT)
    with pytest.raises(Refused, match="first proof"):
        commands.step_infringement(case_id=case.pk, to="countered", text="Our own photographs.", by=BY, at=AT)
    assert queries.missing_rights([listing.pk], "copyright", on=AT.date()) == [listing.pk]
    with pytest.raises(Refused, match="who gave"):
        commands.record_right(listing_ids=[listing.pk], store=store, right="copyright", basis="supplier", valid_from=AT.date(), by=BY, at=AT)
    commands.record_right(listing_ids=[listing.pk], store=store, right="copyright", basis="own", valid_from=AT.date(), by=BY, at=AT)
    assert queries.missing_rights([listing.pk], "copyright", on=AT.date()) == []
    commands.step_infringement(case_id=case.pk, to="countered", text="Our own photographs.", by=BY, at=AT)
    found = commands.step_infringement(case_id=case.pk, to="forwarded", by=BY, at=AT)
    assert (found.restore_due_at, found.rule) == (datetime(2026, 4, 16, 16, tzinfo=UTC), "cn-ec-43")
    with pytest.raises(Refused, match="2026-04-17"):
        commands.step_infringement(case_id=case.pk, to="restored", by=BY, at=AT + timedelta(days=3))
    over = found.restore_due_at
    assert commands.watch_cases(by=BY, at=over - timedelta(seconds=1))["restore_due"] == 0
    assert commands.watch_cases(by=BY, at=over)["restore_due"] == 1
    commands.step_infringement(case_id=case.pk, to="restored", by=BY, at=over)
    assert not tasks("infringement_restore_due") and Infringement.objects.get().ended_at == over
    assert audit() == []


def test_a_licence_is_asked_for_and_once_confirmed_stops_publishing(store):
    on = AT.date()
    asked = queries.missing_qualifications(store.pk, "零食", on)
    assert {one.kinds for one in asked} == {("business_licence",), ("food_licence",)} and not any(one.blocks for one in asked)
    commands.add_qualification(store=store, kind="business_licence", number="91310", valid_from=date(2020, 1, 1), by=BY, at=AT)
    commands.say_need(channel="xiaohongshu", category="零食", kind="food_licence", is_needed=True, source="Category page", by=BY, at=AT)
    (one,) = queries.missing_qualifications(store.pk, "零食", on)
    assert one.blocks and one.source == "Category page"
    licence = commands.add_qualification(
        store=store, kind="food_licence", number="JY1", category="零食", valid_from=date(2022, 1, 1), valid_until=date(2026, 4, 20), by=BY, at=AT
    )
    assert queries.missing_qualifications(store.pk, "零食", on) == []
    assert tasks("qualification_ending")[0].thing == licence.pk
    assert [m.ended_on for m in queries.missing_qualifications(store.pk, "零食", date(2026, 4, 21))] == [date(2026, 4, 20)]
    commands.add_qualification(
        store=store, kind="food_licence", number="JY1", category="零食", valid_from=date(2022, 1, 1), valid_until=date(2031, 4, 20), by=BY, at=AT
    )
    assert not tasks("qualification_ending")
    commands.say_need(channel="", category="图书", kind="publication", is_needed=False, source="Not sold here", by=BY, at=AT)
    assert queries.missing_qualifications(store.pk, "图书", on) == []


# --- Hold and erasing ---------------------------------------------------------------------------------------------


def test_open_cases_hold_the_data_of_their_orders():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["77001", "77002"])
    at = cast.MORNING
    orders = dict(bulk.fetch("SELECT number, id FROM orders_order"))
    ids = cast.open_one_case_each(shop, at=at, order="77001")
    held = queries.orders_on_hold()
    assert {one.kind for one in held[orders["77001"]]} == {"violation", "complaint"} and orders["77002"] not in held
    assert queries.orders_on_hold(order_ids=[orders["77002"]]) == {} and queries.orders_on_hold(store_ids=[0]) == {}
    commands.lift_violations([ids["violation"]], reason="", by=BY, at=at)
    assert {one.kind for one in queries.orders_on_hold()[orders["77001"]]} == {"complaint"}
    commands.settle_complaint(complaint_id=ids["complaint"], outcome="explained", by=BY, at=at)
    assert queries.orders_on_hold() == {}


def test_a_notice_of_a_right_holds_the_orders_of_its_listing():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["77001"])
    listing = ListingVariant.objects.create(store=shop.store, sku="MUG-L", created_at=cast.MORNING).pk
    order = bulk.fetch("UPDATE orders_orderline SET listing_id = %s RETURNING order_id", (listing,))[0][0]
    case = commands.open_infringement(
        NewInfringement("I-1", cast.MORNING, "trademark", listing=listing), store=shop.store, source=BY, by=BY, at=cast.MORNING
    )
    assert [one.kind for one in queries.orders_on_hold()[order]] == ["infringement"]
    commands.step_infringement(case_id=case.pk, to="conceded", by=BY, at=cast.MORNING)
    assert queries.orders_on_hold() == {}
