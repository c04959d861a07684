"""From a fact to a letter: each told once, silence with its reason, corrections, sending that never repeats a doubt."""

import email
import os
import subprocess
import sys
import threading
from datetime import timedelta
from email.policy import default
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction
from django.utils import timezone

from daifa.domain.history.models import Transition
from daifa.domain.messages.commands import (
    Words,
    retry_messages,
    save_templates,
    settle_messages,
    stop_messages,
)
from daifa.domain.messages.models import Message
from daifa.domain.messages.process import MESSAGE
from daifa.domain.orders.models import Order
from daifa.domain.shipping.models import Parcel
from daifa.domain.stores.commands import ensure_installation
from daifa.domain.stores.models import Installation, Store, Task
from daifa.flows import quarantine
from daifa.flows import tell_customers as tell
from daifa.flows.reactions import REACTIONS
from tests.mail_server import mail_server
from tests.shipped_orders import NOON, new_number, order, parcel, store

AT = NOON + timedelta(days=3)
JOB = {"at": AT, "by": "job:test"}
ANNA = "anna@buyers.daifa.co.uk"  # an address a mail server would take

pytestmark = pytest.mark.django_db
# Where two processes or threads meet, the rows must really be committed.
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def mail_folder(tmp_path, settings):
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return settings.EMAIL_FILE_PATH


def react(reaction, *things, **when):
    with transaction.atomic():
        assert reaction([thing.pk for thing in things], **JOB | when) == {}


def states(**found) -> list[tuple[str, str, str]]:
    return list(Message.objects.filter(**found).order_by("id").values_list("kind", "state", "reason"))


def letters(folder) -> list[email.message.EmailMessage]:
    files = sorted(folder.glob("*"), key=lambda file: int(file.name.split("-")[1].split(".")[0]))
    return [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]


# --- Told once --------------------------------------------------------------------------------------------------


def test_every_reaction_that_is_wired_is_here():
    wired = {
        r.target
        for reactions in REACTIONS.values()
        for r in reactions
        if r.target.startswith("tell_customers:")
    }
    assert len(wired) == 7
    for target in wired:
        assert callable(getattr(tell, target.partition(":")[2]))


def test_a_parcels_story_is_told_once_in_the_stores_language(mail_folder):
    shop = store(
        language="zh-hans", name="示例小店", timezone="Asia/Shanghai", reply_to="help@shop.daifa.co.uk"
    )
    bought = order(shop, goods=[("MUG", "陶瓷马克杯", 2), ("CUSHION", "抱枕", 1)])
    box = parcel(bought)
    for _twice in range(2):
        react(tell.tell_order_received, bought)
        react(tell.tell_dispatched, box)
        react(tell.tell_in_transit, box)
        react(tell.tell_delayed, box)
        tell.send_messages(**JOB)
    Parcel.objects.update(state="delivered", delivered_at=AT)
    for _twice in range(2):
        react(tell.tell_delivered, box)
        tell.send_messages(**JOB)
    told = ["order_received", "dispatched", "in_transit", "delayed", "delivered"]
    assert states() == [(kind, "sent", "") for kind in told]
    first, second, *_rest, last = letters(mail_folder)
    assert first["To"] == "anna@buyers.example.com"
    assert first["Reply-To"] == "help@shop.daifa.co.uk"
    assert first["From"].addresses[0].display_name == "示例小店"
    assert first["Subject"] == f"您的订单 {bought.number} 已收到"
    assert "2 × 陶瓷马克杯\n1 × 抱枕" in first.get_content().replace("\r\n", "\n")
    assert "运单号：LX123456785CN" in second.get_content()
    assert "2026年3月4日" in second.get_content()
    assert "2026年3月5日 签收" in last.get_content()
    assert not any(letter.defects for letter in letters(mail_folder))
    kept = Message.objects.get(kind="dispatched")
    assert kept.subject == second["Subject"]
    assert kept.body == second.get_content().replace("\r\n", "\n")
    assert kept.sent_at == AT


def test_a_repeated_fact_in_one_batch_is_told_once():
    box = parcel(order(store()))
    react(tell.tell_dispatched, box, box, box)
    assert states() == [("dispatched", "queued", "")]


