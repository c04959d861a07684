"""Dates and times that people type: on the clock of the store they are about, whatever else is on the screen."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.lib.refusal import Refused
from daifa.web.kit import Scope

NOW_IF_EMPTY = gettext_lazy("On the clock of the store; empty: now.")
TODAY_IF_EMPTY = gettext_lazy("In the store's zone; empty: today.")


class Moment(forms.DateTimeField):
    """A date and time as typed, without a zone: `moment` says what it is on the clock of a store."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(UTC):  # a clock that never changes: what another store's clock leaves out is no fault of this one
            found = super().to_python(value)
        return None if found is None else found.replace(tzinfo=None)


def moment(value: datetime | None, scope: Scope, store_id: int, field: str = "") -> datetime | None:
    """What was typed, on the clock of the store; of an hour that comes twice the first. Raises `Refused` where there was none."""
    if value is None:
        return None
    zone = scope.whole.zone(store_id)
    found = value.replace(tzinfo=zone)
    if found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != value:
        raise Refused(
            _("%(time)s does not exist on the clock of the store: it goes forward in that night.") % {"time": value.strftime("%Y-%m-%d %H:%M")},
            code="no_such_time", field=field,
        )  # fmt: skip
    return found


def past_moment(value: datetime | None, scope: Scope, store_id: int, field: str) -> datetime:
    """As `moment`; now where nothing was typed. Raises `Refused` where it lies ahead."""
    found = moment(value, scope, store_id, field)
    if found is None or value is None:
        return scope.at
    if found > scope.at:
        told = value.strftime("%Y-%m-%d %H:%M")
        raise Refused(
            _("%(date)s lies ahead on the clock of the store, where it is %(now)s.")
            % {"date": told, "now": scope.at.astimezone(scope.whole.zone(store_id)).strftime("%Y-%m-%d %H:%M")},
            code="date_in_future", field=field,
        )  # fmt: skip
    return found


def now_there(scope: Scope) -> datetime | None:
    """What a field of a moment begins with: now, where the store is known; else nothing, for each store has its own clock."""
    return scope.at.astimezone(scope.zone()).replace(tzinfo=None, second=0, microsecond=0) if len(scope.stores) == 1 else None


def today_there(scope: Scope) -> date | None:
    """As `now_there`, the day."""
    return scope.at.astimezone(scope.zone()).date() if len(scope.stores) == 1 else None
