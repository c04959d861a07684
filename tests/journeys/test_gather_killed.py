"""kill -9 while a pack's photos are read and while it is put together: it comes whole, once, and no photo is read twice."""

import signal
import subprocess
import sys
import time
import zipfile

import psycopg
import pytest

from daifa.lib import ocr
from tests.journeys.test_kill import ROOT, apart, run  # noqa: F401

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

WISH = """
import django; django.setup()
from tests import cast, photos
from daifa.domain.cases import commands as cases
from daifa.flows.gather_evidence import ask_for_evidence
shop = cast.open_shop()
at = cast.whole_loop(shop, ["77001"])
[complaint] = cases.open_complaints(
    [cases.NewComplaint("foreign_card", "A card of another shop!", at, "C-9", "77001")], store=shop.store, source=cast.BY, by=cast.BY, at=at
).added
pictures = [(f"{n}.png", photos.photo("感谢您在拼多多购买本店商品", f"收件人 Anna Wood {n}", f"YT881234567890{n}")) for n in range(3)]
cases.attach_files(pictures, store_id=shop.store.pk, thing_kind="complaint", thing=complaint, by=cast.BY, at=at)
pack = ask_for_evidence(store_id=shop.store.pk, case_kind="complaint", case=complaint, by=cast.BY, at=at).pack
assert (pack.state, pack.photos) == ("gathering", 3), (pack.state, pack.photos)
"""
GATHER = """
import django; django.setup()
from daifa.flows.gather_evidence import gather_waiting
from daifa.lib import clock
gather_waiting(at=clock.now())
"""


def test_a_pack_killed_in_the_middle_comes_whole_and_once(apart, tmp_path):  # noqa: F811
    if ocr.why_not():
        pytest.skip("no reader here")
    subprocess.run([sys.executable, "-c", WISH], env=apart, cwd=ROOT, check=True, timeout=60)
    evidence = tmp_path / "files" / "evidence"

    def found():
        return [path for path in evidence.rglob("*") if path.is_file()]

    with psycopg.connect(apart["DATABASE_URL"], autocommit=True) as watch:

        def rows(query):
            return watch.execute(query).fetchall()

        def killed_once_read(photos):
            process = run(apart, "-c", GATHER)
            ends = time.monotonic() + 60
            while len(rows("SELECT 1 FROM cases_picturecover")) < photos:
                assert process.poll() is None and time.monotonic() < ends
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            assert rows("SELECT state, made_at FROM cases_evidencepack") == [("gathering", None)], "it was over before it could be killed"
            assert found() == []

        killed_once_read(1)
        first = rows("SELECT id, at FROM cases_picturecover")
        killed_once_read(3)
        done = subprocess.run(
            [sys.executable, "-m", "daifa.cli.main", "work", "--until-idle"], env=apart, cwd=ROOT, check=True, timeout=90, capture_output=True, text=True
        )
        assert done.returncode == 0
        [(state, sha256, tries, done_photos)] = rows("SELECT state, sha256, tries, photos_done FROM cases_evidencepack")
        assert (state, tries, done_photos) == ("made", 3, 3)
        [file] = found()
        assert file.name.endswith(sha256)
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            assert sorted(name for name in archive.namelist() if name.startswith("complaints/")) == [f"complaints/C-9/{n}.png" for n in range(3)]
        assert set(first) <= set(rows("SELECT id, at FROM cases_picturecover")), "what was read before the kill was not read again"
        assert rows("SELECT state_from, state_to FROM history_transition WHERE kind = 54 ORDER BY at") == [("", "gathering"), ("gathering", "made")]
