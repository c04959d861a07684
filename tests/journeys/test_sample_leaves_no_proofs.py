"""The sample shop goes with the proofs of its closings; what another store kept, too, stays."""

from pathlib import Path

import pytest

from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import ComebackPaper, Lifecycle, StepEvidence
from daifa.domain.stores.models import Store
from daifa.flows import close_store
from daifa.flows.sample_shop import remove_sample_shop
from tests import cast
from tests.closing_shop import BY, open_story

pytestmark = pytest.mark.django_db(transaction=True)


def pdf(words: str) -> bytes:
    return f"%PDF-1.4\n{words}\n%%EOF\n".encode()


def lying(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_files_of_closings_go_with_the_sample_shop(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    story = open_story([])
    real = cast.open_shop(code="kiln", at=cast.MORNING).store
    how = {"by": BY, "at": story.at}
    plans = {}
    for store in (story.store, real):
        story.closing = close_store.start(store_id=store.pk, scenario="choice", reason="Change of plan", **how)
        notice = story.closing.steps.get(code="orders_finished")
        for words in ("one letter for both", f"a letter to {store.code}"):
            kept = commands.keep_file(pdf(words))
            StepEvidence.objects.create(step=notice, what="note", file_name="letter.pdf", sha256=kept.sha256, **how)
        Lifecycle.objects.filter(store=store).update(state="closed", closed_at=story.at)
        plans[store.pk] = plan = commands.plan_readmission(closing_id=story.closing.pk, cause="31 notes", **how)
        papers = [("licence.pdf", pdf(f"licence of {store.code}")), ("both.pdf", pdf("one paper for both"))]
        commands.add_comeback_papers(step_id=queries.plan_of(plan.pk)[0].pk, papers=papers, **how)
    # What is a proof of the one closing is a paper of the other way back.
    crossed = [("letter.pdf", pdf(f"a letter to {story.store.code}"))]
    commands.add_comeback_papers(step_id=queries.plan_of(plans[real.pk].pk)[1].pk, papers=crossed, **how)
    assert len(lying(tmp_path / "files/closing")) == 6

    Store.objects.filter(pk=story.store.pk).update(is_sample=True)
    deleted = remove_sample_shop(**how)
    assert deleted["closing_comebackpaper"] == 2 and deleted["closing_stepevidence"] >= 2
    pointed = {*ComebackPaper.objects.values_list("sha256", flat=True), *StepEvidence.objects.exclude(sha256="").values_list("sha256", flat=True)}
    assert lying(tmp_path / "files/closing") == pointed and len(pointed) == 5
