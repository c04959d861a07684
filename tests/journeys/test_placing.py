"""Placing: whatever the other side does and wherever we die, nothing is bought twice and nothing vanishes unseen."""

from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daifa.connectors import errors
from daifa.connectors.contract import PurchaseAnswer
from daifa.connectors.fake.connector import FakeSupplier
from daifa.domain.orders.models import Hold, Order
from daifa.domain.purchasing.models import PlacementAttempt, PurchaseOrder, PurchaseRun
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.models import Task
from daifa.flows import place_purchases
from daifa.flows.audit import audit
from daifa.flows.react import react
from daifa.flows.work import work_until_idle
from daifa.lib import mail
from tests import cast

pytestmark = pytest.mark.django_db

AT = cast.MORNING
SWEEP = timedelta(minutes=1)


class Died(BaseException):
    """As if the process had been killed: nothing in the program catches it."""


@pytest.fixture
def home(tmp_path, settings):
    settings.DAIFA_HOME = tmp_path
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.MEDIA_ROOT = tmp_path / "files"
    return tmp_path


def ready_purchases(count: int, *, sku: str = cast.FROM_SYSTEM, **script) -> cast.Shop:
    shop = cast.open_shop()
    if script:
        Supplier.objects.filter(pk=shop.system.pk).update(script={"seed": 3, **script})
    cast.receive_orders(shop, [f"{n}" for n in range(count)], skus=(sku,))
    react(at=AT)
    assert PurchaseOrder.objects.filter(state="ready").count() == count
    return shop


