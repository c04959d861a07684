"""Papers and pictures beside the proofs of a way back: checked, kept once, handed in as one file, in the backup."""

import csv
import hashlib
import io
import zipfile

import pytest
from PIL import Image

from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import ComebackPaper, Lifecycle
from daifa.flows import close_store
from daifa.flows.backup import restore_backup, write_backup
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, open_story
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
