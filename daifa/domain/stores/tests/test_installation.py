"""This copy of daifa: its code, its lease, its quarantine."""

from datetime import UTC, datetime, timedelta

import pytest

from daifa.domain.stores import commands, queries
from daifa.domain.stores.models import Installation, Task
from daifa.lib.refusal import Refused

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_a_copy_is_made_once_with_a_readable_code():
    first = commands.ensure_installation(AT)
    again = commands.ensure_installation(AT + timedelta(hours=1))
    assert (again.uuid, again.code, again.created_at) == (first.uuid, first.code, AT)
    assert len(first.code) == 4 and set(first.code) <= set(commands.ALPHABET)
    assert again.lease_until == AT + timedelta(hours=1) + commands.LEASE
    assert queries.may_act_outward(AT)


def test_nothing_leaves_a_quarantined_copy_until_it_was_read_back_and_released():
    commands.ensure_installation(AT)
    Installation.objects.update(quarantined_at=AT, backup_taken_at=AT - timedelta(days=1))
    assert queries.is_quarantined() and not queries.may_act_outward(AT)
    with pytest.raises(Refused, match="Ask the suppliers first"):
        commands.release_installation(by="user:1", at=AT)
    commands.note_read_back(at=AT)
    assert not queries.may_act_outward(AT)
    assert "a person has to release it" in queries.why_not_outward(AT)
    commands.release_installation(by="user:1", at=AT)
    assert queries.may_act_outward(AT) and not queries.is_quarantined()
    with pytest.raises(Refused, match="not quarantined"):
        commands.release_installation(by="user:1", at=AT)


def test_beside_a_living_copy_elsewhere_this_one_does_nothing():
    commands.ensure_installation(AT)
    Installation.objects.update(lease_holder="another place", lease_until=AT + timedelta(minutes=3))
    assert "Another copy" in commands.hold_lease(at=AT)
    assert not queries.may_act_outward(AT)
    assert Installation.objects.get().lease_holder == "another place"


def test_data_copied_from_a_place_that_fell_silent_are_quarantined():
    before = commands.ensure_installation(AT)
    last_sign = AT - timedelta(hours=2)
    Installation.objects.update(lease_holder="another place", lease_until=last_sign + commands.LEASE)
    assert not queries.may_act_outward(AT), "not even before the worker has noticed"
    assert "copied here" in commands.hold_lease(at=AT)
    row = Installation.objects.get()
    assert (row.quarantined_at, row.backup_taken_at, row.lease_holder) == (
        AT,
        last_sign,
        queries.place_of_data(),
    )
    assert row.code != before.code, "or both places would issue the same references"
    assert Task.objects.filter(kind="quarantined", closed_at=None).exists()
    assert commands.hold_lease(at=AT) == "" and not queries.may_act_outward(AT)


def test_data_moved_on_purpose_are_taken_over():
    commands.ensure_installation(AT)
    commands.give_up_lease()
    assert Installation.objects.get().lease_holder == ""
    assert queries.may_act_outward(AT)
    assert commands.hold_lease(at=AT) == ""
    assert Installation.objects.get().quarantined_at is None


def test_the_lease_is_renewed_only_when_half_of_it_is_gone():
    commands.ensure_installation(AT)
    commands.hold_lease(at=AT + timedelta(minutes=1))
    assert Installation.objects.get().lease_until == AT + commands.LEASE
    commands.hold_lease(at=AT + timedelta(minutes=4))
    assert Installation.objects.get().lease_until == AT + timedelta(minutes=4) + commands.LEASE
    # A replay moves the clock back: the lease follows, or nothing else could ever renew it.
    commands.hold_lease(at=AT - timedelta(days=300))
    assert Installation.objects.get().lease_until == AT - timedelta(days=300) + commands.LEASE
