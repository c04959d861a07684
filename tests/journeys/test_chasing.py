"""A factory that does not ship: routing tries who is in time, the factory is asked, asked again, and given up.

The clocks run as they do live: reckoned, then asked for.
"""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from daifa.connectors.contract import IncomingOffer
from daifa.domain.fulfilment.models import FulfilmentLine
from daifa.domain.orders.models import Order
from daifa.domain.purchasing import reminders
from daifa.domain.purchasing.models import PurchaseOrder, PurchaseRun, Reminder
from daifa.domain.sourcing.commands import import_offers
from daifa.domain.stores.models import Store, Task
from daifa.flows import by_hand
from daifa.flows.audit import audit
from daifa.flows.chase_suppliers import chase_suppliers
from daifa.flows.keep_clocks import keep_clocks
from daifa.flows.reads.orders import routing_of
from daifa.flows.work import work_until_idle
from daifa.lib import mail
from daifa.lib.refusal import Refused
from tests import cast
from tests.mail_server import mail_server

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def mail_folder(settings, tmp_path):
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    return tmp_path / "mail"


@pytest.fixture
def shop():
    """Two orders for the factory, placed at nine on Monday; the store promises 48 hours, the factory three days."""
    shop = cast.open_shop()
    cast.receive_orders(shop, ["C-1", "C-2"], skus=("MUG",))
    work_until_idle(at=cast.MORNING)
    assert PurchaseOrder.objects.filter(state="placed").count() == 2
    return shop


def chase(hours: float) -> dict[str, int]:
    at = cast.MORNING + hours * HOUR
    keep_clocks(at=at)
    return {name: count for name, count in chase_suppliers(at=at, by="test").items() if count}


def letters(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("reminder-*.eml"))


def test_who_ships_in_time_is_chosen_before_the_better_rank():
    shop = cast.open_shop()
    quick = IncomingOffer(row=1, supplier_sku="Q-MUG", sku="MUG", price=cast.Decimal("3.20"), stock=50, lead_days=1, rank=2)
    import_offers(shop.system, [quick], by="user:1", at=cast.MORNING)
    cast.receive_orders(shop, ["C-1"], skus=("MUG",))
    work_until_idle(at=cast.MORNING)
    line = FulfilmentLine.objects.get()
    assert line.offer.supplier == shop.system
    (routed,) = routing_of(Order.objects.get().pk)
    assert [(one.supplier_id, one.reason) for one in routed.lost] == [(shop.factory.pk, "ships_too_late")] and not routed.late
    Store.objects.update(dispatch_hours=80)  # a promise that the factory keeps
    cast.receive_orders(shop, ["C-2"], skus=("MUG",))
    work_until_idle(at=cast.MORNING)
    assert FulfilmentLine.objects.latest("pk").offer.supplier == shop.factory


def test_nobody_in_time_is_said_on_the_order(shop):
    (routed,) = routing_of(Order.objects.get(number="C-1").pk)
    assert routed.late and routed.won[0].supplier_id == shop.factory.pk


def test_asked_before_and_after_then_a_person(shop, mail_folder):
    assert chase(20) == {}
    assert chase(36) == {"asked": 2, "sent": 1}
    assert chase(37) == {}
    (first,) = Reminder.objects.all()
    assert (first.state, first.step, first.lines.count(), first.email) == ("sent", "soon", 2, "factory@example.invalid")
    assert chase(48) == {"asked": 2, "sent": 1}  # the time has run out
    assert chase(71) == {} and chase(72) == {"asked": 2, "sent": 1}
    assert chase(95) == {} and chase(96) == {"silent": 1} and chase(97) == {}
    assert letters(mail_folder) == sorted(f"reminder-{pk}.{uuid()}.eml" for pk in Reminder.objects.values_list("pk", flat=True))
    task = Task.objects.get(kind="supplier_silent")
    assert (task.thing, task.params) == (Reminder.objects.latest("pk").pk, {"supplier": "Factory", "count": 2})
    (run,) = PurchaseRun.objects.filter(supplier=shop.factory)
    cast.answer_run(shop, run.pk, at=cast.MORNING + 98 * HOUR)
    work_until_idle(at=cast.MORNING + 98 * HOUR)
    assert chase(130) == {}
    task.refresh_from_db()
    assert task.closed_at
    assert audit() == []


