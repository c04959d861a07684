"""The pages of the exit index and of closings: readings with reasons, in both languages; strangers and viewers."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from daifa.domain.closing.models import Closing, Lifecycle
from daifa.domain.exit_index import commands, queries
from daifa.domain.exit_index.commands import Measured
from daifa.domain.people.models import User
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import Store, StoreAccess
from daifa.flows.reads import exit_index as reads
from daifa.web.kit import format as fmt

pytestmark = pytest.mark.django_db

BEGAN = datetime(2025, 1, 1, tzinfo=UTC)


def store_with_months(code: str, *, late: int = 3, net: int = 120, count: int = 8) -> Store:
    store = add_store(code=code, name=f"Shop {code}", currency="CNY", timezone="Asia/Shanghai", by="user:1", at=BEGAN)
    commands.record_months(
        [
            Measured(store.pk, date(2025, place + 1, 1), "CNY", 60, Decimal(1200), Decimal(net), Decimal(1200 - net), 60, late, 3, None,
                     None, Decimal(2000), 25, 30, True, True)
            for place in range(count)
        ],
        at=BEGAN,
    )  # fmt: skip
    return store


@pytest.fixture
def enter(client):
    def as_role(role: str, *stores: Store, language: str = "en"):
        user = User.objects.create_user(f"{role}-{language}", password="x", language=language)
        for store in stores:
            StoreAccess.objects.create(user=user, store=store, role=role)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        client.cookies["django_language"] = language
        return client

    return as_role


def body(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_the_most_endangered_store_stands_first_with_its_reasons(enter):
    sound, failing = store_with_months("sound"), store_with_months("failing", late=40, net=-200)
    page = body(enter("viewer", sound, failing).get(reverse("web:exit_index")))
    assert page.index("Shop failing") < page.index("Shop sound")
    assert "Orders that left late" in page
    assert "Weights version 1 from simulated stores alone: of your own closings 0 are known" in page
    assert "nothing here acts on it" in page


def test_a_store_shows_its_chances_its_figures_and_what_to_try(enter):
    store = store_with_months("failing", late=40, net=-200)
    page = body(enter("operator", store).get(reverse("web:exit_index_store", args=[store.pk])))
    reading = queries.stands(queries.store_months([store.pk])[store.pk], queries.model())[-1].reading
    for chance in reading.chances:
        assert fmt.percent_text(Decimal(f"{chance.open:.4f}")) in page
    assert "See in store health which supplier ships late" in page
    assert "Look at the profit and loss of the month" in page
    assert "counts as typical" in page, "points are unknown"
    assert "Aug 2025" in page
    assert "The nine figures" in page
    assert f'href="{reverse("web:store_health_of", args=[store.pk])}"' in page, "late orders lead to who ships late"
    assert f'href="{reverse("web:store_life", args=[store.pk])}"' in page


def test_the_same_in_chinese(enter):
    store = store_with_months("failing", late=40, net=-200)
    client = enter("viewer", store, language="zh-hans")
    page = body(client.get(reverse("web:exit_index_store", args=[store.pk])))
    assert "九项指标" in page and "延迟发货的订单" in page and "逐月：一年后仍在营业的可能性" in page
    for english in ("The nine figures", "What to try", "Monthly review", "Its months"):
        assert english not in page
    assert "历年关店" in body(client.get(reverse("web:closures")))


def test_a_store_without_a_complete_month_or_at_its_end_says_so(enter):
    young = add_store(code="young", name="Young", currency="CNY", by="user:1", at=BEGAN)
    ending = store_with_months("ending")
    Lifecycle.objects.create(store=ending, state="closing", began_at=BEGAN, shut_at=datetime(2025, 9, 3, tzinfo=UTC))
    client = enter("viewer", young, ending)
    assert "It has no complete month yet" in body(client.get(reverse("web:exit_index_store", args=[young.pk])))
    page = body(client.get(reverse("web:exit_index_store", args=[ending.pk])))
    assert "being wound up or has ended" in page
    assert "Open in 12 months" not in page


def test_lines_of_the_review_are_set_by_those_who_may(enter):
    store = store_with_months("mine")
    url = reverse("web:exit_index_lines", args=[store.pk])
    given = {"dormant_days": 30, "quiet_orders": 5, "quiet_active_days": 6}
    assert enter("viewer", store).post(url, given).status_code == 403
    client = enter("operator", store)
    assert client.post(url, given).status_code == 302
    lines = queries.review_lines([store.pk])[store.pk]
    assert (lines.dormant_days, lines.quiet_orders, lines.quiet_active_days) == (30, 5, 6)
    assert client.post(url, {**given, "dormant_days": 3}).status_code == 422, "the form says no"
    assert queries.review_lines([store.pk])[store.pk].dormant_days == 30


def test_measuring_by_hand_is_for_those_who_work_the_store(enter):
    store = store_with_months("mine")
    assert enter("viewer", store).post(reverse("web:exit_index_measure")).status_code == 403
    assert enter("operator", store).post(reverse("web:exit_index_measure")).status_code == 302
    assert queries.store_months([store.pk], complete=False)[store.pk][-1].month > date(2025, 8, 1)


def test_strangers_get_nothing(enter):
    theirs, mine = store_with_months("theirs"), store_with_months("mine")
    client = enter("owner", mine)
    for name in ("exit_index_store", "exit_index_lines"):
        assert client.get(reverse(f"web:{name}", args=[theirs.pk])).status_code == 404
    assert "Shop theirs" not in body(client.get(reverse("web:exit_index")))


def test_closings_by_year_and_what_the_trade_says(enter):
    store = store_with_months("gone")
    client = enter("viewer", store)
    page = body(client.get(reverse("web:closures")))
    assert "No store was closed yet" in page
    assert "11,600" in page and "Unverified" in page and "6.1%" in page

    shut = datetime(2025, 9, 3, tzinfo=UTC)
    life = Lifecycle.objects.create(store=store, state="closed", began_at=BEGAN, shut_at=shut, closed_at=datetime(2025, 10, 13, tzinfo=UTC))
    Closing.objects.create(store=store, lifecycle=life, number=1, scenario="rule_change", state="done", reason="x", started_at=shut,
                           started_by="user:1")  # fmt: skip
    page = body(client.get(reverse("web:closures")))
    assert "No store was closed yet" not in page
    assert "the platform changed" in page and "40 days" in page


def test_for_programs():
    store = store_with_months("failing", late=40, net=-200)
    using = queries.model()
    [one] = reads.exit_indices([store.pk], using=using)
    told = reads.as_told(one, using)
    assert json.loads(json.dumps(told, default=str))["open_in"].keys() == {"1", "3", "6", "12"}
    assert told["drivers"][0]["figure"] in ("late", "margin")
    assert told["is_advice"] is True
    assert told["unknown"] == ["points"]
    assert [point["month"] for point in told["trend"]][-1] == date(2025, 8, 1)
