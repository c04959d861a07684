"""A closing begun by two hands at once is begun once; a step done by two is done once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from daifa.domain.closing.models import Closing, Lifecycle, StepEvidence
from daifa.domain.history.commands import ensure_months
from daifa.flows import close_store
from daifa.flows.audit import audit
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work) -> list[str]:
    """What became of it in two threads that begin together: "done" or the code of the refusal."""
    barrier = Barrier(2)

    def run(_number: int) -> str:
        try:
            barrier.wait(10)
            work()
        except Refused as refused:
            return refused.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(run, range(2)))


def test_begun_twice_at_once():
    shop = cast.open_shop()
    ensure_months(cast.MORNING.date(), cast.MORNING.date())
    how = {"by": cast.BY, "at": cast.MORNING}
    assert at_once(
        lambda: close_store.start(store_id=shop.store.pk, scenario="choice", reason="twice", **how)
    ) == ["already_closing", "done"]
    assert (Closing.objects.count(), Lifecycle.objects.count()) == (1, 1)
    step = Closing.objects.get().steps.get(code="listings_down")
    assert at_once(lambda: close_store.do_step(step.pk, **how)) == ["done", "settled"]
    assert StepEvidence.objects.filter(step=step).count() == 1
    assert audit() == []
