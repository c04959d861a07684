"""What may be done to stores, access to them, their fee rules, the list of tasks, and this copy of daifa."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4
from zoneinfo import available_timezones

import pghistory
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from daifa.domain.stores import queries
from daifa.domain.stores.models import FeeRule, Installation, Store, StoreAccess
from daifa.domain.stores.rules import NEEDS
from daifa.lib import bulk
from daifa.lib.commas import listed
from daifa.lib.money import is_currency
from daifa.lib.refusal import Refused
from daifa.lib.sentences import kept_params

EDITABLE = (
    "code", "name", "channel", "kind", "currency", "timezone", "language", "country", "reply_to", "dispatch_hours",
    "transit_days", "lost_days", "margin_floor", "stock_buffer", "revenue_at", "messages_allowed",
    "review_invitations", "message_cap",
)  # fmt: skip
FIXED_ONCE_USED = {"currency", "kind", "revenue_at"}
"""Changing these under existing orders would make the books say something else than before."""

# --- Stores -----------------------------------------------------------------------------------------------------


@transaction.atomic
def add_store(
    *, code: str, name: str, currency: str, by: str, at: datetime, owner_id: int | None = None, is_sample: bool = False,
    **facts: Any,
) -> Store:  # fmt: skip
    """A new store; `facts` are the others of EDITABLE (channel, kind, timezone, language …). Raises `Refused`.

    `owner_id` gets access as owner.
    """
    store = Store(is_sample=is_sample, created_at=at)
    _apply(store, {"code": code, "name": name, "currency": currency, **facts})
    with pghistory.context(by=by):
        try:
            with transaction.atomic():
                store.save(force_insert=True)
        except IntegrityError:
            raise Refused(
                _("There is a store with the code %(code)s already; choose another code.")
                % {"code": store.code},
                code="code_taken",
                field="code",
            ) from None
        if owner_id is not None:
            StoreAccess.objects.create(user_id=owner_id, store=store, role="owner")
    return store


@transaction.atomic
def edit_store(*, store_id: int, by: str, at: datetime, **facts: Any) -> Store:
    """Change fields of a store; all or nothing. Currency, kind and recognition stay once it has orders, the currency also once it has
    a deposit or entries.

    Raises `Refused`.
    """
    store = Store.objects.select_for_update().filter(pk=store_id).first()
    if store is None:
        raise Refused(_("There is no such store."), code="not_found")
    before = {name: getattr(store, name) for name in EDITABLE}
    _apply(store, facts)
    changed = [name for name, value in before.items() if getattr(store, name) != value]
    if fixed := [name for name in changed if name in FIXED_ONCE_USED]:
        if _has_orders(store.pk):
            raise Refused(
                _("This store has orders: its %(field)s cannot change any more. Add a new store instead.")
                % {"field": Store._meta.get_field(fixed[0]).verbose_name},
                code="fixed_by_orders",
                field=fixed[0],
            )
        if "currency" in fixed and _has_money(store.pk):
            raise Refused(
                _("This store has a deposit or entries in its books: its currency cannot change any more. Add a new store instead."),
                code="fixed_by_money", field="currency",
            )  # fmt: skip
    if changed:
        with pghistory.context(by=by):
            store.save(update_fields=changed)
    return store


def _has_orders(store_id: int) -> bool:
    # Orders stand above stores; whether a row refers to this one is asked by table name, not by importing them.
    return bulk.fetch("SELECT EXISTS (SELECT FROM orders_order WHERE store_id = %s)", (store_id,))[0][0]


def _has_money(store_id: int) -> bool:
    """Whether amounts are kept that are in the store's currency without saying so, or stand in its books."""
    return bulk.fetch(
        """SELECT EXISTS (SELECT FROM cases_depositmove WHERE store_id = %s)
               OR EXISTS (SELECT FROM cases_depositrequirement WHERE store_id = %s)
               OR EXISTS (SELECT FROM books_entry WHERE store_id = %s)""",
        (store_id,) * 3,
    )[0][0]