def sweeps(count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        place_purchases.submit_purchases(at=AT + number * SWEEP)
        react(at=AT + number * SWEEP)


def nothing_twice_nothing_lost(shop: cast.Shop, home) -> None:
    """Each purchase was taken at most once; each order is bought, held, or somebody is asked about it."""
    supplier = FakeSupplier(code=shop.system.code, script={}, memory=home / "fake" / "suppliers.sqlite3")
    asked = set(Task.objects.filter(closed_at=None, thing_kind="purchase_order").values_list("thing", flat=True))
    waits = Task.objects.filter(closed_at=None, kind="supplier_needs_person", thing=shop.system.pk).exists()
    for purchase in PurchaseOrder.objects.filter(supplier=shop.system):
        times = supplier.times_taken(purchase.reference)
        assert times <= 1, "bought twice"
        if purchase.state == "placed":
            assert times == 1, "we believe in a purchase nobody knows"
        elif purchase.state in ("ready", "refused"):
            assert times == 0
            assert purchase.state == "refused" or waits, "it waits and nobody can see it"
        else:
            assert purchase.state == "unknown" and purchase.pk in asked
    for order in Order.objects.all():
        live = order.purchase_orders.exclude(state__in=["refused", "cancelled"]).exists()
        assert live or Hold.objects.filter(order=order, released_at=None).exists()
    assert audit() == []


MIXES = [
    {},
    {"timeout": 1.0},
    {"timeout_before": 1.0},
    {"busy": 1.0},
    {"refuse": 1.0},
    {"timeout": 0.5, "timeout_before": 0.5},
    {"timeout": 0.3, "timeout_before": 0.3, "busy": 0.3, "refuse": 0.3},
    {"timeout": 1.0, "timeout_before": 1.0, "busy": 1.0},
]


@pytest.mark.parametrize("mix", MIXES, ids=[",".join(mix) or "well-behaved" for mix in MIXES])
def test_a_supplier_who_misbehaves(mix, home):
    shop = ready_purchases(12, **mix)
    sweeps(40 if mix.get("busy") == 1.0 else 12)
    nothing_twice_nothing_lost(shop, home)
    states = set(PurchaseOrder.objects.values_list("state", flat=True))
    assert states <= {"placed", "refused"}, "in the end everything is decided"
    assert not Task.objects.filter(closed_at=None, kind__in=["purchase_unknown", "supplier_needs_person"]).exists()


shares = st.sampled_from([0.0, 0.2, 0.5, 1.0])


@given(st.integers(0, 10**6), shares, shares, shares, shares)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_mix_of_misbehaviour(home, seed, timeout, timeout_before, busy, refuse):
    from django.db import transaction

    sid = transaction.savepoint()
    (home / "fake" / "suppliers.sqlite3").unlink(missing_ok=True)
    try:
        shop = ready_purchases(
            7, seed=seed, timeout=timeout, timeout_before=timeout_before, busy=busy, refuse=refuse
        )
        sweeps(3)
        nothing_twice_nothing_lost(shop, home)
        sweeps(12, first=3)
        nothing_twice_nothing_lost(shop, home)
        assert set(PurchaseOrder.objects.values_list("state", flat=True)) <= {"placed", "refused"}
    finally:
        transaction.savepoint_rollback(sid)


def test_work_until_idle_gets_past_a_supplier_who_stumbles(home):
    shop = ready_purchases(9, timeout=0.6, timeout_before=0.6, busy=0.4)
    work_until_idle(at=AT, ask=False)
    nothing_twice_nothing_lost(shop, home)
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"}


# --- Connectors that fail in ways of their own --------------------------------------------------------------------


class Scripted:
    """Takes what it is sent unless `place` says otherwise; knows what it took."""

    def __init__(self, place, *, find=None):
        self.script, self.ask, self.taken, self.calls = place, find, [], 0

    def take(self, request) -> PurchaseAnswer:
        self.taken.append(request.reference)
        return PurchaseAnswer(request.reference, True, their_reference=f"T{len(self.taken)}")

    def place(self, requests, *, at):
        self.calls += 1
        return self.script(self, list(requests))

    def find(self, references: Sequence[str], *, at):
        if self.ask:
            return self.ask(self, references)
        return {ref: PurchaseAnswer(ref, True) if ref in self.taken else None for ref in references}

    def replies(self, references, *, at):
        return []

    def track(self, numbers, *, at):
        return []

    def times_taken(self):
        return max((self.taken.count(ref) for ref in self.taken), default=0)


@pytest.fixture
def speaks(monkeypatch, home):
    def speaks(place, *, find=None) -> Scripted:
        connector = Scripted(place, find=find)
        monkeypatch.setattr(place_purchases, "supplier_connector", lambda **_: connector)
        return connector

    return speaks


def raises(error):
    def place(self, requests):
        raise error

    return place


def test_a_supplier_who_never_answers_ends_the_round_and_is_seen(speaks):
    shop = ready_purchases(5)
    connector = speaks(raises(errors.AnswerMissing("No answer.")))
    counts = place_purchases.submit_purchases(at=AT)
    assert connector.calls <= place_purchases.TRIES_A_CALL and counts["placed"] == 0
    task = Task.objects.get(closed_at=None)
    assert (task.kind, task.thing, "5" in task.params["sentence"]) == ("supplier_needs_person", shop.system.pk, True)
    place_purchases.submit_purchases(at=AT + SWEEP)
    assert Task.objects.filter(closed_at=None).count() == 1
    connector.script = lambda self, requests: [self.take(request) for request in requests]
    place_purchases.submit_purchases(at=AT + 2 * SWEEP)
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"}
    assert not Task.objects.filter(closed_at=None).exists(), "what is settled asks nobody"
    assert audit() == []


def test_neither_answers_nor_can_be_asked(speaks):
    ready_purchases(3)

    def take_and_go(self, requests):
        for request in requests:
            self.take(request)
        raise errors.AnswerMissing("No answer.")

    connector = speaks(take_and_go, find=lambda self, refs: raises(errors.TryLater("Busy."))(self, refs))
    for number in range(4):
        place_purchases.submit_purchases(at=AT + number * SWEEP)
    assert connector.calls == 1 and connector.times_taken() == 1, "never sent again without having asked"
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"unknown"}
    assert Task.objects.filter(closed_at=None, kind="purchase_unknown").count() == 3
    connector.ask = None
    place_purchases.ask_unknown(at=AT + 9 * SWEEP)
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"}
    assert not Task.objects.filter(closed_at=None).exists() and audit() == []


def test_an_answer_that_forgets_one_of_ours_is_a_doubt(speaks):
    ready_purchases(4)
    silent = {}

    def forgets(self, requests):
        answers = [self.take(request) for request in requests]
        silent["ref"] = answers[1].reference
        return answers[:1] + answers[2:]

    connector = speaks(forgets, find=lambda self, refs: {})
    place_purchases.submit_purchases(at=AT)
    doubted = PurchaseOrder.objects.get(state="unknown")
    assert doubted.reference == silent["ref"]
    assert Task.objects.get(closed_at=None).thing == doubted.pk
    connector.ask = None
    place_purchases.submit_purchases(at=AT + SWEEP)
    assert connector.calls == 1 and not Task.objects.filter(closed_at=None).exists()
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"} and audit() == []