def test_each_step_stands_in_the_history():
    box = parcel(order(store()))
    react(tell.tell_dispatched, box)
    tell.send_messages(**JOB)
    [message] = Message.objects.all()
    steps = Transition.objects.filter(kind=MESSAGE.kind, thing=message.pk).values_list(
        "state_from", "state_to"
    )
    assert sorted(steps) == [("", "queued"), ("queued", "sending"), ("sending", "sent")]


@committed
def test_two_workers_that_react_at_once_tell_once():
    boxes = [parcel(order(shop := store())) if n == 0 else parcel(order(shop)) for n in range(6)]
    ids = [box.pk for box in boxes]
    errors = []

    def work(things):
        try:
            with transaction.atomic():
                tell.tell_dispatched(things, **JOB)
        except Exception as error:  # shown below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(ids[:: 1 if n % 2 else -1],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert states() == [("dispatched", "queued", "")] * 6


# --- Not told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shop", "bought", "reason"),
    [
        ({"kind": "marketplace"}, {}, "marketplace"),
        ({"messages_allowed": False}, {}, "not_allowed"),
        ({}, {"email": ""}, "no_email"),
        ({}, {"email": "anna@x.co, eve@y.co"}, "bad_email"),
        ({}, {"email": "anna@x.co\nBcc: eve@y.co"}, "bad_email"),
        ({}, {"is_history": True}, "history"),
        ({}, {"cancelled": 2}, "cancelled"),
        ({"message_cap": 0}, {}, "cap"),
    ],
)
def test_silence_has_its_reason(shop, bought, reason, mail_folder):
    row = order(store(**shop), **bought)
    react(tell.tell_order_received, row)
    assert states() == [("order_received", "suppressed", reason)]
    assert tell.send_messages(**JOB) == 0
    assert list(mail_folder.iterdir()) == []


def test_last_years_orders_are_no_news():
    react(tell.tell_order_received, order(store()), at=NOON + timedelta(days=300))
    assert states() == [("order_received", "suppressed", "too_late")]


def test_what_was_overtaken_is_not_told():
    box = parcel(order(store()), state="delivered", delivered_at=AT)
    react(tell.tell_dispatched, box)
    react(tell.tell_in_transit, box)
    react(tell.tell_delayed, box)
    react(tell.tell_delivered, box)
    assert states() == [
        ("dispatched", "suppressed", "overtaken"), ("in_transit", "suppressed", "overtaken"),
        ("delayed", "suppressed", "overtaken"), ("delivered", "queued", ""),
    ]  # fmt: skip


def test_what_was_overtaken_while_it_waited_is_not_sent(mail_folder):
    box = parcel(order(shop := store()))
    react(tell.tell_in_transit, box)
    react(tell.tell_order_received, order(shop))
    Parcel.objects.update(state="delivered", delivered_at=AT)
    Store.objects.update(messages_allowed=True)
    Order.objects.filter(parcels=None).update(cancelled=2)
    assert tell.send_messages(**JOB) == 2
    assert states() == [
        ("in_transit", "suppressed", "overtaken"),
        ("order_received", "suppressed", "cancelled"),
    ]
    assert letters(mail_folder) == []