def _apply(store: Store, facts: Mapping[str, Any]) -> None:
    """Put `facts` on the row and check all of it; raises Refused."""
    for name, value in facts.items():
        if name not in EDITABLE:
            raise Refused(
                _("A store has no field %(name)s.") % {"name": name}, code="field_unknown", field=name
            )
        if isinstance(value, str):
            value = value.strip()
            if name in ("currency", "country"):
                value = value.upper()
        setattr(store, name, value)
    languages = [code for code, _name in settings.LANGUAGES]
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", store.code):
        raise Refused(
            _("A store's code has up to 40 letters, digits, - or _, and no spaces."),
            code="code_invalid",
            field="code",
        )
    if not is_currency(store.currency):
        raise Refused(
            _("%(currency)s is no currency code. Use three letters such as GBP, EUR or CNY.")
            % {"currency": store.currency or "—"},
            code="currency_unknown",
            field="currency",
        )
    if store.timezone not in available_timezones():
        raise Refused(
            _("%(zone)s is no time zone. Use a name such as Europe/London or Asia/Shanghai.")
            % {"zone": store.timezone or "—"},
            code="timezone_unknown",
            field="timezone",
        )
    if store.language not in languages:
        raise Refused(
            _("Buyers are written to in one of: %(languages)s.") % {"languages": listed(languages)},
            code="language_unknown",
            field="language",
        )
    if store.country and not re.fullmatch("[A-Z]{2}", store.country):
        raise Refused(
            _("A country is two letters such as GB or CN."), code="country_unknown", field="country"
        )
    try:
        store.clean_fields()
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise Refused(" ".join(messages), code="value_invalid", field=name) from None
    if not -100 <= store.margin_floor <= 100:
        raise Refused(
            _("A margin lies between −100 and 100 percent."), code="value_invalid", field="margin_floor"
        )


# --- Access -----------------------------------------------------------------------------------------------------


@transaction.atomic
def give_access(grants: Iterable[tuple[int, int, str]], *, by: str, at: datetime) -> list[str]:
    """Grant (user id, store id, role); an existing role is replaced. Returns a sentence for each one refused.

    The last owner of a store keeps that role unless a superuser is left to act for her.
    """
    refused = []
    for user_id, store_id, role in grants:
        if role not in NEEDS:
            refused.append(
                _("%(role)s is no role. There are: %(roles)s.") % {"role": role, "roles": listed(NEEDS)}
            )
        elif role != "owner" and _is_last_owner(user_id, store_id):
            refused.append(_("A store needs an owner: give that role to somebody else first."))
        else:
            with pghistory.context(by=by):
                StoreAccess.objects.update_or_create(
                    user_id=user_id, store_id=store_id, defaults={"role": role}
                )
    return refused


@transaction.atomic
def take_access(pairs: Iterable[tuple[int, int]], *, by: str, at: datetime) -> list[str]:
    """Take (user id, store id) away. Returns a sentence for each one refused."""
    refused = []
    for user_id, store_id in pairs:
        if _is_last_owner(user_id, store_id):
            refused.append(_("A store needs an owner: give that role to somebody else first."))
        else:
            with pghistory.context(by=by):
                StoreAccess.objects.filter(user_id=user_id, store_id=store_id).delete()
    return refused


def _is_last_owner(user_id: int, store_id: int) -> bool:
    owners = list(
        StoreAccess.objects.select_for_update()
        .filter(store_id=store_id, role="owner")
        .values_list("user_id", flat=True)
    )
    if owners != [user_id]:
        return False
    return not bulk.fetch(
        "SELECT EXISTS (SELECT FROM people_user WHERE is_superuser AND is_active AND id <> %s)", (user_id,)
    )[0][0]


# --- Fee rules --------------------------------------------------------------------------------------------------


