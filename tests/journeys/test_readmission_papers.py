"""Papers and pictures beside the proofs of a way back: checked, kept once, handed in as one file, in the backup."""

import csv
import hashlib
import io
import threading
import zipfile
from datetime import timedelta

import pytest
from django.db import connection, transaction
from PIL import Image

from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import (
    ComebackPaper,
    Lifecycle,
    PaperTakenAway,
    Readmission,
    StepEvidence,
)
from daifa.flows import close_store
from daifa.flows.backup import restore_backup, write_backup
from daifa.lib.refusal import Refused
from tests import cast
from tests.closing_shop import BY, open_story, places_of
from tests.journeys.test_backup import as_it_was, contents, emptied, home  # noqa: F401  the fixture

pytestmark = pytest.mark.django_db(transaction=True)
PDF = b"%PDF-1.4\nour licence\n%%EOF\n"


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(made, "PNG")
    return made.getvalue()


def planned():
    story = open_story([])
    closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    Lifecycle.objects.filter(store=story.store).update(state="closed", closed_at=story.at)
    return story, commands.plan_readmission(closing_id=closing.pk, cause="31 notes", by=BY, at=story.at)


def test_papers_are_checked_kept_once_and_come_back_with_the_backup(home, tmp_path):  # noqa: F811
    story, plan = planned()
    first, second = queries.plan_of(plan.pk)[:2]
    how = {"by": BY, "at": story.at}
    shot = picture()
    for name, content, why in (
        ("cut.png", shot[:60], "cut is a picture that cannot be read to its end"),
        ("tool.exe", b"MZ" + b"\0" * 90, "tool: .*none of the kinds"),
        ("none.pdf", b"", "none: The file is empty"),
    ):
        with pytest.raises(Refused, match=why):
            commands.prove_comeback_step(step_id=first.pk, proof="see the papers", papers=[("good.pdf", PDF), (name, content)], **how)
    first.refresh_from_db()
    assert first.done_at is None and not ComebackPaper.objects.exists(), "one bad paper, and nothing of the proof is kept"

    papers = [("=our licence.pdf", PDF), ("shot.png", shot)]
    commands.prove_comeback_step(step_id=first.pk, proof="=1+1 is our proof", papers=papers, **how)
    commands.add_comeback_papers(step_id=first.pk, papers=papers[:1], **how)
    commands.add_comeback_papers(step_id=second.pk, papers=papers[:1], **how)
    assert [(one.step_id, one.media_type) for one in queries.papers_of(plan.pk)] == [
        (first.pk, "application/pdf"), (first.pk, "image/png"), (second.pk, "application/pdf"),
    ]  # fmt: skip
    with pytest.raises(Refused, match="at most 20 papers"):
        commands.add_comeback_papers(step_id=first.pk, papers=[(f"{n}.pdf", PDF + bytes([n])) for n in range(19)], **how)

    content = close_store.export_readmission(queries.readmission_of([story.store.pk], plan.pk))
    archive = zipfile.ZipFile(io.BytesIO(content))
    names = archive.namelist()
    assert [name.partition("/")[0] for name in names] == ["plan.csv", "1-cause_named", "1-cause_named", "2-cause_removed", "SHA256SUMS"]
    assert archive.read(names[1]) == PDF and archive.read(names[2]) == shot
    rows = list(csv.DictReader(io.StringIO(archive.read("plan.csv").decode("utf-8-sig"))))
    assert [row["papers"] for row in rows] == ["2", "1", "0", "0", "0", "0"]
    assert rows[0]["proof"] == "'=1+1 is our proof", "nothing in it is a formula"
    assert f"{hashlib.sha256(shot).hexdigest()}  {names[2]}\n" in archive.read("SHA256SUMS").decode()

    files = [close_store.file_of(one.sha256) for one in queries.papers_of(plan.pk)]
    before = contents()
    write_backup(tmp_path / "shop.daifa", **how)
    emptied()
    for file in set(files):
        file.unlink()
    restore_backup(tmp_path / "shop.daifa", **how)
    as_it_was(before, but=("stores_task", "stores_store", "privacy_backuptaken"))
    assert close_store.export_readmission(queries.readmission_of([story.store.pk], plan.pk)) == content

    kept = queries.papers_of(plan.pk)[1]
    close_store.file_of(kept.sha256).unlink()
    with pytest.raises(Refused, match=r"shot\.png are gone"):
        close_store.export_readmission(plan)
    commands.give_up_readmission(readmission_id=plan.pk, reason="no", **how)
    with pytest.raises(Refused, match="not being worked on"):
        commands.add_comeback_papers(step_id=second.pk, papers=papers, **how)


@pytest.fixture
def files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"