def uuid() -> str:
    from daifa.domain.stores.queries import installation

    return installation().uuid.hex[:10]


def test_the_letter_is_in_the_suppliers_language_and_names_no_buyer(shop, mail_folder):
    shop.factory.language = "en"
    shop.factory.save()
    chase(36)
    letter = Reminder.objects.get()
    assert letter.subject == "Example Gifts: please ship 2 purchase orders"
    for purchase in PurchaseOrder.objects.all():
        assert f"{purchase.reference}: 2 units missing; the time for dispatch runs out on 2026-03-04 09:00" in letter.text
    for secret in ("Anna", "Wood", "High Street", "Leeds", "C-1", "anna"):
        assert secret not in letter.text + letter.subject
    assert letter.stake is None or letter.stake >= 0
    shop.factory.language = "zh-hans"
    shop.factory.save()
    chase(48)
    assert re.search("[一-鿿]", Reminder.objects.latest("pk").subject)


def test_by_a_person_or_not_at_all(shop, mail_folder):
    reminders.set_chasing(supplier_id=shop.factory.pk, way="person", hours_before=24, by="user:1", at=cast.MORNING)
    assert chase(24) == {"asked": 2, "by_person": 1}
    (waiting,) = Reminder.objects.all()
    assert waiting.state == "due" and Task.objects.get(kind="reminder_to_send").thing == waiting.pk
    assert chase(49) == {}, "one letter waits: no second one"
    assert not letters(mail_folder)
    assert reminders.pass_on([waiting.pk], by="user:1", at=cast.MORNING + 50 * HOUR) == [waiting.pk]
    assert reminders.pass_on([waiting.pk], by="user:1", at=cast.MORNING + 50 * HOUR) == []
    assert not Task.objects.filter(kind="reminder_to_send", closed_at=None).exists()
    reminders.set_chasing(supplier_id=shop.factory.pk, way="off", hours_before=24, by="user:1", at=cast.MORNING)
    assert chase(90) == {}
    with pytest.raises(Refused):
        reminders.set_chasing(supplier_id=shop.factory.pk, way="mail", hours_before=0, by="user:1", at=cast.MORNING)


def test_shipped_before_it_was_passed_on(shop):
    reminders.set_chasing(supplier_id=shop.factory.pk, way="person", hours_before=24, by="user:1", at=cast.MORNING)
    chase(24)
    (run,) = PurchaseRun.objects.filter(supplier=shop.factory)
    cast.answer_run(shop, run.pk, at=cast.MORNING + 25 * HOUR)
    chase(26)
    assert Reminder.objects.get().state == "dropped"
    assert not Task.objects.filter(kind="reminder_to_send", closed_at=None).exists()


def test_a_process_that_died_while_sending_sends_nothing_twice(shop, mail_folder, monkeypatch):
    def dies(self, letter):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(mail.Folder, "send", dies)
        with pytest.raises(SystemExit):
            chase(36)
    assert Reminder.objects.get().state == "sending"
    assert chase(37) == {}
    assert Reminder.objects.get().state == "unknown" and Task.objects.filter(kind="reminder_unknown").exists()
    assert not letters(mail_folder)


