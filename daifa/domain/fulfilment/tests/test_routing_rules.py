"""Runs docs/rules/routing.md, and what must hold for every order beyond it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daifa.domain.fulfilment.rules import Candidate, WantedLine, decide
from tests.worked_tables import stories

STORIES = stories("routing.md")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def candidate(row) -> tuple[str, Candidate]:
    broken = row["barred"] == "mapping_broken"
    return row["variant"], Candidate(
        offer=int(row["offer"]), mapping=int(row["offer"]), version=1, supplier_sku=f"S{row['offer']}",
        factor=int(row["pack"]), rank=int(row["rank"]), supplier=int(row["supplier"]), price=Decimal(0), freight=Decimal(0),
        cost=None if row["cost"] == "none" else Decimal(row["cost"]), parcel_freight=Decimal(row["parcel"]),
        available=None if row["stock"] == "–" else int(row["stock"]), ships_to=row["ships to"].split(),
        barred="" if broken else row["barred"], sku_changed=broken,
        ships_at=NOW + timedelta(hours=int(row["ships in"])) if row.get("ships in") else None,
    )  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])
def test_the_stories_of_the_page(story):
    names = {name: number for number, name in enumerate(["mug", "cup", "lamp", "vase"], 1)}
    lines = [
        WantedLine(
            int(row["line"]), names.get(row["variant"]), int(row["open"]), int(row["quantity"]), Decimal(row["amount"]),
            frozenset(map(int, row["refused by"].split())),
        )
        for row in story.tables["line"]
    ]  # fmt: skip
    offers: dict[int, list[Candidate]] = {}
    for row in story.tables["offer"]:
        variant, one = candidate(row)
        offers.setdefault(names[variant], []).append(one)
    for each in offers.values():
        each.sort(key=lambda one: one.rank)
    hours = story.said(r"runs out in (\d+) hours", "")
    decision = decide(
        lines, offers, country="GB", margin_floor=Decimal(10), stock_buffer=int(story.said(r"Buffer (\d+)", "0")), promised={},
        ship_by=NOW + timedelta(hours=int(hours)) if hours else None,
    )  # fmt: skip
    outcome = {("pick", p.line, p.candidate.offer, p.quantity, "") for p in decision.picks}
    outcome |= {("hold", line, None, units, reason) for line, reason, units in decision.holds}
    outcome |= {("late", line, None, None, "") for line in decision.late}
    outcome |= {("lost", line, offer, None, why) for line, losers in decision.losers.items() for offer, why in losers}
    assert outcome == {
        (row["outcome"], int(row["line"]), int(row["offer"] or 0) or None, int(row["units"] or 0) or None, row["reason"])
        for row in story.tables["outcome"]
    }


# --- Over generated orders ----------------------------------------------------------------------------------------

money = st.decimals(min_value=0, max_value=60, places=2)


@st.composite
def orders(draw):
    """Up to 6 lines of 3 variants, each offered by up to 6 suppliers; offers by variant, best rank first."""
    offers: dict[int, list[Candidate]] = {}
    number = 0
    for variant in (1, 2, 3):
        for rank, supplier in enumerate(draw(st.lists(st.integers(1, 6), unique=True, max_size=6)), 1):
            number += 1
            offers.setdefault(variant, []).append(
                Candidate(
                    number, number, 1, f"S{number}", draw(st.sampled_from([1, 1, 2, 6])), rank, supplier, Decimal(0),
                    Decimal(0), draw(st.none() | money), draw(money), draw(st.none() | st.integers(0, 12)),
                    draw(st.sampled_from([(), ("GB",), ("DE",)])), draw(st.sampled_from(["", "", "", "agreement_missing"])),
                    draw(st.booleans()) and draw(st.booleans()),
                    draw(st.none() | st.integers(0, 96).map(lambda hours: NOW + timedelta(hours=hours))),
                )
            )  # fmt: skip
    lines = []
    for line in range(1, draw(st.integers(1, 6)) + 1):
        quantity = draw(st.integers(1, 14))
        refused = frozenset(draw(st.lists(st.integers(1, 18), max_size=2)))
        variant = draw(st.sampled_from([None, 1, 2, 3]))
        lines.append(WantedLine(line, variant, draw(st.integers(1, quantity)), quantity, draw(money), refused))
    ship_by = draw(st.none() | st.integers(-24, 96).map(lambda hours: NOW + timedelta(hours=hours)))
    return lines, offers, draw(st.integers(0, 3)), ship_by


@given(orders())
@settings(max_examples=200, deadline=None)
def test_every_unit_is_picked_or_held_and_nobody_promises_what_he_has_not(order):
    lines, offers, buffer, ship_by = order
    promised: dict[int, int] = {}
    decision = decide(
        lines, offers, country="GB", margin_floor=Decimal(10), stock_buffer=buffer, promised=promised, ship_by=ship_by
    )
    for line in lines:
        picked = [pick for pick in decision.picks if pick.line == line.line]
        held = [units for number, _, units in decision.holds if number == line.line]
        assert sum(pick.quantity for pick in picked) + sum(held) == line.open
        assert len(held) <= 1 and all(pick.quantity > 0 for pick in picked)
        seen = [pick.candidate.offer for pick in picked] + [
            offer for offer, _ in decision.losers.get(line.line, ()) if offer not in {p.candidate.offer for p in picked}
        ]
        assert sorted(seen) == sorted(one.offer for one in offers.get(line.variant, ())), "each offer won or lost, once"
        for pick in picked:
            one = pick.candidate
            assert pick.quantity % one.factor == 0
            assert not one.barred and not one.sku_changed and one.offer not in line.refused_by and one.cost is not None
            assert not one.ships_to or "GB" in one.ships_to
    taken: dict[int, int] = {}
    for pick in decision.picks:
        taken[pick.candidate.offer] = taken.get(pick.candidate.offer, 0) + pick.quantity // pick.candidate.factor
    for one in (one for each in offers.values() for one in each):
        if one.available is not None:
            assert taken.get(one.offer, 0) <= max(0, one.available - buffer)
    assert {offer: n for offer, n in promised.items() if n} == taken


@given(orders())
@settings(max_examples=60, deadline=None)
def test_the_same_facts_decide_the_same(order):
    lines, offers, buffer, ship_by = order
    first, second = (
        decide(lines, offers, country="GB", margin_floor=Decimal(10), stock_buffer=buffer, promised={}, ship_by=ship_by)
        for _ in range(2)
    )
    assert (first.picks, first.holds, first.losers) == (second.picks, second.holds, second.losers)


@given(orders())
@settings(max_examples=200, deadline=None)
def test_nobody_ships_late_whom_somebody_in_time_could_replace(order):
    """One line alone: it is late only if nobody who passes and has enough would be in time."""
    lines, offers, buffer, ship_by = order
    for line in lines:
        decision = decide(
            [line], offers, country="GB", margin_floor=Decimal(10), stock_buffer=buffer, promised={}, ship_by=ship_by
        )
        if ship_by is None:
            assert not decision.late
        elif decision.late == {line.line} and len(decision.picks) == 1 and decision.picks[0].quantity == line.open:
            lost = {offer for offer, reason in decision.losers.get(line.line, ()) if reason in ("not_first", "ships_too_late")}
            assert all(
                one.ships_at is not None and one.ships_at > ship_by
                for one in offers.get(line.variant, ())
                if one.offer in lost
            )
