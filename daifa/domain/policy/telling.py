"""Says rules in the reader's language: lines, units, fields, standing. Words only; nothing is decided here."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.policy import book as books
from daifa.domain.policy import rules
from daifa.domain.policy.rules import Change, Gate, Rule, Words
from daifa.lib.commas import listed

UNIT_WORDS = {
    "percent": ("%", "%"), "percentage_point": ("percentage points", "个百分点"), "count": ("", "次"), "point": ("points", "分"),
    "score": ("", "分"), "multiple": ("times", "倍"), "clock_hour": ("o'clock", "点"), "hour": ("hours", "小时"), "day": ("days", "天"),
    "working_day": ("working days", "个工作日"), "business_day": ("business days", "个营业日"), "month": ("months", "个月"),
    "year": ("years", "年"), "date": ("", ""),
}  # fmt: skip
SIGNS = {">": ">", ">=": "≥", "<": "<", "<=": "≤"}

FIELD_WORDS = {
    "kind": N_("kind"),
    "metric": N_("metric"),
    "comparison": N_("comparison"),
    "threshold": N_("line"),
    "unit": N_("unit"),
    "window_days": N_("window in days"),
    "gate": N_("only together with"),
    "applies_when": N_("applies when"),
    "floor": N_("at least"),
    "cap": N_("at most"),
    "currency": N_("currency"),
    "consequence": N_("what follows"),
    "effective": N_("in force from"),
    "confidence": N_("confidence"),
    "status": N_("status"),
    "verdict": N_("acts or informs"),
    "source": N_("source"),
    "source_kind": N_("kind of source"),
    "as_of": N_("date of the text"),
    "note": N_("note"),
}


def chinese() -> bool:
    return (get_language() or "").startswith("zh")


def field(name: str) -> str:
    return _(FIELD_WORDS[name]) if name in FIELD_WORDS else name


def metric(name: str) -> str:
    known = books.metrics().get(name)
    return str(known.words) if known else name


def kind(code: str) -> str:
    english, of_chinese = rules.KINDS[code]
    return of_chinese if chinese() else english


def channel(name: str, titles: dict[str, Words]) -> str:
    return str(titles[name]) if name in titles else name


def figure(value: Any) -> str:
    """4, 0.25, 2026-02-15: without the zeros a file may carry."""
    if not isinstance(value, Decimal):
        return str(value)
    return f"{value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize():,f}"


def measured(value: Any, unit: str | None) -> str:
    """A figure with its unit: 4 %, 48 hours, 500 CNY."""
    english, of_chinese = UNIT_WORDS.get(unit or "date", (unit, unit))
    word = of_chinese if chinese() else english
    return f"{figure(value)} {word}".strip()


def line(rule: Rule) -> str:
    """What triggers it: "≥ 4 %", "2–5 days", "when it happens"."""
    if rule.comparison == "occurs":
        return _("when it happens")
    if rule.comparison == "missing":
        return _("when it is missing")
    if rule.comparison == "between":
        low, high = rule.threshold  # type: ignore[misc]
        return f"{figure(low)}–{measured(high, rule.unit)}"
    return f"{SIGNS.get(rule.comparison, '')} {measured(rule.threshold, rule.unit)}".strip()


def whole_line(rule: Rule) -> str:
    """The line with its window, its gate and its bounds in one sentence part."""
    parts = [line(rule)]
    if rule.window_days:
        parts.append(ngettext("in %(days)s day", "in %(days)s days", rule.window_days) % {"days": rule.window_days})
    if rule.gate:
        parts.append(_("and %(condition)s") % {"condition": gate(rule.gate)})
    if rule.applies_when:
        parts.append(_("if %(condition)s") % {"condition": gate(rule.applies_when)})
    if rule.floor is not None:
        parts.append(_("at least %(amount)s") % {"amount": measured(rule.floor, rule.currency)})
    if rule.cap is not None:
        parts.append(_("at most %(amount)s") % {"amount": measured(rule.cap, rule.currency)})
    return listed(parts, comma="，")


def sentence(rule: Rule) -> str:
    """What is measured, from where on, and what follows: "months after the end < 3 months: Deposit not yet returned"."""
    measured_by = metric(rule.metric) if rule.comparison == "occurs" else f"{metric(rule.metric)} {line(rule)}"
    return f"{measured_by}{'：' if chinese() else ': '}{rule.consequence}"


def gate(one: Gate) -> str:
    return f"{metric(one.metric)} {SIGNS[one.comparison]} {figure(one.threshold)}"


def acts(rule: Rule) -> str:
    return _("acts") if rule.acts else _("informs")


def confidence(rule: Rule) -> str:
    return _(rules.CONFIDENCES[rule.confidence])


def source_kind(rule: Rule) -> str:
    return _(rules.SOURCE_KINDS[rule.source_kind])


def status(rule: Rule) -> str:
    return _(rules.STATUSES[rule.status]) if rule.status else ""


def value(rule: Rule | None, name: str) -> str:
    """A field of a rule for people; "" where there is none."""
    if rule is None:
        return ""
    found = getattr(rule, name)
    if name == "verdict":
        return acts(rule)
    if found is None:
        return ""
    if name in ("threshold", "comparison", "unit"):
        return line(rule)
    if name in ("gate", "applies_when"):
        return gate(found)
    if name == "kind":
        return kind(found)
    if name == "metric":
        return metric(found)
    if name == "confidence":
        return confidence(rule)
    if name == "status":
        return status(rule)
    if name in ("floor", "cap"):
        return measured(found, rule.currency)
    return figure(found)


def change_words(change: Change) -> list[tuple[str, str, str]]:
    """(field, before, after) of a change; a new or ended rule is one line of its own."""
    if change.before is None:
        return [(_("new rule"), "", whole_line(change.rule))]
    if change.after is None:
        return [(_("ends"), whole_line(change.rule), "")]
    shown: dict[str, tuple[str, str, str]] = {}
    for name in change.fields:
        # Comparison, threshold and unit are one line to a reader.
        as_one = "threshold" if name in ("comparison", "unit") else name
        shown[as_one] = (field(as_one), value(change.before, as_one), value(change.after, as_one))
    return [one for one in shown.values() if one[1] != one[2]] or [(_("wording"), "", "")]
