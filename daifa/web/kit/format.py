"""How values look on a page: money, times, quantities, states, actors. In the reader's language; returns safe HTML or text.

Functions named `*_text` give plain text (also for exports); the others give HTML that is already escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from daifa.lib import clock
from daifa.lib.money import minor_unit

EMPTY = mark_safe('<span class="text-secondary">–</span>')

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def is_chinese() -> bool:
    return (get_language() or "").lower().startswith("zh")


def locale() -> str:
    """The Babel locale of the reader."""
    return "zh_Hans_CN" if is_chinese() else "en_GB"


# --- Money and numbers ------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _money_frame(currency: str, where: str) -> tuple[str, str, int]:
    """(before, after, decimals) of an amount of `currency`: Babel asked once, so that a list of 50 rows stays fast."""
    from babel.numbers import format_currency

    shown = format_currency(Decimal(8), currency, locale=where)
    before, after = shown.split("8", 1)
    return before, after.lstrip(".0"), max(0, -minor_unit(currency).as_tuple().exponent)


def money_text(amount: Any, currency: str | None = None) -> str:
    """`Money`, or a Decimal and its currency, as the reader writes it: ¥1,234.50, -£5.00. "" for None."""
    if amount is None:
        return ""
    if currency is None:
        amount, currency = amount.amount, amount.currency
    before, after, decimals = _money_frame(currency, locale())
    sign = "-" if amount < 0 else ""
    return f"{sign}{before}{abs(amount):,.{decimals}f}{after}"


def money(amount: Any, currency: str | None = None, *, signed: bool = False) -> SafeString:
    """Money in figures of equal width; negative amounts in red when `signed`."""
    if amount is None:
        return EMPTY
    text = money_text(amount, currency)
    value = amount if currency is not None else amount.amount
    red = " text-red" if signed and value < 0 else ""
    return format_html('<span class="num{}">{}</span>', red, text)


def quantity_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    return f"{value:,}"


def percent_text(value: Any, decimals: int = 1) -> str:
    """0.125 → 12.5 %. "" for None."""
    if value is None:
        return ""
    return f"{Decimal(value) * 100:,.{decimals}f}%"


# --- Times ------------------------------------------------------------------------------------------------------


def _here(value: datetime, zone: tzinfo | None) -> datetime:
    return value.astimezone(zone or timezone.get_current_timezone())


def date_text(value: date | datetime | None, zone: tzinfo | None = None) -> str:
    """22 Nov 2026 / 2026年11月22日."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = _here(value, zone)
    if is_chinese():
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def month_text(value: date) -> str:
    """Nov 2026 / 2026年11月."""
    return f"{value.year}年{value.month}月" if is_chinese() else f"{_MONTHS[value.month - 1]} {value.year}"


def short_text(value: datetime | None, zone: tzinfo | None = None) -> str:
    """22 Nov 05:34 / 11月22日 05:34; with the year when it is not this one."""
    if value is None:
        return ""
    value = _here(value, zone)
    this_year = value.year == _here(clock.now(), zone).year
    if is_chinese():
        day = f"{value.month}月{value.day}日" if this_year else f"{value.year}年{value.month}月{value.day}日"
    else:
        day = f"{value.day} {_MONTHS[value.month - 1]}" + ("" if this_year else f" {value.year}")
    return f"{day} {value:%H:%M}"


def exact_text(value: datetime | None, zone: tzinfo | None = None) -> str:
    """To the second, with the zone: 22 Nov 2026, 05:34:10 GMT / 2026年11月22日 05:34:10 CST."""
    if value is None:
        return ""
    value = _here(value, zone)
    comma = "" if is_chinese() else ","
    return f"{date_text(value, value.tzinfo)}{comma} {value:%H:%M:%S %Z}"


def relative_text(value: datetime | None, now: datetime | None = None) -> str:
    """"3 hours ago", "in 2 days"; beyond thirty days the date."""
    if value is None:
        return ""
    seconds = int((value - (now or clock.now())).total_seconds())
    size = abs(seconds)
    if size < 45:
        return _("just now") if seconds <= 0 else _("in a moment")
    if size < 3570:
        count = max(1, round(size / 60))
        past = ngettext("%(count)d minute ago", "%(count)d minutes ago", count)
        future = ngettext("in %(count)d minute", "in %(count)d minutes", count)
    elif size < 48 * 3600 - 1800:
        count = max(1, round(size / 3600))
        past = ngettext("%(count)d hour ago", "%(count)d hours ago", count)
        future = ngettext("in %(count)d hour", "in %(count)d hours", count)
    elif size < 30 * 86400:
        count = round(size / 86400)
        past = ngettext("%(count)d day ago", "%(count)d days ago", count)
        future = ngettext("in %(count)d day", "in %(count)d days", count)
    else:
        return date_text(value)
    return (future if seconds > 0 else past) % {"count": count}


def _time(value: datetime, shown: str, zone: tzinfo | None, css: str = "") -> SafeString:
    moment = value.astimezone(UTC).isoformat(timespec="seconds")
    exact, shown = conditional_escape(exact_text(value, zone)), conditional_escape(shown)
    return mark_safe(f'<time datetime="{moment}" title="{exact}" class="text-nowrap{css}">{shown}</time>')  # noqa: S308


def when(value: datetime | None, zone: tzinfo | None = None) -> SafeString:
    """A moment in short form; the exact time is the title."""
    return EMPTY if value is None else _time(value, short_text(value, zone), zone)


