"""A store that was closed for months and came back is not called quiet for them."""

from datetime import timedelta

import pytest

from daifa.domain.closing import queries
from daifa.domain.closing.models import Lifecycle
from daifa.domain.exit_index.models import StoreReview
from daifa.flows import close_store
from daifa.flows.measure_months import measure_months, review_stores
from tests.closing_shop import open_story

pytestmark = pytest.mark.django_db


def test_a_store_that_came_back_is_given_its_time():
    story = open_story(["1001"])
    store, closed, back = story.store, story.at + timedelta(days=30), story.at + timedelta(days=200)
    old = Lifecycle.objects.create(
        store=store, state="archived", began_at=story.at - timedelta(days=300), shut_at=closed, closed_at=closed, archived_at=back, replaced_at=back
    )
    Lifecycle.objects.create(store=store, state="open", previous=old, began_at=back)

    def orders(days):
        return next(line for line in queries.lines_of(store.pk, at=back + timedelta(days=days)) if line.measure == "orders")

    assert orders(1).values == (None, None, None) and orders(1).is_below is None
    assert not queries.nobody_comes(store.pk, at=back + timedelta(days=45)) and store.pk not in close_store.quiet_stores(at=back + timedelta(days=45))
    assert orders(95).is_below and queries.nobody_comes(store.pk, at=back + timedelta(days=95))

    measure_months(store_ids=[store.pk], by="test", at=back + timedelta(days=45))
    review_stores([store], by="test", at=back + timedelta(days=45))
    assert {review.verdict for review in StoreReview.objects.filter(store=store)} == {"young"}
    measure_months(store_ids=[store.pk], by="test", at=back + timedelta(days=130))
    review_stores([store], by="test", at=back + timedelta(days=130))
    assert StoreReview.objects.filter(store=store).latest("month").verdict == "dormant"