@transaction.atomic
def add_fee_rule(
    *, store_id: int, name: str, percent: Decimal | str = "0", fixed: Decimal | str = "0", valid_from: date,
    refunded_on_refund: bool = False, by: str, at: datetime,
) -> FeeRule:  # fmt: skip
    """What the channel or the payment provider keeps from `valid_from` on. Orders already posted keep their fee.

    Raises `Refused`.
    """
    if not name.strip():
        raise Refused(
            _("Give the fee a name, as it stands on the statement."), code="name_missing", field="name"
        )
    with pghistory.context(by=by):
        return FeeRule.objects.create(
            store_id=store_id, name=name.strip()[:80], valid_from=valid_from, refunded_on_refund=refunded_on_refund,
            percent=_number("percent", percent, 100), fixed=_number("fixed", fixed, 10**6),
        )  # fmt: skip


def _number(field_name: str, value: Decimal | str, top: int) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Refused(
            _("%(value)s is no number.") % {"value": value}, code="number_invalid", field=field_name
        ) from None
    if not 0 <= number <= top:
        raise Refused(
            _("It lies between 0 and %(top)s.") % {"top": top}, code="number_invalid", field=field_name
        )
    return number


@transaction.atomic
def remove_fee_rules(ids: Sequence[int], *, store_id: int, by: str, at: datetime) -> int:
    """Take fee rules of a store away; what they posted stays posted. Returns how many."""
    with pghistory.context(by=by):
        return FeeRule.objects.filter(pk__in=list(ids), store_id=store_id).delete()[0]


# --- Tasks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewTask:
    """Something for a person. `params` fill the sentence of the kind; no personal data in them."""

    kind: str
    store_id: int | None = None
    thing_kind: str = ""
    thing: int = 0
    params: dict[str, Any] = field(default_factory=dict)
    stake: Decimal | None = None
    currency: str = ""
    due_at: datetime | None = None


def open_tasks(rows: Iterable[NewTask], *, at: datetime) -> int:
    """Open tasks in one statement; one that is open already for the same (kind, thing) stays as it is.

    Returns how many are new. Joins the caller's transaction.
    """
    rows = list({(row.kind, row.thing_kind, row.thing): row for row in rows}.values())
    if not rows:
        return 0
    with transaction.atomic():
        return bulk.execute(
            """
            INSERT INTO stores_task (store_id, kind, thing_kind, thing, params, stake, currency, due_at, opened_at, closed_by)
            SELECT store_id, kind, thing_kind, thing, params::jsonb, stake, currency, due_at, %s, ''
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::numeric[], %s::text[],
                        %s::timestamptz[])
                 AS fresh (store_id, kind, thing_kind, thing, params, stake, currency, due_at)
            ORDER BY kind, thing_kind, thing
            ON CONFLICT (kind, thing_kind, thing) WHERE closed_at IS NULL DO NOTHING
            """,
            (
                at,
                [row.store_id for row in rows],
                [row.kind for row in rows],
                [row.thing_kind for row in rows],
                [row.thing for row in rows],
                [_json_text(kept_params(row.params)) for row in rows],
                [row.stake for row in rows],
                [row.currency for row in rows],
                [row.due_at for row in rows],
            ),
        )


def _json_text(value: Any) -> str:
    import json

    from django.core.serializers.json import DjangoJSONEncoder

    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def close_tasks(
    *, kind: str | Sequence[str], things: Sequence[int], by: str, at: datetime, thing_kind: str = ""
) -> int:
    """Close the open tasks of a kind (or kinds) about `things`: what they asked for is settled. Returns how many."""
    if not things:
        return 0
    return bulk.execute(
        """UPDATE stores_task SET closed_at = %s, closed_by = %s
           WHERE closed_at IS NULL AND kind = ANY(%s::text[]) AND thing_kind = %s AND thing = ANY(%s::bigint[])""",
        (at, by, [kind] if isinstance(kind, str) else list(kind), thing_kind, list(things)),
    )


def dismiss_tasks(ids: Sequence[int], *, scope: Sequence[int], by: str, at: datetime) -> int:
    """A person says these open tasks of her stores are settled. Returns how many were closed."""
    with transaction.atomic():
        return bulk.execute(
            """UPDATE stores_task SET closed_at = %s, closed_by = %s
               WHERE closed_at IS NULL AND id = ANY(%s::bigint[]) AND store_id = ANY(%s::bigint[])""",
            (at, by, list(ids), list(scope)),
        )