def ago(value: datetime | None, zone: tzinfo | None = None) -> SafeString:
    """How long ago (or until when); the exact time is the title."""
    return EMPTY if value is None else _time(value, relative_text(value), zone)


def due(value: datetime | None, zone: tzinfo | None = None, *, done: bool = False) -> SafeString:
    """A deadline: red when it has passed, amber within a day; plain when `done`."""
    if value is None:
        return EMPTY
    left = value - clock.now()
    if done:
        css = ""
    elif left < timedelta(0):
        css = " text-red fw-bold"
    else:
        css = " text-orange" if left < timedelta(days=1) else ""
    return _time(value, relative_text(value), zone, css)


# --- Badges, states, icons ---------------------------------------------------------------------------------------

TONES = ("neutral", "info", "progress", "success", "warning", "danger", "muted")


def badge(label: Any, tone: str = "neutral", title: str = "") -> SafeString:
    """A coloured word. `tone` is one of `TONES`."""
    return _badge(conditional_escape(label), tone, title)


@lru_cache(maxsize=1024)
def _badge(label: SafeString, tone: str, title: str) -> SafeString:
    return format_html(
        '<span class="badge {}"{}>{}</span>', f"tone-{tone if tone in TONES else 'neutral'}",
        format_html(' title="{}"', title) if title else "", label,
    )  # fmt: skip


def state_text(process: Any, state: str | None) -> str:
    """The word for `state`. `process` is a `lib.process.Process`, or the name of a table in `kit.states`."""
    from daifa.web.kit import states

    return states.word(process, state) if state else ""


def state_badge(process: Any, state: str | None) -> SafeString:
    """The coloured word for `state` of `process`."""
    from daifa.web.kit import states

    if not state:
        return EMPTY
    return badge(states.word(process, state), states.tone(process, state))


@lru_cache(maxsize=1)
def _sprite() -> str:
    from django.templatetags.static import static

    return static("vendor/icons/sprite.svg")


@lru_cache(maxsize=512)
def icon(name: str, css: str = "") -> SafeString:
    """One of the icons in static/vendor/icons/sprite.svg; decoration only, so always beside a word or a label."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>', css, _sprite(), name
    )


# --- Who ---------------------------------------------------------------------------------------------------------


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Actor strings ("user:3", "job:route_lines", "import:12") → what to call them; one query for all users."""
    from django.contrib.auth import get_user_model

    actors = set(actors)
    ids = {int(a[5:]) for a in actors if a.startswith("user:") and a[5:].isdigit()}
    users = get_user_model().objects.in_bulk(ids) if ids else {}
    return {actor: _actor(actor, users) for actor in actors}


def _actor(actor: str, users: dict[int, Any]) -> str:
    kind, _colon, rest = actor.partition(":")
    if kind == "user":
        user = users.get(int(rest)) if rest.isdigit() else None
        return (user.get_full_name() or user.get_username()) if user else _("Somebody (%(actor)s)") % {"actor": actor}
    if kind == "job":
        return _("daifa, %(job)s") % {"job": job_words().get(rest, rest.replace("_", " "))}
    if kind == "import":
        return _("Import %(number)s") % {"number": rest}
    if kind == "supplier":
        return _("Supplier %(code)s") % {"code": rest}
    if kind == "cli":
        return _("Command line")
    if kind in ("system", "daifa"):
        return "daifa"
    return actor


def job_words() -> dict[str, str]:
    """Every job and reaction that acts, as a timeline calls it, in the reader's language; a house test sees that none lacks."""
    return {
        "route_lines": _("routing"), "place_purchases": _("placing"), "read_replies": _("reading replies"),
        "dispatch": _("dispatch confirmation"), "track_parcels": _("parcel tracking"), "tell_customers": _("messages to buyers"),
        "post_to_books": _("posting to the books"), "intake": _("order intake"), "reactions": _("follow-up"),
        "route_orders": _("routing"), "draft_purchases": _("drafting purchases"),
        "submit_purchases": _("placing"), "send_runs": _("sending workbooks"), "ask_unknown": _("asking suppliers"),
        "ask_suppliers": _("asking suppliers"), "poll_tracking": _("parcel tracking"),
        "watch_parcels": _("parcel tracking"), "queue_notices": _("dispatch confirmation"),
        "send_messages": _("messages to buyers"), "invite_review": _("messages to buyers"),
        **{f"tell_{what}": _("messages to buyers") for what in
           ("order_received", "dispatched", "in_transit", "delayed", "delivered", "number_changed")},
        **{f"post_{what}": _("posting to the books") for what in
           ("orders", "purchases", "handed_over", "delivered", "refunds", "cancelled")},
        "post_lost": _("posting to the books"), "post_deposits": _("posting to the books"),
        "chase_suppliers": _("reminding suppliers"), "keep_clocks": _("watching deadlines"),
        "find_risks": _("looking for risks"), "gather_packs": _("gathering evidence"), "judge": _("looking at texts"),
        "screen_texts": _("looking at texts"), "keep_closings": _("closing stores"), "keep_standings": _("reckoning standings"),
        "keep_retention": _("keeping buyers' data no longer than needed"), "measure_months": _("measuring stores"),
        "read_photos": _("reading photos"), "check_complaint_photos": _("reading photos"), "sample_factories": _("factories of the sample shop"),
        "send_listings": _("publishing"), "watch_listings": _("publishing"), "follow_infringements": _("publishing"),
        "watch_cases": _("watching cases"), "watch_rules": _("watching the rules"), "work": _("working once, by hand"), "count": _("counting"),
    }  # fmt: skip


def safe(value: Any) -> SafeString:
    return conditional_escape(value)
