"""What stands between buyers and suppliers, by the API: words that open a channel, who a supplier is."""

import pytest

from daifa.api.tests.test_listings import calls
from daifa.domain.orders.models import Hold
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.sourcing.models import Agreement
from daifa.domain.stores.models import Store
from daifa.flows.work import work_until_idle
from daifa.lib import clock
from tests import cast

pytestmark = pytest.mark.django_db
AT = cast.MORNING


@pytest.fixture
def shop(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    return cast.open_shop()


def test_a_word_that_opens_the_channel_lets_held_orders_go(client, shop):
    Store.objects.filter(pk=shop.store.pk).update(kind="marketplace", channel="wechat_store")
    Agreement.objects.filter(supplier=shop.factory).update(
        is_authorised=True, neutral_packing=True, no_cards=True, platform_waybill=True, returns_to="Yiwu 3", valid_until=None
    )
    cast.receive_orders(shop, ["E-1"], skus=("MUG",), at=AT)
    work_until_idle(at=AT)
    assert Hold.objects.get(released_at=None).reason == "platform_restricted"
    said = calls(client, shop, "owner")("post", "/rules/wx-supplier-api/words", {"store_id": shop.store.pk, "reason": "read at its source"})
    assert said["acts"]
    work_until_idle(at=clock.now())
    assert not Hold.objects.filter(released_at=None, reason="platform_restricted").exists()
    assert PurchaseOrder.objects.filter(order__number="E-1").exists()
