"""The worked tables of docs/rules/may-serve.md, row by row, with the rules of the book that ships."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from daifa.domain.sourcing.queries import AgreementRow, demands_of
from daifa.domain.sourcing.rules import OWN_KINDS, TERMS, channel_demands, consumer_words, may_serve

pytestmark = pytest.mark.django_db  # the rule book asks whether there are words of the owner

TABLE = Path(__file__).resolve().parents[4] / "docs" / "rules" / "may-serve.md"
FIRST, LAST, DAY = date(2026, 3, 1), date(2026, 3, 31), date(2026, 3, 15)
ALL_TERMS = {
    "neutral_packing": True, "is_authorised": True, "no_cards": True, "platform_waybill": True, "stock_secured": True,
    "returns_to": "Yiwu 3", "entrusted_on": date(2026, 2, 1),
}  # fmt: skip
AGREEMENTS = {
    "none": [],
    "this store": [AgreementRow(1, 1, FIRST, LAST, **ALL_TERMS)],
    "all stores": [AgreementRow(1, None, FIRST, LAST, **ALL_TERMS)],
    "another store": [AgreementRow(1, 2, FIRST, LAST, **ALL_TERMS)],
    "another supplier": [AgreementRow(2, 1, FIRST, LAST, **ALL_TERMS)],
    "open end": [AgreementRow(1, 1, FIRST, None, **ALL_TERMS)],
}


def rows(heading):
    part = TABLE.read_text().split(heading)[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines]


def a_store(words):
    kind = words.removeprefix("sample ")
    return SimpleNamespace(
        id=1, kind=kind if kind in OWN_KINDS else "marketplace", channel=kind, is_sample=words.startswith("sample ")
    )


def test_the_tables_are_there():
    assert len(rows("## Who he is")) > 30
    assert len(rows("## What the agreement lacks")) > 12


@pytest.mark.parametrize("row", rows("## Who he is"), ids=" ".join)
def test_who_he_is(row):
    store, supplier, agreement, on, verdict = row
    on = date.fromisoformat(on)
    state = supplier.removeprefix("sample ").removeprefix("consumer ")
    found = may_serve(
        a_store(store),
        SimpleNamespace(
            id=1, name="Yiwu", state=state, is_sample=supplier.startswith("sample "),
            source="consumer_platform" if supplier.startswith("consumer ") else "trade",
        ),
        AGREEMENTS[agreement], on, demands_of(a_store(store), on=on),
    )  # fmt: skip
    assert found == ("" if verdict == "allowed" else verdict)
    assert bool(found) == bool(found.sentence), "a refusal says why"


@pytest.mark.parametrize("row", rows("## What the agreement lacks"), ids=" ".join)
def test_what_it_lacks(row):
    channel, authorised, neutral, cards, waybill, secured, returns, entrusted, verdict, missing = row
    agreement = AgreementRow(
        1, 1, FIRST, LAST, neutral_packing=bool(neutral), is_authorised=bool(authorised), no_cards=bool(cards),
        platform_waybill=bool(waybill), stock_secured=bool(secured), returns_to=returns,
        entrusted_on=date.fromisoformat(entrusted) if entrusted else None,
    )  # fmt: skip
    store = a_store(channel)
    supplier = SimpleNamespace(id=1, name="Yiwu", state="active", is_sample=False, source="trade")
    found = may_serve(store, supplier, [agreement], DAY, demands_of(store, on=DAY))
    assert found == ("" if verdict == "allowed" else verdict)
    assert found.missing == tuple(missing.split(", ") if missing else ())
    named = [TERMS[term] for term in found.missing] if found == "agreement_incomplete" else ["have it signed"] * len(found.missing)
    assert all(words in found.sentence for words in named), "the sentence says what to record"


def a_rule(metric, acts):
    return SimpleNamespace(id=f"x-{metric}", metric=metric, acts=acts)


def test_a_rule_that_only_informs_opens_nothing_and_is_named():
    market = SimpleNamespace(id=1, kind="marketplace", channel="x", is_sample=False)
    supplier = SimpleNamespace(id=1, name="Yiwu", state="active", is_sample=False, source="trade")
    waiting = may_serve(market, supplier, AGREEMENTS["this store"], DAY, [a_rule("supplier_dropship_api", False)])
    assert waiting == "platform_restricted"
    assert "x-supplier_dropship_api" in waiting.sentence
    assert may_serve(market, supplier, AGREEMENTS["this store"], DAY, [a_rule("supplier_dropship_api", True)]) == ""


def test_the_agreement_that_lacks_least_counts():
    market = SimpleNamespace(id=1, kind="marketplace", channel="x", is_sample=False)
    supplier = SimpleNamespace(id=1, name="Yiwu", state="active", is_sample=False, source="trade")
    rules = [a_rule("supplier_dropship_api", True), a_rule("return_address_in_mainland", False)]
    bare = AgreementRow(1, 1, FIRST, LAST)
    almost = AgreementRow(1, 1, FIRST, LAST, **{**ALL_TERMS, "no_cards": False, "returns_to": ""})
    assert may_serve(market, supplier, [bare, almost], DAY, rules).missing == ("no_cards",)
    assert may_serve(market, supplier, [bare, *AGREEMENTS["this store"]], DAY, rules) == ""
    assert "returns" not in channel_demands("x", rules).terms, "a rule that only informs asks for nothing"


@pytest.mark.parametrize("row", rows("## What his name says"), ids=" ".join)
def test_what_his_name_says(row):
    name, words = row
    assert ", ".join(consumer_words(name)) == ("" if words == "–" else words)
