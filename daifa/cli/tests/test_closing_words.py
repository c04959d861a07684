"""`daifa closing …` and `daifa platform …`: what they print, do and refuse, in both languages."""

import pytest
from django.utils import translation

from daifa.cli import closing, platform_side
from daifa.cli.tests.test_words import run
from daifa.domain.closing import queries
from tests.closing_shop import open_story

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return open_story([])


def at(story):
    return "--at", story.at.isoformat()


def test_check_calendar_start_step_show_and_withdraw(story):
    assert "deposit not returned" in run(closing.app, "check", "gifts", *at(story))
    found = {row["code"]: row for row in run(closing.app, "check", "gifts", *at(story), "--json")}
    assert (found["deposit_held"]["amount"], found["deposit_held"]["currency"]) == ("1000.00", "GBP")
    days = {row["what"]: row for row in run(closing.app, "calendar", "gifts", *at(story), "--json")}
    assert days["notice_ends"]["rule"] == "xhs-close-notice" and days["closed"]["day"] == "2026-04-12"
    refused = run(
        closing.app, "start", "gifts", "--reason", "Change of plan", "--by", "2026-03-05", *at(story), code=1
    )
    assert "30 days of public notice" in refused
    with translation.override("zh-hans"):
        assert "公示 30 天" in run(closing.app, "start", "gifts", "--reason", "r", "--by", "2026-03-05", *at(story), code=1)
        assert "公示期满" in run(closing.app, "calendar", "gifts", *at(story))
    assert "2026-04-12" in run(closing.app, "start", "gifts", "--reason", "Change of plan", *at(story))
    done = run(closing.app, "step", "gifts", "listings_down", *at(story), "--json")
    assert done == {"step": "listings_down", "state": "done", "not_before": None}
    assert "First: " in run(closing.app, "step", "gifts", "archive", *at(story), code=1)
    assert "no step" in run(closing.app, "step", "gifts", "nothing", *at(story), code=1)
    assert "to do" in run(closing.app, "step", "gifts", "listings_down", "--undo", "--note", "wait", *at(story))
    shown = run(closing.app, "show", "gifts", *at(story), "--json")
    assert (shown["lifecycle"], shown["scenario"], len(shown["steps"])) == ("closing", "choice", 19)
    assert [one["what"] for one in shown["steps"][3]["evidence"]] == ["undone", "done"]
    with translation.override("zh-hans"):
        assert "商品下架" in run(closing.app, "show", "gifts", *at(story))
    run(closing.app, "withdraw", "gifts", "--reason", "we stay", *at(story))
    assert queries.lifecycle(story.store.pk) == "open"


def test_the_public_status(story):
    assert run(closing.app, "status", "gifts", "--json") == {"on": False}
    told = run(closing.app, "status", "gifts", "--on", "--slug", "example-gifts", "--json")
    assert told["word"] == "open" and told["url"].endswith("/status/example-gifts/")
    assert "Switched off" in run(closing.app, "status", "gifts", "--off")


def test_a_new_store_is_prepared_and_opened(story):
    assert "being prepared" in run(closing.app, "prepare", "gifts")
    assert queries.lifecycle(story.store.pk) == "preparing" and not queries.may_take_orders(story.store.pk)
    assert "has a life already" in run(closing.app, "prepare", "gifts", code=1)
    assert "is open" in run(closing.app, "open", "gifts")
    assert queries.may_take_orders(story.store.pk)


def test_on_an_own_site_the_merchant_does_what_a_platform_does_elsewhere(story):
    from daifa.domain.stores.commands import edit_store

    run(closing.app, "start", "gifts", "--reason", "Change of plan", *at(story))
    who = {step["step"]: step["who"] for step in run(closing.app, "show", "gifts", "--json")["steps"]}
    assert (who["closed"], who["public_notice"], who["listings_down"]) == ("platform", "platform", "daifa")
    edit_store(store_id=story.store.pk, channel="manual", by="t", at=story.at)
    shown = run(closing.app, "show", "gifts", "--json")
    assert {step["who"] for step in shown["steps"]} == {"merchant", "daifa"}
    assert "the platform" not in run(closing.app, "show", "gifts")


def test_the_platforms_desk(story, settings):
    settings.DAIFA_PLATFORM_SIDE = False
    assert "DAIFA_PLATFORM_SIDE=1" in run(platform_side.app, "cases", code=1)
    settings.DAIFA_PLATFORM_SIDE = True
    said = run(
        platform_side.app, "notice", "gifts", "--kind", "violation", "--reason", "31 notes", "--appeals", "1", *at(story), "--json"
    )
    assert said["state"] == "noticed"
    case = said["case"]
    assert case in run(platform_side.app, "cases") and "warned" in run(platform_side.app, "risks", *at(story))
    assert "may appeal until" in run(platform_side.app, "rule", case, "--outcome", "upheld", "--note", "x", *at(story), code=1)
    run(platform_side.app, "appeal", case, "--note", "corrected", *at(story))
    run(platform_side.app, "rule", case, "--outcome", "reversed", "--note", "proved", *at(story))
    assert [row["what"] for row in run(platform_side.app, "history", "--store", "gifts", "--json")] == [
        "reversed", "appeal", "notice", "opened",
    ]  # fmt: skip
    assert "no case" in run(platform_side.app, "review", "P0", "--accept", code=1)
    assert run(platform_side.app, "sweep", "--json") == {"taken": 0, "done": 0}
    with translation.override("zh-hans"):
        run(platform_side.app, "request", "gifts", "--reason", "闭店", *at(story))
        assert "店铺申请关店" in run(platform_side.app, "cases")


def test_papers_beside_proofs_are_listed_added_and_taken_away(story, tmp_path):
    from daifa.domain.closing.models import Lifecycle

    run(closing.app, "start", "gifts", "--reason", "Change of plan", *at(story))
    Lifecycle.objects.filter(store=story.store).update(state="closed", closed_at=story.at)
    for name in ("licence", "wrong"):
        (tmp_path / f"{name}.pdf").write_bytes(f"%PDF-1.4 {name}".encode())
    run(closing.app, "readmit", "gifts", "--cause", "31 notes", *at(story))
    papers = ("--paper", str(tmp_path / "licence.pdf"), "--paper", str(tmp_path / "wrong.pdf"))
    shown = run(closing.app, "readmit", "gifts", "--prove", "cause_named", "--note", "see there", *papers, *at(story))
    assert "wrong.pdf" in shown
    licence, wrong = run(closing.app, "readmit", "gifts", "--json")["papers"]
    assert (licence["name"], wrong["step"], wrong["size"]) == ("licence.pdf", "cause_named", 14)
    gone = run(closing.app, "readmit", "gifts", "--take-away", str(wrong["number"]), *at(story), "--json")
    assert gone["papers"] == [licence] and gone["steps"][0]["papers"] == 1
    [taken] = gone["taken_away"]
    assert taken["sha256"] == wrong["sha256"] and "name" not in taken
    assert f"no paper {wrong['number']}" in run(closing.app, "readmit", "gifts", "--take-away", str(wrong["number"]), *at(story), code=1)
    with translation.override("zh-hans"):
        assert "没有编号为" in run(closing.app, "readmit", "gifts", "--take-away", str(wrong["number"]), *at(story), code=1)