def test_the_cap_counts_what_was_not_suppressed():
    bought = order(store(message_cap=3))
    boxes = [parcel(bought, number=f"N{n}") for n in range(4)]
    Parcel.objects.filter(pk=boxes[0].pk).update(state="lost")
    react(tell.tell_order_received, bought)
    react(tell.tell_dispatched, *boxes)  # the first is lost, two fit, the last is too much
    assert [row[1:] for row in states(kind="dispatched")] == [
        ("suppressed", "overtaken"), ("queued", ""), ("queued", ""), ("suppressed", "cap"),
    ]  # fmt: skip
    tell.send_messages(**JOB)
    react(tell.tell_in_transit, boxes[1])
    new_number(boxes[1], "NEW1")
    react(tell.tell_number_changed, boxes[1])
    # A parcel may have the number of the order: messages of orders are left out.
    assert [row for row in states(thing=boxes[1].pk) if row[0] != "order_received"] == [
        ("dispatched", "sent", ""), ("in_transit", "suppressed", "cap"), ("number_changed", "queued", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(("parcels", "moving"), [(1, 1), (2, 2), (3, 1), (4, 0)])
def test_news_of_movement_leave_room_for_news_of_delivery(parcels, moving):
    bought = order(store(message_cap=8))
    boxes = [parcel(bought, number=f"N{n}") for n in range(parcels)]
    react(tell.tell_order_received, bought)
    react(tell.tell_dispatched, *boxes)
    react(tell.tell_in_transit, *boxes)
    Parcel.objects.update(state="delivered", delivered_at=AT)
    react(tell.tell_delivered, *boxes)
    assert [row[1] for row in states(kind="in_transit")].count("queued") == moving
    assert [row[1] for row in states(kind="delivered")].count("queued") == min(parcels, 3)


@pytest.mark.parametrize(
    ("shop", "consent", "expected"),
    [
        ({}, True, ("suppressed", "review_off")),
        ({"review_invitations": True}, False, ("suppressed", "consent_missing")),
        ({"review_invitations": True}, True, ("queued", "")),
        ({"review_invitations": True, "kind": "marketplace"}, True, ("suppressed", "marketplace")),
    ],
)
def test_reviews_need_the_stores_wish_and_the_buyers_consent(shop, consent, expected):
    bought = order(store(**shop), consent=consent, delivered=2)
    boxes = [parcel(bought, number=n, state="delivered", delivered_at=AT) for n in ("N1", "N2")]
    for _twice in range(2):
        react(tell.invite_review, *boxes)
    assert states() == [("review", *expected)]


def test_no_review_before_everything_has_arrived():
    box = parcel(
        order(store(review_invitations=True), consent=True, delivered=1), state="delivered", delivered_at=AT
    )
    react(tell.invite_review, box)
    assert states() == []
    Order.objects.update(cancelled=1)
    react(tell.invite_review, box)
    assert states() == [("review", "queued", "")]


# --- A replaced number ------------------------------------------------------------------------------------------


def test_a_replaced_number_sends_exactly_one_correction(mail_folder):
    box = parcel(order(store()))
    react(tell.tell_dispatched, box)
    tell.send_messages(**JOB)
    new_number(box, "NEW222")
    for _twice in range(2):
        react(tell.tell_number_changed, box)
        tell.send_messages(**JOB)
    first, correction = letters(mail_folder)
    assert "LX123456785CN" in first.get_content()
    assert "NEW222" in correction.get_content()
    assert "(LX123456785CN)" in correction.get_content()
    new_number(box, "NEW333")
    react(tell.tell_number_changed, box)
    tell.send_messages(**JOB)
    assert [row[1] for row in states()] == ["sent", "sent", "sent"]
    assert "(NEW222)" in letters(mail_folder)[2].get_content()


def test_a_waiting_message_leaves_with_the_new_number(mail_folder):
    box = parcel(order(store()))
    react(tell.tell_dispatched, box)
    new_number(box, "NEW222")
    react(tell.tell_number_changed, box)
    tell.send_messages(**JOB)
    assert states() == [("dispatched", "sent", ""), ("number_changed", "suppressed", "dispatch_carries_it")]
    [letter] = letters(mail_folder)
    assert "NEW222" in letter.get_content()


def test_two_replacements_before_the_first_is_told_are_one_correction(mail_folder):
    box = parcel(order(store()))
    react(tell.tell_dispatched, box)
    tell.send_messages(**JOB)
    new_number(box, "NEW222")
    react(tell.tell_number_changed, box)
    new_number(box, "NEW333")
    react(tell.tell_number_changed, box)
    tell.send_messages(**JOB)
    assert [row[1:] for row in states(kind="number_changed")] == [
        ("sent", ""),
        ("suppressed", "dispatch_carries_it"),
    ]
    assert "NEW333" in letters(mail_folder)[1].get_content()
    assert "NEW222" not in letters(mail_folder)[1].get_content()


def test_who_never_saw_the_old_number_is_not_corrected():
    box = parcel(order(store()))
    new_number(box, "NEW222")
    react(tell.tell_number_changed, box)
    assert states() == [("number_changed", "suppressed", "not_told_yet")]


def test_a_number_that_was_not_replaced_needs_no_correction():
    react(tell.tell_number_changed, parcel(order(store())))
    assert states() == []


@committed
def test_a_message_claimed_at_the_same_moment_is_waited_for():
    """The sweep has written the old number but not committed; the correction must not believe that it still waits."""
    box = parcel(order(store()))
    react(tell.tell_dispatched, box)
    claimed, go_on = threading.Event(), threading.Event()

    def sweep():
        try:
            with transaction.atomic():
                from daifa.domain.messages import commands, queries

                ids = commands.lock_queued(at=AT, limit=10, local=None)
                [row] = queries.written(ids, at=AT)
                commands.start_sending({row.id: (row.subject, row.body)}, **JOB)
                claimed.set()
                go_on.wait(5)
        finally:
            connection.close()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    assert claimed.wait(5)
    new_number(box, "NEW222")
    threading.Timer(0.2, go_on.set).start()
    react(tell.tell_number_changed, box)
    sweeper.join()
    assert states() == [("dispatched", "sending", ""), ("number_changed", "queued", "")]


# --- Sending ----------------------------------------------------------------------------------------------------


def queue(*emails: str, **shop) -> list[Message]:
    row = store(**shop)
    react(tell.tell_order_received, *(order(row, email=address) for address in emails))
    return list(Message.objects.order_by("id"))


def test_one_connection_for_a_sweep_and_one_letter_each():
    queue(*[f"buyer{n}@buyers.daifa.co.uk" for n in range(45)])
    with mail_server() as server:
        assert tell.send_messages(**JOB) == 45
        assert server.connections == 1
        assert len({to for to, _text in server.letters}) == 45
        ids = [email.message_from_string(text, policy=default)["Message-ID"] for _to, text in server.letters]
        assert len(set(ids)) == 45
        assert tell.send_messages(**JOB) == 0
        assert server.connections == 1
    assert {row[1] for row in states()} == {"sent"}


def test_the_limit_is_kept():
    queue(*[ANNA] * 5)
    assert tell.send_messages(**JOB, limit=3) == 3
    assert [row[1] for row in states()] == ["sent"] * 3 + ["queued"] * 2


def test_sample_stores_and_impossible_addresses_never_reach_a_server(mail_folder):
    queue(ANNA, is_sample=True)
    react(
        tell.tell_order_received,
        order(store("real"), email="c1@example.invalid"),
        order(Store.objects.get(code="real"), email=ANNA),
    )
    with mail_server() as server:
        tell.send_messages(**JOB)
        assert [to for to, _text in server.letters] == [ANNA]
    assert sorted(letter["To"] for letter in letters(mail_folder)) == [ANNA, "c1@example.invalid"]
    assert {row[1] for row in states()} == {"sent"}


def test_what_the_server_refuses_fails_and_the_rest_goes_on():
    queue("gone@buyers.daifa.co.uk", ANNA)
    with mail_server(
        lambda verb, what: "550 no such user" if verb == "RCPT" and "gone" in what else ""
    ) as server:
        tell.send_messages(**JOB)
        assert len(server.letters) == 1
    assert [row[1:] for row in states()] == [("failed", "refused:550"), ("sent", "")]
    failed, sent = Message.objects.order_by("id")
    task = Task.objects.get(kind="message_failed", closed_at=None)
    assert task.thing == failed.pk
    assert task.params == {"number": failed.order.number, "kind": "order_received", "reason": "refused:550"}
    assert list(retry_messages([failed.pk, sent.pk], by="user:1", at=AT)) == [sent.pk]
    assert [row[1:] for row in states()] == [("queued", "again"), ("sent", "")]
    assert not Task.objects.filter(closed_at=None).exists()
    assert stop_messages([failed.pk], by="user:1", at=AT) == {}
    assert states(pk=failed.pk) == [("order_received", "suppressed", "by_hand")]


def test_a_busy_server_is_asked_again_later_and_not_for_ever():
    [message] = queue(ANNA)
    at = AT
    with mail_server(lambda verb, _what: "451 later" if verb == "TEXT" else "") as server:
        for tries in range(1, 7):
            assert tell.send_messages(at=at, by="job:test") == 1
            assert states() == [("order_received", "queued", f"later:{tries}")]
            assert tell.send_messages(at=at, by="job:test") == 0  # not before its time
            message.refresh_from_db()
            assert message.at > at
            at = message.at
        tell.send_messages(at=at, by="job:test")
        assert server.letters == []
    assert states() == [("order_received", "failed", "gave_up")]


def test_a_line_that_breaks_after_the_text_leaves_a_doubt_not_a_second_letter():
    queue(ANNA, "second@buyers.daifa.co.uk")
    with mail_server(lambda verb, what: None if verb == "TEXT" and ANNA in what else "") as server:
        sweep = tell.sweep_messages(**JOB)
        assert sweep.stopped
        assert [row[1:] for row in states()] == [("unknown", "no_answer"), ("queued", "")]
        tell.send_messages(**JOB)
        tell.send_messages(**JOB)
        assert [to for to, _text in server.letters] == ["second@buyers.daifa.co.uk"]
    assert [row[1] for row in states()] == ["unknown", "sent"]
    unknown = Message.objects.get(state="unknown")
    task = Task.objects.get(kind="message_unknown", closed_at=None)
    assert (task.thing_kind, task.thing, task.store) == ("message", unknown.pk, unknown.store)
    assert ANNA not in str(task.params)


def test_a_person_settles_a_doubt():
    queue(ANNA, "second@buyers.daifa.co.uk")
    Message.objects.update(state="sending")
    tell.send_messages(**JOB)
    first, second = Message.objects.order_by("id")
    later = AT + timedelta(hours=1)
    assert settle_messages([first.pk], sent=True, by="user:1", at=later) == {}
    assert settle_messages([second.pk], sent=False, by="user:1", at=later) == {}
    assert "not in doubt" in settle_messages([first.pk], sent=False, by="user:1", at=later)[first.pk]
    assert [row[1:] for row in states()] == [("sent", "was_sent"), ("queued", "not_sent")]
    assert not Task.objects.filter(closed_at=None).exists()
    assert tell.send_messages(at=later, by="job:test") == 1
    assert [row[1] for row in states()] == ["sent", "sent"]


def test_a_server_that_cannot_be_reached_claims_nothing_and_asks_for_a_person(settings):
    queue(ANNA)
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", 1, False
    sweep = tell.sweep_messages(**JOB)
    assert "cannot be reached" in sweep.stopped
    assert sweep.done == 0
    assert states() == [("order_received", "queued", "")]
    assert Task.objects.filter(kind="mail_not_working", closed_at=None).count() == 1
    with mail_server():
        tell.send_messages(**JOB)
    assert not Task.objects.filter(closed_at=None).exists()
    assert states() == [("order_received", "sent", "")]


def test_a_quarantined_copy_sends_nothing_and_doubts_what_the_backup_held(mail_folder):
    ensure_installation(AT)
    queue(ANNA)
    Installation.objects.update(quarantined_at=AT)
    assert "quarantined" in tell.sweep_messages(**JOB).stopped
    assert states() == [("order_received", "queued", "")]
    later = AT + timedelta(hours=1)
    Installation.objects.update(read_back_at=later)
    quarantine.release(by="user:1", at=later)
    react(tell.tell_order_received, order(Store.objects.get(), placed_at=later, paid_at=later), at=later)
    tell.send_messages(at=later, by="job:test")
    assert [row[1:] for row in states()] == [("unknown", "restored"), ("sent", "")]
    assert len(letters(mail_folder)) == 1


@committed
def test_only_one_sweep_at_a_time():
    from daifa.lib.alone import alone

    queue(ANNA)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    held, done = threading.Event(), threading.Event()

    def other():
        try:
            with alone(tell._LOCK) as mine:
                assert mine
                held.set()
                done.wait(5)
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert held.wait(5)
    sweep = tell.sweep_messages(**JOB)
    done.set()
    thread.join()
    assert sweep.done == 0
    assert "Another process" in sweep.stopped
    assert tell.send_messages(**JOB) == 1


@committed
def test_sending_inside_a_transaction_is_refused():
    queue(ANNA)
    with pytest.raises(RuntimeError), transaction.atomic():
        tell.send_messages(**JOB)
    assert states() == [("order_received", "queued", "")]


KILLED = """
import os, signal, sys
import django
django.setup()
from datetime import datetime
from daifa.flows import tell_customers
from daifa.lib import mail

sent = 0
real = mail.{way}.send

def send(self, letter):
    global sent
    if sent == 3:
        {last}
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, letter)
    sent += 1

mail.{way}.send = send
tell_customers.send_messages(at=datetime.fromisoformat(sys.argv[1]), by="job:test")
"""


def run_and_kill(way: str, last: str, **environment: str) -> None:
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED.format(way=way, last=last), AT.isoformat()],
        env=os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "daifa.config.settings"} | environment,
        cwd=Path(__file__).resolve().parents[2], capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr.decode()[-2000:]


