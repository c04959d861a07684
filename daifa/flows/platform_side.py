"""The platform's side of closings, as a stand-in: intake, review, notice, rulings with limited appeals, dormancy, risk list.

It runs on the same rows and rules as the merchant's side and stands where a platform's desk would: what it decides
reaches the shop as the platform's steps of its closing. For journeys, training and demonstrations; nothing leaves the
building, and no real platform decides like this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.cases import queries as cases
from daifa.domain.cases.models import Appeal
from daifa.domain.closing import commands, queries, rules
from daifa.domain.closing.models import Closing, ClosingStep, PlatformCase, PlatformEvent
from daifa.domain.closing.process import PLATFORM_CASE
from daifa.domain.history.commands import move, record_births
from daifa.domain.stores.models import Store
from daifa.flows import close_store
from daifa.flows.close_store import Given, Letter
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import joined

BY = "platform:desk"
EVENTS = {
    "opened": N_("case opened"), "refused": N_("refused"), "reviewed": N_("reviewed"), "notice_begins": N_("public notice begins"),
    "objection": N_("objection"), "notice": N_("notice given"), "appeal": N_("appeal"), "appeal_allowed": N_("one more appeal allowed"),
    "reversed": N_("reversed"), "upheld": N_("upheld"), "takedown_waits": N_("takedown waits for a quiet hour"),
    "not_taken": N_("appeal not taken"), "taken_down": N_("goods taken down"), "closed": N_("store closed"), "dropped": N_("dropped"),
    "left": N_("the store decided to leave; nothing is left to rule on"),
}  # fmt: skip
"""What stands in the file of a case: `PlatformEvent.what` → the words, as msgids."""

_BLOCKS_A_REQUEST = ("unshipped", "in_transit", "open_aftersales", "unpaid_refunds", "live_listings", "appeals")
_SCENARIO = {"violation": "forced", "category": "rule_change", "dormancy": "no_traffic"}


def is_on() -> bool:
    """True where this installation shows the platform's side."""
    return bool(settings.DAIFA_PLATFORM_SIDE)


# --- Requests of stores -------------------------------------------------------------------------------------------


@transaction.atomic
def take_request(store_id: int, *, reason: str, at: datetime, by: str = BY) -> PlatformCase:
    """A store asks to be closed. What is open makes the request be refused; the refusal is on record with its reasons."""
    if not reason.strip():
        raise Refused(_("A request says why the store is to be closed."), code="reason_missing", field="reason")
    case = _open_case(store_id, "request", reason, at=at, by=by)
    blocked = [one for one in queries.blockers(store_id, at=at) if one.code in _BLOCKS_A_REQUEST]
    if blocked:
        words = joined("; ", (close_store.blocker_words(one) for one in blocked), chinese="；")
        _to(case, "refused", "refused", words, at=at, by=by, ended=True)
    return case


@transaction.atomic
def review_request(case_id: int, *, accept: bool, note: str = "", at: datetime, by: str = BY) -> PlatformCase:
    """Accepted: the public notice begins, thirty days at least; the store has signed for it. Refused: with the reason.

    Raises `Refused`.
    """
    case = _case(case_id)
    if case.kind != "request" or case.state not in ("received", "objected"):
        raise Refused(_("Only a request that was just received can be reviewed."), code="wrong_state")
    if not accept:
        if not note.strip():
            raise Refused(_("A refusal needs its reason."), code="note_missing", field="note")
        _to(case, "refused", "refused", note, at=at, by=by, ended=True)
        return case
    closing = queries.running_closing(case.store_id)
    if closing is None or closing.applied_at is None:
        raise Refused(
            _("The store has signed no application yet: its closing is not that far, or there is none. Nothing can be accepted before."),
            code="not_applied",
        )  # fmt: skip
    _belongs_to(case, closing)
    if case.state == "received":
        _to(case, "review", "reviewed", note, at=at, by=by)
    days = max(_terms(case.store, at).notice_days.value, rules.LEGAL_NOTICE_DAYS)
    zone = ZoneInfo(case.store.timezone)
    if case.due_at is None:
        ends = datetime.combine(at.astimezone(zone).date() + timedelta(days=days), time(0), zone)
        PlatformCase.objects.filter(pk=case.pk).update(due_at=ends)
        case.due_at = ends
    _to(case, "public_notice", "notice_begins", _("%(days)s days") % {"days": days}, at=at, by=by)
    return case