def test_a_login_that_expires_in_the_middle_buys_nothing_twice(speaks):
    ready_purchases(4)

    def expires(self, requests):
        self.take(requests[0])
        raise errors.LoginExpired("Log in again.")

    connector = speaks(expires)
    place_purchases.submit_purchases(at=AT)
    assert PurchaseOrder.objects.filter(state="placed").count() == 1
    assert PurchaseOrder.objects.filter(state="ready").count() == 3
    assert Task.objects.filter(closed_at=None, kind="supplier_needs_person").count() == 1
    connector.script = lambda self, requests: [self.take(request) for request in requests]
    place_purchases.submit_purchases(at=AT + SWEEP)
    assert connector.times_taken() == 1 and set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"}


def test_a_refusal_of_the_whole_call_is_found_one_by_one(speaks):
    ready_purchases(4)
    bad = PurchaseOrder.objects.order_by("pk")[2].reference

    def refuses(self, requests):
        if any(request.reference == bad for request in requests):
            raise errors.Refused("We do not ship there.", code="destination_refused")
        return [self.take(request) for request in requests]

    speaks(refuses)
    place_purchases.submit_purchases(at=AT)
    assert PurchaseOrder.objects.get(reference=bad).state == "refused"
    assert PurchaseOrder.objects.filter(state="placed").count() == 3
    react(at=AT)
    assert Hold.objects.get(released_at=None).reason == "supplier_rejected"
    assert audit() == []


def test_a_bug_in_a_connector_is_no_second_purchase_and_stops_nobody_else(speaks):
    shop = ready_purchases(3)

    def breaks(self, requests):
        self.take(requests[0])
        raise KeyError("status")

    connector = speaks(breaks, find=lambda self, refs: (_ for _ in ()).throw(ValueError("not JSON")))
    place_purchases.submit_purchases(at=AT)
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"unknown"}
    assert Task.objects.filter(closed_at=None, kind="purchase_unknown").count() == 3
    connector.ask = None
    connector.script = lambda self, requests: [self.take(request) for request in requests]
    place_purchases.submit_purchases(at=AT + SWEEP)
    assert connector.times_taken() == 1 and PurchaseOrder.objects.filter(state="placed").count() == 3
    assert audit() == [] and shop


def test_known_there_but_refused_there_is_not_placed(speaks):
    ready_purchases(2)
    speaks(
        raises(errors.AnswerMissing("No answer.")),
        find=lambda self, refs: {ref: PurchaseAnswer(ref, False, code="out_of_stock", sentence="Sold out.") for ref in refs},
    )
    place_purchases.submit_purchases(at=AT)
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"refused"}
    react(at=AT)
    assert Hold.objects.filter(released_at=None, reason="supplier_rejected").count() == 2
    assert not Task.objects.filter(closed_at=None).exists() and audit() == []


# --- Dying in between ---------------------------------------------------------------------------------------------

STEPS = ["_own_leftovers", "_ask", "_prepare", "_requests", "_send", "_settle_answers", "_keep_theirs", "_mark_unknown"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_of_submitting(step, after, home, monkeypatch):
    shop = ready_purchases(6, timeout=0.5, timeout_before=1.0)  # every one fails at first
    real, died = getattr(place_purchases, step), []

    def mortal(*args, **kwargs):
        result = real(*args, **kwargs) if after or died else None
        if not died:
            died.append(1)
            raise Died
        return result

    monkeypatch.setattr(place_purchases, step, mortal)
    with pytest.raises(Died):
        sweeps(5)
        Supplier.objects.filter(pk=shop.system.pk).update(script={"seed": 3})  # and behaves from now on
        cast.receive_orders(shop, ["late"], skus=(cast.FROM_SYSTEM,))
        react(at=AT)
        sweeps(2, first=5)
    sweeps(6, first=7)
    nothing_twice_nothing_lost(shop, home)
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"}
    assert not PlacementAttempt.objects.filter(state__in=["prepared", "unknown"]).exists()


@pytest.mark.django_db(transaction=True)
def test_killed_between_the_suppliers_book_and_ours(home, monkeypatch):
    """He wrote it down, and we died before we heard of it."""
    shop = ready_purchases(3)
    real, died = FakeSupplier.place, []

    def mortal(self, requests, *, at):
        answers = real(self, requests, at=at)
        if not died:
            died.append(1)
            raise Died
        return answers

    monkeypatch.setattr(FakeSupplier, "place", mortal)
    with pytest.raises(Died):
        sweeps(1)
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"submitting"}
    sweeps(1, first=1)
    nothing_twice_nothing_lost(shop, home)
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"}


# --- Runs: workbooks by mail --------------------------------------------------------------------------------------