@committed
@pytest.mark.parametrize("after_the_text", [False, True])
def test_kill_9_while_a_server_is_spoken_to(after_the_text):
    addresses = [f"buyer{n}@buyers.daifa.co.uk" for n in range(6)]
    queue(*addresses)
    with mail_server() as server:
        host, port = server.server_address[:2]
        run_and_kill(
            "Smtp", "real(self, letter)" if after_the_text else "pass",
            SMTP_HOST=str(host), SMTP_PORT=str(port), SMTP_STARTTLS="0", SMTP_FROM="shop@daifa.co.uk",
        )  # fmt: skip
        assert {row[1] for row in states()} == {"sending"}
        before = list(server.letters)
        assert len(before) == 3 + after_the_text
        for _again in range(3):
            tell.send_messages(**JOB)
        assert server.letters == before  # nobody knows which of the six went out: none is sent again
    assert [row[1:] for row in states()] == [("unknown", "interrupted")] * 6
    assert Task.objects.filter(kind="message_unknown", closed_at=None).count() == 6


@committed
def test_kill_9_while_files_are_written(mail_folder):
    queue(*[ANNA] * 6)
    run_and_kill("Folder", "pass", DAIFA_HOME=str(mail_folder.parent))
    assert len(letters(mail_folder)) == 3
    assert {row[1] for row in states()} == {"sending"}
    tell.send_messages(**JOB)
    assert [row[1:] for row in states()] == [("sent", "")] * 3 + [("unknown", "interrupted")] * 3
    assert len(letters(mail_folder)) == 3
    doubtful = [message.pk for message in Message.objects.filter(state="unknown")]
    settle_messages(doubtful, sent=False, by="user:1", at=AT)
    tell.send_messages(**JOB)
    assert [row[1] for row in states()] == ["sent"] * 6
    assert len(letters(mail_folder)) == 6


def test_nothing_personal_is_logged(caplog):
    caplog.set_level("DEBUG")
    queue(ANNA, "gone@buyers.daifa.co.uk")
    with mail_server(
        lambda verb, what: (
            "550 <gone@buyers.daifa.co.uk> unknown" if verb == "RCPT" and "gone" in what else ""
        )
    ):
        tell.send_messages(**JOB)
    text = caplog.text + str(states()) + str(list(Task.objects.values_list("params")))
    for secret in (ANNA, "gone@", "Anna Wood", "High Street"):
        assert secret not in text


def test_own_words_are_used(mail_folder):
    shop = store()
    saved = save_templates(
        [Words(shop.pk, "order_received", "en", "Cheers, {{ buyer_name }}", "{{ total }} for\n{{ items }}")],
        by="user:1", at=timezone.now(),
    )  # fmt: skip
    assert saved.refused == {}
    react(tell.tell_order_received, order(shop))
    tell.send_messages(**JOB)
    [letter] = letters(mail_folder)
    assert letter["Subject"] == "Cheers, Anna Wood"
    assert letter.get_content().split() == ["42.50", "GBP", "for", "2", "×", "Ceramic", "mug"]