@transaction.atomic
def object_to_request(case_id: int, *, note: str, at: datetime, by: str = BY) -> PlatformCase:
    """Somebody objects while the notice stands: nothing is closed before that is settled. Raises `Refused`."""
    case = _case(case_id)
    if case.state != "public_notice":
        raise Refused(_("Objections are possible while the public notice stands."), code="wrong_state")
    _to(case, "objected", "objection", note, at=at, by=by)
    return case


# --- What the platform begins -------------------------------------------------------------------------------------


@transaction.atomic
def give_notice(
    store_id: int, kind: str, *, reason: str, most_appeals: int = 1, days_until_effect: int | None = None,
    letter: Letter | None = None, at: datetime, by: str = BY,
) -> PlatformCase:  # fmt: skip
    """A letter to a store: removal for violations, a newly regulated category, a dormant account.

    The shop's closing of that scenario begins with it, unless one goes on. `letter` names the violations of a removal:
    those the shop knows, or one under the case's own number. A changed rule and a quiet account are no violations. `days_until_effect` of a category rule: the
    buffer, 7 to 15 days. Raises `Refused`.
    """
    if kind not in _SCENARIO:
        raise Refused(_("There is no such notice: %(kind)s.") % {"kind": kind}, code="no_kind", field="kind")
    if not reason.strip():
        raise Refused(_("A notice names the rule and what broke it."), code="reason_missing", field="reason")
    if not 0 <= most_appeals <= 5:
        raise Refused(_("A platform allows between 0 and 5 appeals."), code="appeals_wrong", field="most_appeals")
    store = Store.objects.get(pk=store_id)
    terms = _terms(store, at)
    zone = ZoneInfo(store.timezone)
    today = at.astimezone(zone).date()
    effective = None
    if kind == "category":
        least, most = rules.BUFFER_DAYS
        days = days_until_effect if days_until_effect is not None else least
        if not max(least, terms.rule_notice_days.value) <= days <= most:
            raise Refused(
                _("A new rule is announced %(least)s to %(most)s days ahead (E-Commerce Law of China art. 34: 7 at least).")
                % {"least": max(least, terms.rule_notice_days.value), "most": most},
                code="buffer_wrong", field="days_until_effect",
            )  # fmt: skip
        effective = today + timedelta(days=days)
    case = _open_case(store_id, kind, reason, at=at, by=by, start="review", most_appeals=most_appeals)
    until = {
        "violation": today + timedelta(days=terms.appeal_days.value),
        "category": effective,
        "dormancy": today + timedelta(days=rules.IMPROVE_DAYS),
    }[kind]
    PlatformCase.objects.filter(pk=case.pk).update(due_at=_end_of(until, zone))
    case.due_at = _end_of(until, zone)
    _to(case, "noticed", "notice", reason, at=at, by=by)
    if kind == "violation":
        letter = replace(letter or Letter(), appeal_until=until)
        letter = replace(letter, references=letter.references or (case.reference,))
        behind = close_store.write_down(store, letter, own=case.reference, reason=reason, by=by, at=at)
        case.violations.add(*behind)
    going = queries.running_closing(store_id)
    if going is None and queries.lifecycle(store_id) in ("open", "preparing"):
        begun = close_store.start(
            store_id=store_id, scenario=_SCENARIO[kind], reason=reason, noticed_on=today if kind != "dormancy" else None,
            effective_on=effective, most_rounds=max(1, most_appeals), letter=letter, by=by, at=at,
        )  # fmt: skip
        _belongs_to(case, begun)
    elif going is not None and going.scenario == _SCENARIO[kind]:
        _belongs_to(case, going)
        if kind == "violation":
            commands.put_behind(going, behind)
            commands.refresh_days(going, at=at)
    return case


