"""What may be done about exceptions: enter what a platform announced, keep what a buyer agreed to, take either back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.compliance import announced, rules
from daifa.domain.compliance.models import AgreedDispatch, Announcement
from daifa.domain.orders.models import Order
from daifa.domain.policy import queries as policy
from daifa.lib import regions
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused

MOST_DAYS = 400
AGREED_MOST_DAYS = 180


@dataclass(frozen=True, slots=True)
class NewAnnouncement:
    """An exception as it is entered; see `announced.Announced`. `regions` in words: "浙江", "浙江/杭州", "US-CA"."""

    channel: str
    title: str
    source: str
    kinds: Sequence[str]
    effect: str
    first: date
    last: date
    hours: int | None = None
    until: date | None = None
    countries: Sequence[str] = ()
    regions: Sequence[str] = ()
    side: str = "either"
    goes_by: str = "start"
    leaves_out: str = ""
    store_id: int | None = None
    announced_on: date | None = None
    rule: str = ""


@transaction.atomic
def announce(new: NewAnnouncement, *, by: str, at: datetime) -> Announcement:
    """Enter an exception. It counts with the next reckoning of the clocks. Raises `Refused`."""
    channel = policy.book_name(new.channel)
    if channel not in policy.channel_titles() or channel in policy.BESIDE:
        raise Refused(_("There is no channel %(channel)s in the rule book.") % {"channel": new.channel or "–"}, code="channel_unknown", field="channel")
    if not new.title.strip():
        raise Refused(_("Say in a few words what was announced."), code="title_missing", field="title")
    if not new.source.strip():
        raise Refused(_("Say where it was announced: the address of the notice, or its number."), code="source_missing", field="source")
    for value, known, field in (
        (new.effect, announced.EFFECTS, "effect"), (new.side, announced.SIDES, "side"), (new.goes_by, announced.GOES_BY, "goes_by"),
        (new.leaves_out, announced.LEAVES_OUT, "leaves_out"),
    ):  # fmt: skip
        if value not in dict(known):
            raise Refused(
                _("“%(value)s” is not known; there are: %(known)s.") % {"value": value, "known": listed(code for code, _w in known if code)},
                code=f"{field}_unknown", field=field,
            )  # fmt: skip
    if unknown := [kind for kind in new.kinds if kind not in rules.KINDS]:
        raise Refused(_("There is no kind of clock called %(kind)s.") % {"kind": unknown[0]}, code="kind_unknown", field="kinds")
    if not new.kinds and new.effect != "none":
        raise Refused(_("Say which clocks it is about."), code="kinds_missing", field="kinds")
    if new.effect == "none" and not new.leaves_out:
        raise Refused(_("It changes nothing: say what it does to clocks, or what it leaves out of the figures."), code="nothing", field="leaves_out")
    if new.last < new.first:
        raise Refused(_("The last day lies before the first."), code="days_reversed", field="last")
    if (new.last - new.first).days > MOST_DAYS:
        raise Refused(_("An exception lasts at most %(days)d days; a lasting change is a rule of the book.") % {"days": MOST_DAYS}, code="too_long", field="last")
    if new.effect == "extend" and new.hours is None and new.until is None:
        raise Refused(_("A longer deadline needs its hours, or the day until which it lasts."), code="hours_missing", field="hours")
    if new.effect != "extend" and (new.hours is not None or new.until is not None):
        raise Refused(_("Hours and a day belong to a longer deadline only."), code="hours_unexpected", field="hours")
    if new.hours is not None and not 1 <= new.hours <= 24 * 180:
        raise Refused(_("Hours lie between 1 and 4320 (180 days)."), code="hours_invalid", field="hours")
    if new.until is not None and not new.first <= new.until:
        raise Refused(_("The day until which it lasts lies before the first day."), code="until_invalid", field="until")
    return Announcement.objects.create(
        channel=channel, store_id=new.store_id, title=new.title.strip()[:200], source=new.source.strip()[:500],
        announced_on=new.announced_on, kinds=" ".join(dict.fromkeys(new.kinds)), effect=new.effect, first=new.first, last=new.last,
        hours=new.hours, until=new.until, countries=" ".join(_countries(new.countries)), regions=" ".join(_regions(new.regions)),
        side=new.side, goes_by=new.goes_by, leaves_out=new.leaves_out, rule=new.rule, at=at, by=by,
    )  # fmt: skip


def _countries(given: Sequence[str]) -> list[str]:
    found = []
    for text in filter(None, (one.strip() for one in given)):
        code = regions.country_named(text)
        if not code:
            raise Refused(_("%(place)s is no country that is known here; write its two letters, for example DE.") % {"place": text}, code="country_unknown", field="countries")
        found.append(code)
    return list(dict.fromkeys(found))


def _regions(given: Sequence[str]) -> list[str]:
    found = []
    for text in filter(None, (one.strip() for one in given)):
        named, slash, town = text.partition("/")
        place = regions.region_named(named)
        if place is None:
            raise Refused(
                _("%(place)s is no region that is known here; write a province of China (浙江, 浙江/杭州) or a state as US-CA, CA-ON, AU-NSW.")
                % {"place": text}, code="region_unknown", field="regions",
            )  # fmt: skip
        code = place.state if place.country == "CN" else f"{place.country}-{place.state}"
        found.append(code + (slash + town.strip().replace(" ", "") if town.strip() else ""))
    if len(" ".join(found)) > 500:
        raise Refused(_("Too many regions: leave them empty for everywhere."), code="too_many", field="regions")
    return list(dict.fromkeys(found))


def withdraw_announcements(ids: Sequence[int], *, by: str, at: datetime) -> int:
    """These count no more; they stay in the history. Returns how many."""
    return Announcement.objects.filter(pk__in=list(ids), withdrawn_at=None).update(withdrawn_at=at, withdrawn_by=by)


@transaction.atomic
def agree_dispatch(
    *, order_id: int, until: datetime, agreed_at: datetime, proof: str, said: str = "", by: str, at: datetime
) -> AgreedDispatch:
    """Keep that the buyer of an order agreed to dispatch by then. Takes the place of an agreement before. Raises `Refused`."""
    order = Order.objects.select_for_update().filter(pk=order_id).first()
    if order is None:
        raise Refused(_("There is no such order."), code="not_found")
    if order.status in ("delivered", "closed", "cancelled"):
        raise Refused(_("Order %(number)s has ended; nothing is left to agree on.") % {"number": order.number}, code="ended")
    if not proof.strip():
        raise Refused(_("Say where the buyer agreed: chat, mail, the platform's form. Without proof it does not count."), code="proof_missing", field="proof")
    if agreed_at > at:
        raise Refused(_("The buyer cannot have agreed in the future."), code="agreed_at_invalid", field="agreed_at")
    if agreed_at < order.placed_at:
        raise Refused(_("The buyer cannot have agreed before the order was placed."), code="agreed_at_invalid", field="agreed_at")
    if until <= agreed_at:
        raise Refused(_("The new time has to lie after the agreement."), code="until_invalid", field="until")
    if (until - agreed_at).days > AGREED_MOST_DAYS:
        raise Refused(_("More than %(days)d days later: refund the buyer instead.") % {"days": AGREED_MOST_DAYS}, code="until_invalid", field="until")
    AgreedDispatch.objects.filter(order=order, withdrawn_at=None).update(withdrawn_at=at, withdrawn_by=by)
    return AgreedDispatch.objects.create(
        store_id=order.store_id, order=order, until=until, agreed_at=agreed_at, proof=proof.strip()[:200], said=said.strip()[:5000], by=by, at=at
    )


def withdraw_agreed(ids: Sequence[int], *, by: str, at: datetime) -> int:
    """These agreements count no more (the buyer changed their mind, or it was entered wrongly). Returns how many."""
    return AgreedDispatch.objects.filter(pk__in=list(ids), withdrawn_at=None).update(withdrawn_at=at, withdrawn_by=by)
