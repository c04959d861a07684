"""The daily sweep of buyers' data: what has had its time goes, however much there is that must stay."""

import csv
import io
from datetime import timedelta

import pytest

from daifa.domain.orders.models import AddressVersion
from daifa.domain.privacy.commands import Kept, hold_orders, release_orders, set_retention
from daifa.domain.privacy.queries import OF_ORDERS
from daifa.flows import privacy
from daifa.lib import bulk
from tests import cast

pytestmark = pytest.mark.django_db

LATER = cast.MORNING + timedelta(days=40)


@pytest.fixture
def shop(tmp_path, settings, monkeypatch):
    for folder in ("files", "mail"):
        (tmp_path / folder).mkdir()
    settings.DAIFA_HOME, settings.EMAIL_FILE_PATH, settings.MEDIA_ROOT = tmp_path, tmp_path / "mail", tmp_path / "files"
    monkeypatch.setattr(privacy, "SWEPT", 3)
    return cast.open_shop()


def orders(shop, countries: str) -> list[int]:
    """Delivered orders of buyers in these countries, in this order, each with its own upload."""
    ids = []
    for n, country in enumerate(countries.split()):
        text = io.StringIO()
        csv.writer(text).writerows([
            ("Order number", "Date", "SKU", "Title", "Quantity", "Unit price", "Currency", "Name", "Address", "City", "Postcode", "Country", "Email"),
            (f"R{n:02}", "2026-03-02 08:00:00", "MUG", "Mug", "1", "12.00", "GBP", f"Buyer Number{n:02}", f"{n} Road", "Town", f"X{n}", country,
             f"buyer{n:02}@example.invalid"),
        ])  # fmt: skip
        cast.read_file(shop, "orders", f"{n}.csv", text.getvalue().encode(), at=cast.MORNING)
        ids += [row[0] for row in bulk.fetch("SELECT id FROM orders_order WHERE number = %s", (f"R{n:02}",))]
    assert len(ids) == len(countries.split()) and ids == sorted(ids)
    bulk.execute(
        """UPDATE orders_order SET is_history = true, allocated = units, purchased = units, accepted = units, shipped = units,
           delivered = units, open_holds = 0"""
    )
    return ids


def kept(days: int | None, *, country: str = "", classes=OF_ORDERS, store: int | None = None) -> None:
    set_retention([Kept(data, 0, days, "adviser", store, country) for data in classes], by=cast.BY, at=cast.MORNING)


def named() -> set[str]:
    """Numbers of orders that still tell a name."""
    return set(AddressVersion.objects.exclude(name__startswith="erased:").values_list("order__number", flat=True))


def test_older_orders_that_are_kept_longer_do_not_stand_in_the_way(shop):
    orders(shop, "DE DE DE DE GB DE GB")
    kept(3650)
    kept(30, country="GB")
    assert privacy.keep_retention(at=LATER)["erased"] == 2
    assert named() == {"R00", "R01", "R02", "R03", "R05"}
    assert privacy.keep_retention(at=LATER)["erased"] == 0
    late = cast.MORNING + timedelta(days=3651)
    assert [privacy.keep_retention(at=late)["erased"] for _day in range(3)] == [3, 2, 0], "so many a day"


def test_orders_of_countries_that_are_kept_until_asked_do_not_stand_in_the_way(shop):
    orders(shop, "DE DE DE GB")
    kept(30)
    kept(None, country="DE")
    assert privacy.keep_retention(at=LATER)["erased"] == 1
    assert named() == {"R00", "R01", "R02"}


def test_held_orders_do_not_stand_in_the_way(shop):
    ids = orders(shop, "GB GB GB GB GB")
    kept(30)
    hold_orders(ids[:4], reason="the carrier investigates", by=cast.BY, at=cast.MORNING)
    assert privacy.keep_retention(at=LATER)["erased"] == 1
    assert named() == {"R00", "R01", "R02", "R03"}
    release_orders(ids[:4], by=cast.BY, at=LATER)
    swept = [privacy.keep_retention(at=LATER)["erased"] for _day in range(3)]
    assert swept == [3, 1, 0], "so many a day, and each day goes on"
    assert named() == set()


def test_names_whose_papers_are_kept_do_not_stand_in_the_way(shop):
    orders(shop, "DE DE DE DE GB")
    kept(30)
    kept(3650, country="DE", classes=("papers",))
    assert privacy.keep_retention(at=LATER)["erased"] == 1
    assert named() == {"R00", "R01", "R02", "R03"}
    kept(None, country="DE", classes=("papers",))
    assert privacy.keep_retention(at=cast.MORNING + timedelta(days=9000))["erased"] == 0
    assert named() == {"R00", "R01", "R02", "R03"}


def test_orders_to_which_something_happened_later_do_not_stand_in_the_way(shop):
    ids = orders(shop, "GB GB GB GB")
    kept(30)
    bulk.execute(
        """INSERT INTO aftersales_aftersalecase (order_id, store_id, kind, reason, state, opened_at)
           SELECT o.id, o.store_id, 'refund', 'damaged', 'closed', %s FROM orders_order o
           WHERE id = ANY(%s::bigint[])""",
        (LATER - timedelta(days=1), ids[:3]),
    )
    assert privacy.keep_retention(at=LATER)["erased"] == 1
    assert named() == {"R00", "R01", "R02"}
    assert privacy.keep_retention(at=LATER + timedelta(days=29))["erased"] == 3


def test_a_stores_own_answer_goes_before_the_general_one_of_a_country(shop):
    orders(shop, "DE DE DE GB")
    kept(30, country="DE")
    kept(3650, store=shop.store.pk)
    kept(20, country="GB", store=shop.store.pk)
    assert privacy.keep_retention(at=LATER)["erased"] == 1
    assert named() == {"R00", "R01", "R02"}


def test_the_search_goes_on_behind_what_the_rules_keep(shop, monkeypatch):
    """Whatever the database lets through and the rules do not, it does not stand before the rest."""
    orders(shop, "DE DE DE DE DE DE DE GB")
    kept(3650)
    kept(30, country="GB")
    monkeypatch.setattr(privacy, "_days_by_country", lambda answers, data, store: {"": 30})
    assert privacy.keep_retention(at=LATER)["erased"] == 1
    assert len(named()) == 7