@transaction.atomic
def take_appeal(case_id: int, *, note: str, at: datetime, by: str = BY) -> PlatformCase:
    """A store appeals: in time, and not more often than it may. Raises `Refused`."""
    case = _case(case_id)
    if case.state != "noticed":
        raise Refused(_("There is no notice that waits for an appeal."), code="wrong_state")
    if case.appeals >= case.most_appeals:
        raise Refused(
            _("%(most)s appeals are allowed, and all were made.") % {"most": case.most_appeals}, code="no_more_appeals"
        )
    if case.due_at is not None and at >= case.due_at:
        raise Refused(
            _("The time to appeal ended on %(date)s: what comes later is not taken as an appeal.")
            % {"date": _last_day(case)},
            code="too_late",
        )
    if not note.strip():
        raise Refused(_("An appeal says what is wrong with the notice, and proves it."), code="note_missing", field="note")
    PlatformCase.objects.filter(pk=case.pk).update(appeals=case.appeals + 1)
    case.appeals += 1
    _to(case, "appealed", "appeal", note, at=at, by=by)
    closing = _closing_of(case)
    if closing is not None:
        _settle(closing, "appeal", Given(note=note, reference=case.reference), at=at, by=by)
    close_store.send_appeals(case.violations.all(), text=note, reference=case.reference, by=by, at=at)
    return case


@transaction.atomic
def take_in(*, at: datetime, by: str = BY) -> int:
    """The desk reads its post: requests that stores signed, appeals that they sent. What it has seen is not taken twice.

    Returns how many letters there were. What cannot be taken (too late, no round left) is noted on the case.
    """
    taken = _note_who_leaves(at=at, by=by)
    asking = Closing.objects.filter(state="running", applied_at__isnull=False, lifecycle__state="closing")
    for closing in asking.exclude(scenario="forced").select_related("store").order_by("applied_at"):
        if not queries.has_platform(closing.store):
            continue
        known = PlatformCase.objects.filter(store_id=closing.store_id, kind="request")
        if known.filter(ended_at=None).exists() or known.filter(opened_at__gte=closing.applied_at).exists():
            continue
        take_request(closing.store_id, reason=closing.reason, at=at, by=by)
        taken += 1
    for case in PlatformCase.objects.filter(state="noticed", kind="violation").order_by("pk"):
        heard = case.events.filter(what__in=("notice", "appeal_allowed")).order_by("-pk").first()
        sent = Appeal.objects.filter(violation__in=case.violations.all(), state="sent", sent_at__gte=heard.at).order_by("sent_at").first()
        if sent is None or case.events.filter(what="not_taken", pk__gt=heard.pk).exists():
            continue
        try:
            with transaction.atomic():
                take_appeal(case.pk, note=sent.text[:500], at=sent.sent_at, by=by)
        except Refused as refused:
            _note(case, "not_taken", refused.sentence, at=at, by=by)
        taken += 1
    return taken


def _note_who_leaves(*, at: datetime, by: str) -> int:
    """A store that decided by itself to leave is no longer waited for: its case about a category or dormancy ends with that word."""
    ended = 0
    waiting = PlatformCase.objects.filter(state__in=("noticed", "appealed"), kind__in=("category", "dormancy"))
    for case in waiting.select_related("store", "closing").order_by("pk"):
        of_its_own = case.closing is not None and case.closing.state in ("running", "done")
        gone = queries.lifecycle(case.store_id) in ("closed", "archived")
        if of_its_own or gone or (case.kind == "dormancy" and queries.lifecycle(case.store_id) == "closing"):
            _to(_case(case.pk), "dropped", "left", "", at=at, by=by, ended=True)
            ended += 1
    return ended


