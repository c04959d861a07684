"""The standing of a store moves with its violations: forward at a line, back when they end; and a person's word beside it."""

from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection
from django.utils import translation

from daifa.domain.cases import commands as cases
from daifa.domain.cases.models import Violation
from daifa.domain.closing import commands, queries, rules
from daifa.domain.closing.process import STANDING
from daifa.domain.policy.commands import NewOverride, override_rules
from daifa.domain.stores.commands import edit_store
from daifa.domain.stores.models import Task
from daifa.flows import close_store
from daifa.flows.audit import audit
from daifa.flows.reads.today import today
from daifa.lib import bulk
from tests import cast
from tests.closing_shop import BY, open_story

pytestmark = pytest.mark.django_db


@pytest.fixture
def story():
    """A store on Shopee whose owner has confirmed the lines of points of six and of fifteen."""
    story = open_story([])
    edit_store(store_id=story.store.pk, channel="shopee", country="MY", timezone="Asia/Kuala_Lumpur", by=BY, at=cast.MORNING)
    story.store.refresh_from_db()
    words = [NewOverride(rule, "read on the seller centre", story.at.date()) for rule in ("shopee-points-6", "shopee-points-15")]
    assert not override_rules(words, by=BY, at=story.at).refused
    return story


def violation(story, reference: str, points: int, *, until: int = 28, limits: tuple = ()) -> Violation:
    cases.add_violations(
        [
            cases.NewViolation(
                reference, story.at, "late_dispatch", points=Decimal(points), points_until=story.at + timedelta(days=until),
                consequences=limits,
            )
        ],
        store=story.store, source="test", by=BY, at=story.at,
    )  # fmt: skip
    return Violation.objects.get(reference=reference)


def open_kinds() -> set[str]:
    return set(Task.objects.filter(closed_at=None, kind__startswith="store_").values_list("kind", flat=True))


def test_points_cross_a_line_and_fall_again(story):
    violation(story, "V-1", 3)  # the line of three is read nowhere but in one source: it informs
    assert close_store.keep_standings(at=story.at) == 0 and story.life() == ("open", "normal")
    (cause,) = queries.causes_of_standing(story.store.pk, at=story.at)
    assert (cause.rule_id, cause.acts) == ("shopee-points-3", False) and cause.why_not

    violation(story, "V-2", 4, until=10)
    assert close_store.keep_standings(at=story.at) == 1 and close_store.keep_standings(at=story.at) == 0
    found = queries.standing_of(story.store.pk)
    assert (found.state, found.rule_id, found.reason) == ("restricted", "shopee-points-6", "7 ≥ 6 · shopee-points-6")
    assert queries.may_take_orders(story.store.pk) and open_kinds() == {"store_restricted"}
    assert any("restricted (7 ≥ 6" in todo.sentence for todo in today([story.store.pk], at=story.at))

    violation(story, "V-3", 9)
    close_store.keep_standings(at=story.at)
    assert story.life() == ("open", "frozen") and not queries.may_take_orders(story.store.pk)
    assert open_kinds() == {"store_frozen"}

    # An appeal is won, then points fall: back step by step, each with its reason.
    cases.lift_violations([Violation.objects.get(reference="V-3").pk], reason="won", by=BY, at=story.at)
    close_store.keep_standings(at=story.at)
    assert story.life() == ("open", "restricted") and queries.may_take_orders(story.store.pk)
    story.later(days=11)
    close_store.keep_standings(at=story.at)
    assert story.life() == ("open", "normal") and open_kinds() == set()
    assert [(move.state_from, move.state) for move in queries.standing_moves(story.store.pk)] == [
        ("restricted", "normal"), ("frozen", "restricted"), ("restricted", "frozen"), ("normal", "restricted"),
    ]  # fmt: skip
    assert [move.reason for move in queries.standing_moves(story.store.pk)][1:] == [
        "7 ≥ 6 · shopee-points-6", "16 ≥ 15 · shopee-points-15", "7 ≥ 6 · shopee-points-6",
    ]  # fmt: skip
    assert audit() == []


def test_a_limit_counts_from_its_day_to_its_end(story):
    limit = cases.NewConsequence("listing_limit", story.at, story.at + timedelta(days=7))
    freeze = cases.NewConsequence("store_frozen", story.at + timedelta(days=2), story.at + timedelta(days=4))
    violation(story, "V-1", 0, limits=(limit, freeze))
    seen = []
    for day in (0, 3, 5, 8):
        close_store.keep_standings(at=story.at + timedelta(days=day))
        seen.append(queries.standing(story.store.pk))
    assert seen == ["restricted", "frozen", "restricted", "normal"]


