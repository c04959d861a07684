"""Stores, who may work them, tasks."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection

from daifa.domain.people.models import User
from daifa.domain.stores import commands, queries, rules
from daifa.domain.stores.commands import NewTask
from daifa.domain.stores.models import Store, StoreAccess, Task
from daifa.lib.refusal import Refused

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
BY = "user:1"


def add(code="cups", **more):
    return commands.add_store(code=code, name=code.title(), currency="GBP", by=BY, at=AT, **more)


def user(name, **more):
    return User.objects.create(username=name, date_joined=AT, **more)


# role, need → allowed
TABLE = """
owner      view yes | operate yes | books yes | own yes
operator   view yes | operate yes | books no  | own no
bookkeeper view yes | operate no  | books yes | own no
viewer     view yes | operate no  | books no  | own no
stranger   view no  | operate no  | books no  | own no
"""


@pytest.mark.parametrize("line", TABLE.strip().splitlines())
def test_what_a_role_allows(line):
    role, cells = line.split(maxsplit=1)
    for cell in cells.split("|"):
        need, answer = cell.split()
        assert rules.allows("" if role == "stranger" else role, need) is (answer == "yes")


def test_an_unknown_need_is_never_yes():
    with pytest.raises(ValueError, match="No such need"):
        rules.allows("owner", "fly")


@pytest.mark.django_db
def test_scope_role_and_may():
    cups, lamps = add("cups"), add("lamps")
    owner = user("boss", is_superuser=True)
    anna, stranger = user("anna"), user("stranger")
    assert commands.give_access([(anna.pk, cups.pk, "bookkeeper")], by=BY, at=AT) == []
    assert queries.scope_of(owner) == sorted([cups.pk, lamps.pk])
    assert queries.scope_of(anna) == [cups.pk]
    assert queries.scope_of(anna, "books") == [cups.pk]
    assert queries.scope_of(anna, "operate") == []
    assert queries.scope_of(stranger) == queries.scope_of(AnonymousUser()) == []
    assert queries.role_of(owner, lamps.pk) == "owner"
    assert queries.role_of(owner, 10**9) == "", "no store, no role"
    assert (queries.role_of(anna, cups.pk), queries.role_of(anna, lamps.pk)) == ("bookkeeper", "")
    assert queries.may(anna, cups.pk, "books") and not queries.may(anna, cups.pk, "operate")
    assert not queries.may(anna, lamps.pk, "view")
    anna.is_active = False
    assert queries.scope_of(anna) == [] and not queries.may(anna, cups.pk, "view")


@pytest.mark.django_db
def test_what_belongs_to_no_store_needs_every_store():
    cups, lamps = add("cups"), add("lamps")
    anna = user("anna")
    commands.give_access([(anna.pk, cups.pk, "operator")], by=BY, at=AT)
    assert not queries.may(anna, None, "operate")
    commands.give_access([(anna.pk, lamps.pk, "operator")], by=BY, at=AT)
    assert queries.may(anna, None, "operate") and not queries.may(anna, None, "own")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("currency", "POUNDS", "currency code"),
        ("currency", "XYZ", "currency code"),
        ("timezone", "London", "time zone"),
        ("code", "two words", "no spaces"),
        ("language", "fr", "one of"),
        ("country", "GBR", "two letters"),
        ("kind", "souk", "choice"),
        ("margin_floor", "250", "percent"),
        ("reply_to", "nobody", "e-mail|email"),
        ("dispatch_hours", -1, "greater than"),
        ("colour", "red", "no field"),
    ],
)
def test_a_store_that_cannot_be_is_refused_with_a_sentence(field, value, says):
    given = {"code": "cups", "name": "Cups", "currency": "GBP", field: value}
    with pytest.raises(Refused, match=f"(?i){says}") as refused:
        commands.add_store(by=BY, at=AT, **given)
    assert refused.value.field == field
    assert not Store.objects.exists()


@pytest.mark.django_db
def test_a_code_is_taken_once_and_small_letters_of_a_currency_are_mended():
    store = commands.add_store(code="cups", name="Cups", currency=" gbp", country="gb", by=BY, at=AT)
    assert (store.currency, store.country) == ("GBP", "GB")
    with pytest.raises(Refused, match="choose another code"):
        commands.add_store(code="cups", name="Other", currency="EUR", by=BY, at=AT)


@pytest.mark.django_db
def test_editing_keeps_what_is_fixed_once_there_are_orders_and_leaves_a_trace():
    store = add()
    edited = commands.edit_store(store_id=store.pk, name="Mugs", currency="EUR", by=BY, at=AT)
    assert (edited.name, edited.currency) == ("Mugs", "EUR")
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO orders_order (store_id, number, placed_at, currency, content_hash, source)
               VALUES (%s, '1', %s, 'EUR', '', 'test')""",
            (store.pk, AT),
        )
        with pytest.raises(Refused, match="currency cannot change"):
            commands.edit_store(store_id=store.pk, currency="USD", by=BY, at=AT)
        assert Store.objects.get().currency == "EUR"
        cursor.execute(
            "SELECT e.name, c.metadata ->> 'by' FROM stores_storeevent e JOIN pghistory_context c ON c.id = e.pgh_context_id ORDER BY 1"
        )
        assert cursor.fetchall() == [("Cups", BY), ("Mugs", BY)]