@transaction.atomic
def rule(case_id: int, *, outcome: str, note: str, at: datetime, by: str = BY) -> PlatformCase:
    """The ruling: upheld, reversed, or `again` (one more appeal). Before the time to appeal is over only on an appeal.

    Upheld while the shop is busy and buyers have open requests: the takedown waits for a quiet hour. Raises `Refused`.
    """
    case = _case(case_id)
    if outcome not in ("upheld", "reversed", "again"):
        raise Refused(_("A ruling is upheld, reversed, or allows one more appeal."), code="no_outcome", field="outcome")
    if case.state not in ("noticed", "appealed"):
        raise Refused(_("This case has been ruled on."), code="wrong_state")
    if not note.strip():
        raise Refused(_("A ruling needs its grounds."), code="note_missing", field="note")
    if case.state == "noticed" and outcome != "reversed" and case.due_at is not None and at < case.due_at:
        raise Refused(
            _("The store may appeal until %(date)s; nothing is ruled against it before.") % {"date": _last_day(case)},
            code="too_early",
        )
    if outcome == "again":
        if case.state != "appealed" or case.appeals >= case.most_appeals:
            raise Refused(
                _("%(most)s appeals are allowed, and all were made.") % {"most": case.most_appeals}, code="no_more_appeals"
            )
        zone = ZoneInfo(case.store.timezone)
        until = at.astimezone(zone).date() + timedelta(days=_terms(case.store, at).appeal_days.value)
        PlatformCase.objects.filter(pk=case.pk).update(due_at=_end_of(until, zone))
        _to(case, "noticed", "appeal_allowed", note, at=at, by=by)
        _shop_hears(case, "again", note, at=at, by=by)
        return _case(case_id)
    if outcome == "reversed":
        _to(case, "dropped", "reversed", note, at=at, by=by, ended=True)
        _shop_hears(case, "reversed", note, at=at, by=by)
        return case
    moment = takedown_moment(case.store, at=at)
    PlatformCase.objects.filter(pk=case.pk).update(due_at=moment)
    _to(case, "ruled", "upheld", note, at=at, by=by)
    _shop_hears(case, "upheld", note, at=at, by=by)
    if moment <= at:
        _execute(_case(case_id), at=at, by=by)
    else:
        _note(case, "takedown_waits", _("until %(moment)s") % {"moment": f"{moment:%Y-%m-%d %H:%M %Z}"}, at=at, by=by)
    return _case(case_id)


def takedown_moment(store: Store, *, at: datetime) -> datetime:
    """When goods may be taken down: now, or the next quiet hour while buyers have open requests in a busy one."""
    busy = rules.busy_hours(queries.orders_by_hour(store.pk, at=at))
    return rules.quiet_moment(
        at, busy, ZoneInfo(store.timezone), has_aftersales=queries.has_aftersales(store.pk)
    )


def sweep(*, at: datetime, by: str = BY) -> int:
    """Carry out what is due: takedowns in their quiet hour, stores whose notice is over. Returns how many."""
    done = 0
    for pk in PlatformCase.objects.filter(state__in=("ruled", "public_notice"), due_at__lte=at).values_list("pk", flat=True):
        try:
            with transaction.atomic():
                case = _case(pk)
                if case.state in ("ruled", "public_notice") and case.due_at <= at:
                    done += _execute(case, at=at, by=by)
        except Refused:
            continue  # the shop has not done its own steps yet; asked again at the next sweep
    return done


def _execute(case: PlatformCase, *, at: datetime, by: str) -> bool:
    """The takedown of a ruling; or the end of a store that asked for it, once its own steps are done."""
    closing = _closing_of(case)
    if case.kind == "request":
        if closing is None and queries.lifecycle(case.store_id) not in ("closed", "archived"):
            _to(case, "dropped", "dropped", _("the store's closing does not go on any more"), at=at, by=by, ended=True)
            return True
        if closing is not None:
            _settle(closing, "public_notice", Given(note=_("nobody objected")), at=at, by=by)
            expected = next(day.on for day in queries.days_of(closing, at=at) if day.code == "closed")
            if at.astimezone(ZoneInfo(case.store.timezone)).date() < expected:
                return False  # the platform takes its further days
            _settle(closing, "closed", Given(reference=case.reference), at=at, by=by)
        _to(case, "executed", "closed", "", at=at, by=by, ended=True)
        return True
    closing = closing or queries.running_closing(case.store_id)  # one that winds up already
    if closing is None or closing.state != "running":
        _to(case, "executed", "taken_down", _("the store had ended already"), at=at, by=by, ended=True)
        return True
    if closing.scenario == "forced":
        _settle(closing, "freeze", Given(note=case.reason), at=at, by=by)
    elif case.kind == "violation":
        commands.set_standing(store_id=case.store_id, to="frozen", reason=case.reason, by=by, at=at)
    _settle(closing, "count_open", Given(), at=at, by=by)
    _settle(closing, "listings_down", Given(note=case.reference), at=at, by=by)
    _to(case, "executed", "taken_down", "", at=at, by=by, ended=True)
    return True


