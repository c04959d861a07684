"""A store is opened or edited: what `stores.commands` checks, and that its channel is one the rule book knows by that name.

A channel without rules is allowed: it is a store that nobody counts anything for. A slip of the pen is not.
"""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext as _

from daifa.domain.policy import queries as policy
from daifa.domain.stores import commands
from daifa.domain.stores.models import Store
from daifa.lib.refusal import Refused


def add_store(*, code: str, name: str, currency: str, by: str, at: datetime, **facts: Any) -> Store:
    """A new store, see `stores.commands.add_store`. Raises `Refused`."""
    _check(facts.get("kind", ""), facts.get("channel", ""))
    return commands.add_store(code=code, name=name, currency=currency, by=by, at=at, **facts)


def edit_store(*, store: Store, by: str, at: datetime, **facts: Any) -> Store:
    """Change fields of a store, see `stores.commands.edit_store`. Raises `Refused`."""
    if "kind" in facts or "channel" in facts:
        _check(facts.get("kind", store.kind), facts.get("channel", store.channel))
    return commands.edit_store(store_id=store.pk, by=by, at=at, **facts)


def _check(kind: str, channel: str) -> None:
    if kind == "marketplace" and channel.strip().lower() in ("", "manual"):
        raise Refused(
            _("Say which marketplace it is: its rules decide what counts for the store."), code="channel_missing", field="channel"
        )
    if meant := meant_channel(kind, channel):
        raise Refused(
            _("No rules are known for a channel called “%(channel)s”. Did you mean %(meant)s?")
            % {"channel": channel, "meant": meant},
            code="channel_unknown", field="channel",
        )  # fmt: skip


def meant_channel(kind: str, channel: str) -> str:
    """The channel of the rule book that a marketplace's misspelt `channel` is close to; "" = it is known, or like none."""
    name = channel.strip().lower()
    known = {*policy.sales_channels(), *policy.ALIASES}
    if kind != "marketplace" or not name or name in known:
        return ""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return policy.ALIASES.get(close[0], close[0]) if close else ""