# --- This copy --------------------------------------------------------------------------------------------------

ALPHABET = (
    "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which are read as digits; letters only, as references need
)
LEASE = timedelta(minutes=5)


def new_code() -> str:
    """Four characters that begin this copy's purchase references: two copies in 300,000 share them."""
    return "".join(secrets.choice(ALPHABET) for _place in range(4))


def ensure_installation(at: datetime) -> Installation:
    """The row of this copy, made on first use, with the lease taken or renewed. Doors call it when they start."""
    if not Installation.objects.filter(pk=1).exists():
        with transaction.atomic():
            bulk.execute(
                """INSERT INTO stores_installation (id, uuid, code, created_at, released_by, lease_holder)
                   VALUES (1, %s, %s, %s, '', '') ON CONFLICT (id) DO NOTHING""",
                (uuid4(), new_code(), at),
            )
    hold_lease(at=at)
    return Installation.objects.get(pk=1)


def hold_lease(*, at: datetime) -> str:
    """Take or renew the lease for the place these data lie in; returns "" or the sentence why it is refused.

    All processes on one database share it. Where the data were copied elsewhere, the lease still names the old place:
    while it runs the copy is refused; afterwards the copy is quarantined like a restored one, because nobody knows
    what the other did since.
    """
    place = queries.place_of_data()
    with transaction.atomic():
        rows = bulk.fetch(
            """SELECT lease_holder, lease_until, quarantined_at, released_at, code FROM stores_installation
               WHERE id = 1 FOR UPDATE"""
        )
        if not rows:
            return ""
        holder, until, quarantined_at, released_at, former = rows[0]
        quarantined = quarantined_at is not None and released_at is None
        if holder and holder != place and not quarantined:
            if until and until > at:
                return _("Another copy of this installation is at work. Only one may act at a time.")
            bulk.execute(
                """UPDATE stores_installation SET quarantined_at = %s, backup_taken_at = %s, read_back_at = NULL,
                       released_at = NULL, released_by = '', lease_holder = %s, lease_until = %s, code = %s
                   WHERE id = 1""",
                (at, (until or at) - LEASE, place, at + LEASE, new_code()),
            )
            open_tasks(
                [
                    NewTask(
                        kind="quarantined",
                        params={"since": ((until or at) - LEASE).isoformat(), "former_code": former},
                    )
                ],
                at=at,
            )
            return _(
                "These data were copied here from another place. Ask the suppliers what was placed since, then release this copy."
            )
        if holder != place or until is None or until - at < LEASE / 2 or until - at > LEASE:
            bulk.execute(
                "UPDATE stores_installation SET lease_holder = %s, lease_until = %s WHERE id = 1",
                (place, at + LEASE),
            )
    return ""


def give_up_lease() -> None:
    """This place stops using the data on purpose (before moving them): the next place is not quarantined."""
    with transaction.atomic():
        bulk.execute(
            "UPDATE stores_installation SET lease_holder = '', lease_until = NULL WHERE id = 1 AND lease_holder = %s",
            (queries.place_of_data(),),
        )


def note_read_back(*, at: datetime) -> None:
    """Suppliers have been asked by our references since the backup's time."""
    with transaction.atomic():
        bulk.execute("UPDATE stores_installation SET read_back_at = %s WHERE id = 1", (at,))


@transaction.atomic
def release_installation(*, by: str, at: datetime) -> None:
    """A person lets the restored copy act again. Raises `Refused` with the sentence why not yet.

    Call `flows.quarantine.release`, which also sees that nothing unanswered is left.
    """
    row = Installation.objects.select_for_update().filter(pk=1).first()
    if row is None or row.quarantined_at is None or row.released_at is not None:
        raise Refused(_("This copy is not quarantined."), code="not_quarantined")
    if row.read_back_at is None:
        raise Refused(
            _("Ask the suppliers first: nobody knows yet what was placed after the backup was taken."),
            code="not_read_back",
        )
    row.released_at, row.released_by = at, by
    row.save(update_fields=["released_at", "released_by"])
    close_tasks(kind="quarantined", things=[0], by=by, at=at)
