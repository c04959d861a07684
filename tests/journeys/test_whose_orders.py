"""Whose orders are found when somebody asks, and why each belongs to him."""

import csv
import io

import pytest
from django.utils import translation

from daifa.domain.orders.models import Order
from daifa.flows import privacy
from daifa.flows.privacy import WHY_THEIRS
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path, settings):
    settings.DAIFA_HOME, settings.MEDIA_ROOT = tmp_path, tmp_path
    return cast.open_shop()


def read(shop, *rows: tuple[str, str, str, str, str]) -> None:
    """Orders of (number, customer, name, phone, mail)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("Order number", "Date", "SKU", "Title", "Quantity", "Unit price", "Currency", "Customer", "Name", "Phone", "Email",
                     "Address", "City", "Postcode", "Country"))  # fmt: skip
    for n, (number, customer, name, phone, mail) in enumerate(rows):
        writer.writerow((number, "2026-03-02 08:00:00", "MUG", "Mug", "1", "12.00", "GBP", customer, name, phone, mail,
                         f"{n} Road", "Leeds", "LS1 4AP", "GB"))  # fmt: skip
    cast.read_file(shop, "orders", "o.csv", text.getvalue().encode(), at=cast.MORNING)
    assert Order.objects.count() == len(rows)


def why(person) -> dict[str, list[str]]:
    numbers = dict(Order.objects.values_list("pk", "number"))
    assert set(person.why) == set(person.orders)
    return {numbers[order]: codes for order, codes in person.why.items()}


def test_each_order_says_why_it_is_theirs(shop):
    read(
        shop,
        ("W1", "c-1", "Anna Wood", "+44 7700 900123", "anna@example.invalid"),
        ("W2", "c-1", "A. Wood", "", "office@example.invalid"),
        ("W3", "c-3", "Shop of Wood", "", "OFFICE@example.invalid"),
        ("W4", "c-4", "Anna Wood", "07700 900999", "other@example.invalid"),
        ("W5", "c-5", "Bob", "(0)7700 900123", "bob@example.invalid"),
    )
    scope = [shop.store.pk]
    expected = {"W1": ["email"], "W2": ["customer"], "W3": ["same_email"]}
    assert why(privacy.find_person(scope, email="Anna@example.invalid")) == expected
    by_phone = privacy.find_person(scope, phone="0044 7700 900 123")
    assert why(by_phone) == {"W1": ["phone"], "W2": ["customer"], "W3": ["same_email"], "W5": ["phone"]}
    both = privacy.find_person(scope, email="anna@example.invalid", phone="07700900123", name="anna wood", number="W1")
    assert why(both)["W1"] == ["email", "phone", "named"]
    one = Order.objects.get(number="W1").pk
    with translation.override("en"):
        assert both.why_theirs(one).split("; ") == [WHY_THEIRS[code] for code in ("email", "phone", "named")]
    assert privacy.within(both, scope).why == both.why
    assert privacy.within(both, []).why == {}


def test_a_phone_that_only_ends_alike_is_somebody_elses(shop):
    read(
        shop,
        ("P1", "c-1", "王小明", "138 1234 5678", "one@example.invalid"),
        ("P2", "c-2", "李小红", "158 1234 5678", "two@example.invalid"),
    )
    scope = [shop.store.pk]
    assert why(privacy.find_person(scope, phone="+86 13812345678")) == {"P1": ["phone"]}
    assert why(privacy.find_person(scope, phone="158-1234-5678")) == {"P2": ["phone"]}
    assert why(privacy.find_person(scope, phone="1234 5678")) == {}, "a part of a number is nobody's"