def _closing_of(case: PlatformCase) -> Closing | None:
    """The shop's closing that is about this case, while it goes on; no other is settled by what is decided here."""
    goes_on = Closing.objects.filter(pk=case.closing_id, state__in=("threatened", "running"))
    return goes_on.select_related("store", "lifecycle").first()


def _belongs_to(case: PlatformCase, closing: Closing) -> None:
    PlatformCase.objects.filter(pk=case.pk).update(closing=closing)
    case.closing = closing


def _begin_to_end(case: PlatformCase, *, at: datetime, by: str) -> Closing | None:
    """The closing in which an upheld ruling ends a store that has none of its own for it. One that only threatened it
    gives way; None where it winds up already, or has ended."""
    scenario = _SCENARIO[case.kind]
    going = queries.running_closing(case.store_id)
    if going is not None and going.state == "threatened" and going.scenario != scenario:
        close_store.avert(going.pk, reason=_("overtaken by the ruling on %(case)s") % {"case": case.reference}, by=by, at=at)
        going = None
    if going is None and queries.lifecycle(case.store_id) in ("open", "preparing"):
        today = at.astimezone(ZoneInfo(case.store.timezone)).date().isoformat()
        going = commands.start_closing(
            store_id=case.store_id, scenario=scenario, reason=case.reason, by=by, at=at,
            params={"effective_on": today} if case.kind == "category" else None,
        )  # fmt: skip
    if going is None or going.state != "threatened":
        return None
    commands.put_behind(going, [one.pk for one in case.violations.all() if one.state not in ("lifted", "expired")])
    _belongs_to(case, going)
    return going


def _shop_hears(case: PlatformCase, outcome: str, note: str, *, at: datetime, by: str) -> None:
    """The ruling arrives in the shop: it settles the platform's step of the closing that is about this case."""
    closing = _closing_of(case)
    if closing is None and outcome == "upheld":
        closing = _begin_to_end(case, at=at, by=by)
    if closing is None or closing.state != "threatened":
        until = _case(case.pk).due_at if outcome == "again" else None
        close_store.rule_on(case.violations.all(), outcome, answer=note, until=until, by=by, at=at)
        commands.reckon_standings([case.store_id], by=by, at=at)
        return
    if case.kind == "dormancy" and outcome == "reversed":
        close_store.avert(closing.pk, reason=note, by=by, at=at)
        return
    code, word = {
        "forced": ("ruling", outcome),
        "rule_change": ("licence", {"upheld": "refused", "reversed": "granted"}.get(outcome, "")),
        "no_traffic": ("choose", {"upheld": "leave"}.get(outcome, "")),
    }.get(closing.scenario, ("", ""))
    if not word:
        return
    _close_the_way(closing, code, at=at, by=by)
    _settle(closing, code, Given(note=note, outcome=word, reference=case.reference), at=at, by=by)


def _close_the_way(closing: Closing, code: str, *, at: datetime, by: str) -> None:
    """Nobody appealed, checked or improved in time: those steps are over when the platform rules."""
    for row in ClosingStep.objects.filter(closing=closing, state="waiting").order_by("position"):
        if row.code == code:
            return
        commands.settle_step(row, what="not_needed", note=_("not done before the ruling"), at=at, by=by)


def _settle(closing: Closing, code: str, given: Given, *, at: datetime, by: str) -> None:
    row = ClosingStep.objects.filter(closing=closing, code=code, state="waiting").first()
    if row is not None:
        close_store.do_step(row.pk, given, by=by, at=max(at, queries.last_moment(closing)))


# --- Reviews ------------------------------------------------------------------------------------------------------


class Dormant(NamedTuple):
    """A store that sold next to nothing: orders of the last stretches of thirty days, oldest first."""

    store: Store
    orders: list[int]


def dormancy_review(scope: Sequence[int] | None = None, *, at: datetime) -> list[Dormant]:
    """Stores below the line for three stretches of thirty days: whom a notice of dormancy would go to."""
    found = []
    for pk in close_store.quiet_stores(at=at):
        if scope is None or pk in scope:
            months = queries.months_of(pk, at=at, months=rules.QUIET_MONTHS)
            found.append(Dormant(Store.objects.get(pk=pk), [month.orders for month in months]))
    return found