def test_why_it_moved_is_said_in_the_readers_language(story):
    violation(story, "V-8", 0, limits=(cases.NewConsequence("order_limit", story.at, story.at + timedelta(days=2)),))
    close_store.keep_standings(at=story.at)
    kept = queries.standing_of(story.store.pk).reason
    assert kept == '{"why": "limit", "kind": "order_limit", "reference": "V-8"}', "a code and what is told, in no language"
    assert Task.objects.get(kind="store_restricted", closed_at=None).params["why"] == kept
    said = {}
    for language in ("en", "zh-hans"):
        with translation.override(language):
            (todo,) = [one for one in today([story.store.pk], at=story.at) if one.kind == "store_restricted"]
            (cause,) = queries.causes_of_standing(story.store.pk, at=story.at)
            said[language] = (queries.why_words(cause.why), [one.reason for one in queries.standing_moves(story.store.pk)], todo.sentence)
    close_store.keep_standings(at=story.at + timedelta(days=3))
    (limit, moves, sentence), (zh_limit, zh_moves, zh_sentence) = said.values()
    assert (limit, moves, zh_limit, zh_moves) == ("V-8 · order limit", ["V-8 · order limit"], "V-8 · 限制接单", ["V-8 · 限制接单"])
    assert "(V-8 · order limit)" in sentence and "V-8 · 限制接单" in zh_sentence and "order limit" not in zh_sentence
    assert queries.standing_moves(story.store.pk)[0].reason == "points and limits are over or were lifted"
    with translation.override("zh-hans"):
        assert queries.standing_moves(story.store.pk)[0].reason == "扣分与限制已到期或撤销"


def test_reasons_kept_in_two_languages_are_moved_and_a_persons_words_stay(story):
    violation(story, "V-9", 0, limits=(cases.NewConsequence("traffic_limit", story.at, story.at + timedelta(days=2)),))
    close_store.keep_standings(at=story.at)
    commands.set_standing(store_id=story.store.pk, to="warned", reason="told · 电话里说的", by=BY, at=story.at)
    moved = import_module("daifa.domain.closing.migrations.0005_reasons_without_language")
    old = "V·7 · less traffic 限流"
    bulk.execute("UPDATE history_batch SET reason = %s WHERE reason LIKE %s", (old, '{"why"%'))
    bulk.execute("UPDATE stores_task SET params = params || jsonb_build_object('why', %s::text) WHERE kind = 'store_restricted'", (old,))
    moved.forwards(None, SimpleNamespace(connection=connection))
    assert [one.reason for one in queries.standing_moves(story.store.pk)] == ["told · 电话里说的", "V·7 · less traffic"]
    assert queries.why_words(Task.objects.get(kind="store_restricted").params["why"]) == "V·7 · less traffic"
    assert (moved.kept("told by phone · 限流"), moved.kept("7 ≥ 6 · shopee-points-6")) == (None, None)
    assert rules.why_read(moved.kept(moved.OVER)) == ("over", {})
    assert STANDING.kind == moved.KIND
    assert set(moved.LIMITS.values()) == set(rules.STANDING_OF_LIMIT), "every limit that moved a standing"


def test_a_word_of_a_person_holds_until_it_gets_worse(story):
    violation(story, "V-1", 7)
    close_store.keep_standings(at=story.at)
    store = story.store.pk
    commands.set_standing(store_id=store, to="normal", reason="told on the telephone", by=BY, at=story.at)
    assert close_store.keep_standings(at=story.at) == 0 and story.life()[1] == "normal"
    violation(story, "V-2", 9)
    close_store.keep_standings(at=story.at)
    assert story.life()[1] == "frozen"
    commands.set_standing(store_id=store, to="", reason="as the list says", by=BY, at=story.at)
    assert story.life()[1] == "frozen"
    commands.set_standing(store_id=store, to="warned", reason="lifted by mail", by=BY, at=story.at)
    assert story.life()[1] == "warned"
    story.later(days=40)
    close_store.keep_standings(at=story.at)
    assert story.life()[1] == "warned"  # points are over; the word is still there
    commands.set_standing(store_id=store, to="", reason="settled", by=BY, at=story.at)
    assert story.life()[1] == "normal"
    assert audit() == []