def test_a_process_that_died_after_the_letter_lay_in_the_folder(shop, mail_folder, monkeypatch):
    monkeypatch.setattr(reminders, "settle", lambda *args, **kwargs: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        chase(36)
    monkeypatch.undo()
    chase(37)
    assert Reminder.objects.get().state == "sent" and len(letters(mail_folder)) == 1


@pytest.mark.parametrize(
    ("verb", "answer", "state", "email"),
    [("RCPT", "550 no such user", "due", ""), ("DATA", "450 later", "due", "factory@kiln.cn"), ("RCPT", "", "sent", "factory@kiln.cn")],
)
def test_what_a_mail_server_may_say(shop, verb, answer, state, email):
    shop.factory.email = "factory@kiln.cn"
    shop.factory.save()
    with mail_server(lambda said, _what: answer if said == verb else ""):
        chase(36)
    reminder = Reminder.objects.get()
    assert (reminder.state, reminder.email) == (state, email)
    assert Task.objects.filter(kind="reminder_to_send").exists() == (email == "")


def test_given_to_another_supplier(shop):
    backup = IncomingOffer(row=1, supplier_sku="Q-MUG", sku="MUG", price=cast.Decimal("3.20"), stock=50, lead_days=1, rank=2)
    import_offers(shop.system, [backup], by="user:1", at=cast.MORNING)
    purchase = PurchaseOrder.objects.get(order__number="C-1")
    at = cast.MORNING + 50 * HOUR
    assert by_hand.take_away(purchase.pk, "kiln is broken", by="user:1", at=at) == 2
    purchase.refresh_from_db()
    assert (purchase.rejected, purchase.state) == (2, "refused")
    assert purchase.answers.get().source == "user:1"
    with pytest.raises(Refused):
        by_hand.take_away(purchase.pk, "", by="user:1", at=at)
    work_until_idle(at=at)
    assert PurchaseOrder.objects.filter(order__number="C-1", state="placed").get().supplier == shop.system
    assert audit() == []


def test_what_was_accepted_is_not_taken_away(shop):
    purchase = PurchaseOrder.objects.get(order__number="C-1")
    PurchaseOrder.objects.filter(pk=purchase.pk).update(accepted=1)
    with pytest.raises(Refused, match="accepted"):
        by_hand.take_away(purchase.pk, "", by="user:1", at=cast.MORNING)


def test_the_pages(shop, client, django_user_model):
    reminders.set_chasing(supplier_id=shop.factory.pk, way="person", hours_before=24, by="user:1", at=cast.MORNING)
    chase(24)
    (reminder,) = Reminder.objects.all()
    owner = django_user_model.objects.create_superuser("owner@example.invalid", password="x")
    client.force_login(owner)
    assert reminder.subject in client.get(reverse("web:reminder", args=[reminder.pk])).content.decode()
    assert "Factory" in client.get(reverse("web:reminders")).content.decode()
    client.post(reverse("web:reminder_settle", args=[reminder.pk]), {"sent": "1"})
    reminder.refresh_from_db()
    assert reminder.state == "sent"
    saved = client.post(reverse("web:supplier_chasing", args=[shop.factory.pk]), {"way": "off", "hours_before": "6"})
    assert saved.status_code == 302 and shop.factory.chasing.way == "off"
    purchase = PurchaseOrder.objects.get(order__number="C-2")
    assert client.post(reverse("web:purchase_take_away", args=[purchase.pk]), {"reason": "no"}).status_code == 302
    purchase.refresh_from_db()
    assert purchase.state == "refused"


def test_the_api(shop, client, django_user_model):
    reminders.set_chasing(supplier_id=shop.factory.pk, way="person", hours_before=24, by="user:1", at=cast.MORNING)
    chase(24)
    client.force_login(django_user_model.objects.create_superuser("owner@example.invalid", password="x"))
    (listed,) = client.get("/api/v1/reminders?state=due").json()["items"]
    whole = client.get(f"/api/v1/reminders/{listed['id']}").json()
    assert (whole["supplier"], whole["purchases"], len(whole["lines"])) == ("gifts-factory", 2, 2)
    assert whole["lines"][0]["reference"] in whole["text"]
    settle = f"/api/v1/reminders/{listed['id']}/settle"
    assert client.post(settle, {"sent": True}, content_type="application/json").json()["done"] == [listed["id"]]
    assert client.post(settle, {"sent": True}, content_type="application/json").json()["done"] == []
    purchase = whole["lines"][0]["purchase_id"]
    taken = client.post(f"/api/v1/purchases/{purchase}/take-away", {"reason": "no"}, content_type="application/json")
    assert taken.json() == {"units": 2}
    again = client.post(f"/api/v1/purchases/{purchase}/take-away", {}, content_type="application/json")
    assert again.status_code == 409 and "taken away" in str(again.json())