def test_a_paper_kept_by_mistake_goes_with_its_bytes_and_stays_known(files):
    story, plan = planned()
    first, second = queries.plan_of(plan.pk)[:2]
    how = {"by": BY, "at": story.at}
    wrong = PDF.replace(b"our licence", b"Anna Wood's passport")
    commands.add_comeback_papers(step_id=first.pk, papers=[("Anna Wood.pdf", wrong), ("licence.pdf", PDF)], **how)
    commands.add_comeback_papers(step_id=second.pk, papers=[("Anna Wood again.pdf", wrong)], **how)
    one, licence, again = queries.papers_of(plan.pk)
    with pytest.raises(Refused, match="lies before what happened last"):
        commands.take_papers_away(paper_ids=[one.pk], by=BY, at=story.at - timedelta(hours=1))

    later = {"by": "user:7", "at": story.at + timedelta(hours=2)}
    assert commands.take_papers_away(paper_ids=[one.pk], **later) == 1
    assert commands.take_papers_away(paper_ids=[one.pk], **later) == 0, "it is gone already"
    assert close_store.file_of(one.sha256).read_bytes() == wrong, "the other step has the same bytes"
    assert [paper.pk for paper in queries.papers_of(plan.pk)] == [licence.pk, again.pk]
    commands.take_papers_away(paper_ids=[again.pk], **later)
    assert not close_store.file_of(one.sha256).exists() and close_store.file_of(licence.sha256).exists()
    assert [(gone.step_id, gone.sha256, gone.size, gone.recorded_by, gone.recorded_at, gone.by, gone.at) for gone in queries.papers_taken_away(plan.pk)] == [
        (step.pk, one.sha256, len(wrong), BY, story.at, "user:7", later["at"]) for step in (second, first)
    ]  # fmt: skip
    assert places_of("Anna Wood") == []

    commands.add_comeback_papers(step_id=first.pk, papers=[("now.pdf", wrong)], **later)
    assert close_store.file_of(one.sha256).read_bytes() == wrong, "what was taken away may be kept again"
    evidence = StepEvidence.objects.filter(step__closing=plan.closing).first()
    StepEvidence.objects.filter(pk=evidence.pk).update(sha256=licence.sha256)
    commands.take_papers_away(paper_ids=[licence.pk], **later)
    assert close_store.file_of(licence.sha256).exists(), "it proves a step of the closing, too"


def test_a_paper_stays_once_the_plan_went_out(files):
    story, plan = planned()
    step = queries.plan_of(plan.pk)[0]
    how = {"by": BY, "at": story.at}
    commands.add_comeback_papers(step_id=step.pk, papers=[("licence.pdf", PDF), ("shot.png", picture())], **how)
    licence, shot = queries.papers_of(plan.pk)
    for state, may in (("applied", False), ("refused", True), ("readmitted", False), ("given_up", False)):
        Readmission.objects.filter(pk=plan.pk).update(state=state)
        if may:
            assert commands.take_papers_away(paper_ids=[shot.pk], **how) == 1
            continue
        with pytest.raises(Refused, match="not being worked on"):
            commands.take_papers_away(paper_ids=[licence.pk, shot.pk], **how)
    assert [one.pk for one in queries.papers_of(plan.pk)] == [licence.pk] and close_store.file_of(licence.sha256).exists()
    assert PaperTakenAway.objects.count() == 1


def test_bytes_that_somebody_keeps_this_moment_are_not_taken_away(files):
    """The one takes a paper away while another store is keeping the same bytes, and has not committed."""
    story, plan = planned()
    how = {"by": BY, "at": story.at}
    other = close_store.start(store_id=cast.open_shop(code="kiln").store.pk, scenario="choice", reason="Change of plan", **how)
    Lifecycle.objects.filter(store=other.store).update(state="closed", closed_at=story.at)
    theirs = commands.plan_readmission(closing_id=other.pk, cause="31 notes", **how)
    first, second = queries.plan_of(plan.pk)[0], queries.plan_of(theirs.pk)[0]
    commands.add_comeback_papers(step_id=first.pk, papers=[("licence.pdf", PDF)], **how)
    [paper] = queries.papers_of(plan.pk)
    kept, go_on = threading.Event(), threading.Event()

    def adding():
        try:
            with transaction.atomic():
                commands.add_comeback_papers(step_id=second.pk, papers=[("licence.pdf", PDF)], **how)
                kept.set()
                go_on.wait(10)
        finally:
            connection.close()

    def taking():
        try:
            commands.take_papers_away(paper_ids=[paper.pk], **how)
        finally:
            connection.close()

    threads = [threading.Thread(target=adding), threading.Thread(target=taking)]
    threads[0].start()
    assert kept.wait(10)
    threads[1].start()
    threads[1].join(1)
    assert threads[1].is_alive(), "whoever takes away waits for whoever keeps"
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert ComebackPaper.objects.get().step_id == second.pk
    assert close_store.file_of(paper.sha256).read_bytes() == PDF