@pytest.mark.django_db
def test_a_store_keeps_an_owner():
    anna, ben = user("anna"), user("ben")
    store = add(owner_id=anna.pk)
    assert "needs an owner" in commands.give_access([(anna.pk, store.pk, "viewer")], by=BY, at=AT)[0]
    assert "needs an owner" in commands.take_access([(anna.pk, store.pk)], by=BY, at=AT)[0]
    assert "no role" in commands.give_access([(ben.pk, store.pk, "king")], by=BY, at=AT)[0]
    assert (
        commands.give_access([(ben.pk, store.pk, "owner"), (anna.pk, store.pk, "viewer")], by=BY, at=AT) == []
    )
    assert dict(StoreAccess.objects.values_list("user__username", "role")) == {
        "anna": "viewer",
        "ben": "owner",
    }
    assert commands.take_access([(anna.pk, store.pk)], by=BY, at=AT) == []
    assert [name for _id, name, _mail, _role in queries.people_of(store.pk)] == ["ben"]


@pytest.mark.django_db
def test_fee_rules_are_checked():
    store = add()
    good = {"name": "card", "percent": "2.9", "fixed": "0.30"}
    more = {"store_id": store.pk, "valid_from": date(2026, 1, 1), "by": BY, "at": AT}
    rule = commands.add_fee_rule(**good, **more)
    assert rule.percent == Decimal("2.9")
    for bad in ({"name": " "}, {"percent": "120"}, {"fixed": "x"}):
        with pytest.raises(Refused) as refused:
            commands.add_fee_rule(**(good | bad), **more)
        assert [refused.value.field] == list(bad)
    assert commands.remove_fee_rules([rule.pk], store_id=store.pk + 1, by=BY, at=AT) == 0
    assert commands.remove_fee_rules([rule.pk], store_id=store.pk, by=BY, at=AT) == 1


@pytest.mark.django_db
def test_a_task_is_open_once_and_can_be_opened_again_when_closed():
    store = add()
    rows = [
        NewTask("parcel_lost", store.pk, "parcel", number, {"days": 30}, Decimal("9.50"), "GBP")
        for number in (1, 2, 2)
    ]
    assert commands.open_tasks(rows, at=AT) == 2
    assert commands.open_tasks(rows, at=AT) == 0
    assert Task.objects.filter(closed_at=None).count() == 2
    assert commands.close_tasks(kind="parcel_lost", thing_kind="parcel", things=[1, 7], by=BY, at=AT) == 1
    assert commands.open_tasks(rows, at=AT) == 1
    task = Task.objects.filter(thing=2).get()
    assert (task.params, task.stake, task.currency) == ({"days": 30}, Decimal("9.5000"), "GBP")


@pytest.mark.django_db
def test_open_tasks_come_by_due_time_then_money_and_only_from_the_scope():
    cups, lamps = add("cups"), add("lamps")
    commands.open_tasks(
        [
            NewTask("a", cups.pk, "order", 1, stake=Decimal(5)),
            NewTask("b", cups.pk, "order", 2, stake=Decimal(50)),
            NewTask("c", cups.pk, "order", 3, due_at=AT),
            NewTask("d", lamps.pk, "order", 4),
            NewTask("e"),
        ],
        at=AT,
    )
    assert [t.kind for t in queries.open_tasks_of([cups.pk])] == ["c", "b", "a"]
    assert {t.kind for t in queries.open_tasks_of([cups.pk], also_shared=True)} == {"a", "b", "c", "e"}
    foreign = Task.objects.get(kind="d").pk
    assert commands.dismiss_tasks([foreign], scope=[cups.pk], by=BY, at=AT) == 0
    assert commands.dismiss_tasks([foreign], scope=[lamps.pk], by=BY, at=AT) == 1