def mailed(home) -> list[str]:
    from email import message_from_bytes, policy

    names = []
    for path in sorted((home / "mail").glob("*.eml")):
        letter = message_from_bytes(path.read_bytes(), policy=policy.default)
        names += [part.get_filename() for part in letter.iter_attachments()]
    return names


def fixed_run() -> PurchaseRun:
    ready_purchases(4, sku=cast.FROM_FACTORY)
    (run,) = place_purchases.fix_runs(at=AT, by="t", delivery="mail")
    return PurchaseRun.objects.get(pk=run)


def test_a_run_is_the_same_bytes_for_ever(home):
    run = fixed_run()
    first = bytes(run.content)
    place_purchases.send_runs(at=AT)
    PurchaseOrder.objects.update(goods_amount=1)
    run.refresh_from_db()
    assert bytes(run.content) == first and run.state == "placed"
    assert place_purchases.fix_runs(at=AT, by="t") == [], "no purchase is in two runs"
    from python_calamine import CalamineWorkbook

    rows = CalamineWorkbook.from_filelike(BytesIO(first)).get_sheet_by_index(0).to_python()
    assert len(rows) == 1 + run.rows == 5
    assert sorted(row[0] for row in rows[1:]) == sorted(PurchaseOrder.objects.values_list("reference", flat=True))


def test_the_second_sending_says_repeat(home):
    run = fixed_run()
    assert place_purchases.send_runs(at=AT)["placed"] == 1
    assert place_purchases.send_runs(at=AT)["placed"] == 0
    assert mailed(home) == [run.name]
    run.refresh_from_db()
    assert place_purchases.repeat_name(run.name, run.times_sent + 1) == f"REPEAT-2-{run.name}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["before the mail", "after the mail"])
def test_killed_while_the_mail_went_out_it_is_unknown_and_never_sent_again_by_itself(where, home, monkeypatch):
    run = fixed_run()
    real = mail.Folder.send

    def mortal(self, letter):
        if where == "after the mail":
            real(self, letter)
        raise Died

    monkeypatch.setattr(mail.Folder, "send", mortal)
    with pytest.raises(Died):
        place_purchases.send_runs(at=AT)
    monkeypatch.setattr(mail.Folder, "send", real)
    for number in range(1, 4):
        assert place_purchases.send_runs(at=AT + number * SWEEP)["placed"] == 0
    run.refresh_from_db()
    assert run.state == "unknown" and len(mailed(home)) == (1 if where == "after the mail" else 0)
    assert Task.objects.get(closed_at=None).kind == "run_unknown"
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"submitting"}

    place_purchases.settle_run(run.pk, where == "after the mail", by="user:1", at=AT + timedelta(hours=1))
    assert not Task.objects.filter(closed_at=None).exists()
    place_purchases.send_runs(at=AT + timedelta(hours=2))
    run.refresh_from_db()
    assert run.state == "placed" and set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"}
    assert mailed(home) == ([run.name] if where == "after the mail" else [f"REPEAT-2-{run.name}"])
    assert audit() == []


@pytest.mark.django_db(transaction=True)
def test_killed_after_the_run_was_fixed(home, monkeypatch):
    ready_purchases(4, sku=cast.FROM_FACTORY)
    real = place_purchases.purchasing.write_run

    def mortal(**kwargs):
        real(**kwargs)
        raise Died

    monkeypatch.setattr(place_purchases.purchasing, "write_run", mortal)
    with pytest.raises(Died):
        place_purchases.fix_runs(at=AT, by="t")
    assert not PurchaseRun.objects.exists() and PurchaseOrder.objects.filter(state="ready").count() == 4
    monkeypatch.setattr(place_purchases.purchasing, "write_run", real)
    work_until_idle(at=AT)
    assert PurchaseRun.objects.get().state == "placed" and len(mailed(home)) == 1


@pytest.mark.parametrize(
    ("error", "state", "task"),
    [
        (mail.TryLater("Busy."), "fixed", None),
        (mail.Unusable("Down."), "fixed", "run_refused"),
        (mail.Refused("No."), "fixed", "run_refused"),
        (mail.NoAnswer("?"), "unknown", "run_unknown"),
    ],
)
def test_what_the_mail_server_says(error, state, task, home, monkeypatch):
    run = fixed_run()
    real = mail.Folder.send
    monkeypatch.setattr(mail.Folder, "send", lambda self, letter: (_ for _ in ()).throw(error))
    for number in range(3):
        place_purchases.send_runs(at=AT + number * SWEEP)
    run.refresh_from_db()
    assert run.state == state and not mailed(home)
    assert list(Task.objects.filter(closed_at=None).values_list("kind", flat=True)) == ([task] if task else [])
    monkeypatch.setattr(mail.Folder, "send", real)
    place_purchases.send_runs(at=AT + timedelta(hours=1))
    run.refresh_from_db()
    assert run.state == ("placed" if state == "fixed" else "unknown")
    assert mailed(home) == ([run.name] if state == "fixed" else []), "what was certainly not sent is no repeat"
    assert not Task.objects.filter(closed_at=None, kind="run_refused").exists()
    assert audit() == []