class Risk(NamedTuple):
    """Where a store stands: points in force, open cases, standing, whether it sells."""

    store: Store
    standing: str
    lifecycle: str
    points: Decimal
    open_cases: int
    is_quiet: bool

    @property
    def weight(self) -> Decimal:
        """For sorting only: standing before points before open cases."""
        return {"normal": 0, "warned": 100, "restricted": 200, "frozen": 300}[self.standing] + self.points + self.open_cases


def risk_list(scope: Sequence[int] | None = None, *, at: datetime) -> list[Risk]:
    """Stores by what the platform holds against them, the worst first; those without anything are left out."""
    quiet = set(close_store.quiet_stores(at=at))
    found = []
    for store in Store.objects.order_by("pk"):
        if scope is not None and store.pk not in scope:
            continue
        risk = Risk(
            store, queries.standing(store.pk), queries.lifecycle(store.pk), _points(store.pk, at),
            len(cases.open_cases(store.pk)), store.pk in quiet,
        )  # fmt: skip
        if risk.weight or risk.is_quiet:
            found.append(risk)
    return sorted(found, key=lambda risk: (-risk.weight, risk.store.pk))


def _points(store_id: int, at: datetime) -> Decimal:
    return Decimal(cases.points(store_id, at=at).total)


def dispute_history(scope: Sequence[int] | None = None, *, limit: int = 200) -> list[PlatformEvent]:
    """What was decided and why, newest first: rulings are made with the history in view."""
    found = PlatformEvent.objects.select_related("case", "case__store").order_by("-id")
    if scope is not None:
        found = found.filter(case__store_id__in=list(scope))
    return list(found[:limit])


def open_cases(scope: Sequence[int] | None = None) -> list[PlatformCase]:
    """The desk's list: what is not ended, what is due first on top."""
    found = PlatformCase.objects.filter(ended_at=None).select_related("store").order_by("due_at", "pk")
    return list(found if scope is None else found.filter(store_id__in=list(scope)))


# --- Inside -------------------------------------------------------------------------------------------------------


def _terms(store: Store, at: datetime) -> rules.Terms:
    return queries.terms_of(store, on=at.date())


def _end_of(day: Any, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(0), zone)


def _last_day(case: PlatformCase) -> Any:
    zone = ZoneInfo(case.store.timezone)
    return ((case.due_at or case.opened_at).astimezone(zone) - timedelta(seconds=1)).date()


def _case(case_id: int) -> PlatformCase:
    found = PlatformCase.objects.select_for_update(of=("self",)).select_related("store").filter(pk=case_id).first()
    if found is None:
        raise Refused(_("There is no such case."), code="not_found")
    return found


def _open_case(
    store_id: int, kind: str, reason: str, *, at: datetime, by: str, start: str = "received", most_appeals: int = 1
) -> PlatformCase:
    if queries.lifecycle(store_id) in ("closed", "archived"):
        raise Refused(_("This store is closed already."), code="already_closed")
    number = bulk.fetch("SELECT nextval(pg_get_serial_sequence('closing_platformcase', 'id'))")[0][0]
    try:
        with transaction.atomic():
            case = PlatformCase.objects.create(
                pk=number, store_id=store_id, kind=kind, reference=f"P{at:%y}-{number:05d}", state=start, reason=reason.strip()[:500],
                most_appeals=most_appeals, opened_at=at,
            )  # fmt: skip
    except IntegrityError:
        raise Refused(_("A case of this kind is open already for this store."), code="already_open") from None
    record_births(PLATFORM_CASE, [case.pk], start, by=by, at=at, reason=reason)
    _note(case, "opened", reason, at=at, by=by)
    return case


def _to(
    case: PlatformCase, to: str, what: str, note: str, *, at: datetime, by: str, ended: bool = False
) -> None:
    if not move(PLATFORM_CASE, [case.pk], to=to, by=by, at=at, reason=note, set_at="ended_at" if ended else "").moved:
        raise Refused(
            _("The case is “%(state)s” and cannot go there.") % {"state": commands.said(PLATFORM_CASE.words[case.state])},
            code="wrong_state",
        )
    case.state = to
    _note(case, what, note, at=at, by=by)


def _note(case: PlatformCase, what: str, note: str, *, at: datetime, by: str) -> None:
    PlatformEvent.objects.create(case=case, what=what, note=note.strip()[:500], at=at, by=by)