def answer(shop: cast.Shop, purchases, *, at) -> None:
    from daifa.connectors.contract import ReplyRow
    from daifa.flows.read_replies import apply_replies

    rows = [
        ReplyRow(row=number, reference=purchase.reference, accepted=2, numbers=(f"RM00000000{number}GB",), shipped=2)
        for number, purchase in enumerate(purchases, 1)
    ]
    assert not apply_replies(rows, supplier=shop.factory.pk, source="t", by="t", at=at).problems


def test_a_run_answered_before_it_was_sent_is_not_mailed(home):
    """Somebody gave him the workbook another way: mailing it now would have him ship twice."""
    run = fixed_run()
    shop = cast.Shop(run.store, run.supplier, run.supplier)
    answer(shop, PurchaseOrder.objects.order_by("pk"), at=AT + SWEEP)
    assert place_purchases.send_runs(at=AT + 2 * SWEEP)["placed"] == 0
    run.refresh_from_db()
    assert run.state == "placed" and not mailed(home)
    from daifa.domain.history.models import Transition
    from daifa.domain.purchasing.process import PURCHASE_RUN

    told = Transition.objects.select_related("batch").get(kind=PURCHASE_RUN.kind, thing=run.pk, state_to="placed")
    assert told.batch.reason == "the supplier answered it"
    assert place_purchases.repeat_name(run.name, run.times_sent + 1).startswith("REPEAT-2-")
    place_purchases.send_runs(at=AT + 3 * SWEEP)
    react(at=AT + 3 * SWEEP)
    assert not mailed(home) and not Task.objects.filter(closed_at=None).exists()
    assert audit() == []


def test_a_run_answered_in_part_before_it_was_sent_waits_for_a_person(home):
    run = fixed_run()
    shop = cast.Shop(run.store, run.supplier, run.supplier)
    answer(shop, PurchaseOrder.objects.order_by("pk")[:1], at=AT + SWEEP)
    for number in (2, 3):
        assert place_purchases.send_runs(at=AT + number * SWEEP)["placed"] == 0
    run.refresh_from_db()
    assert run.state == "unknown" and not mailed(home)
    assert Task.objects.get(closed_at=None).kind == "run_unknown"
    place_purchases.settle_run(run.pk, False, by="user:1", at=AT + 4 * SWEEP)
    place_purchases.send_runs(at=AT + 5 * SWEEP)
    run.refresh_from_db()
    assert run.state == "placed" and mailed(home) == [f"REPEAT-2-{run.name}"], "what he answered he must not ship again"
    react(at=AT + 6 * SWEEP)
    assert audit() == []


def test_a_downloaded_run_is_placed_once_and_says_repeat_from_then_on(home):
    run = fixed_run()
    assert place_purchases.confirm_run(run.pk, by="user:1", at=AT) == 4
    assert place_purchases.confirm_run(run.pk, by="user:1", at=AT) == 0
    run.refresh_from_db()
    assert run.times_sent == 2 and place_purchases.repeat_name(run.name, run.times_sent).startswith("REPEAT-2-")
    assert place_purchases.send_runs(at=AT)["placed"] == 0 and not mailed(home)


def test_an_answer_settles_a_doubt(home, speaks):
    """The supplier ships what nobody knew he had: the doubt ends, with its task and its attempt."""
    from daifa.connectors.contract import ReplyRow
    from daifa.flows.read_replies import apply_replies

    shop = ready_purchases(1)
    speaks(raises(errors.AnswerMissing("?")), find=lambda self, refs: {})
    place_purchases.submit_purchases(at=AT)
    purchase = PurchaseOrder.objects.get(state="unknown")
    row = ReplyRow(row=1, reference=purchase.reference, accepted=2, numbers=("RM000000001GB",), shipped=2)
    apply_replies([row], supplier=shop.system.pk, source="t", by="t", at=AT + SWEEP)
    purchase.refresh_from_db()
    assert purchase.state == "closed" and purchase.attempts.get().state == "accepted"
    assert not Task.objects.filter(closed_at=None).exists()
    react(at=AT + SWEEP)
    assert audit() == []
