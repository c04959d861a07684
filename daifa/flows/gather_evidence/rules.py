"""The text of the rules as they read on the day."""

from __future__ import annotations

from django.utils.translation import gettext as _

from daifa.domain.policy import queries as policy
from daifa.flows.gather_evidence.draft import Draft, Section
from daifa.flows.gather_evidence.writing import json_bytes, safe_name


def tell_rules(draft: Draft) -> None:
    if not draft.rules:
        return
    section = Section(_("The rules as they read then"))
    for rule_id, on in sorted(draft.rules.items()):
        try:
            rule = policy.rule(rule_id, on=on, store_id=draft.store.pk)
        except KeyError:
            draft.gaps.append(_("The rule book has no rule %(rule)s.") % {"rule": rule_id})
            continue
        told = {
            "id": rule.id, "channel": rule.channel, "kind": rule.kind, "metric": rule.metric, "comparison": rule.comparison,
            "threshold": rule.threshold, "unit": rule.unit, "consequence": rule.consequence._asdict(), "note": rule.note._asdict(),
            "source": rule.source, "source_kind": rule.source_kind, "as_of": rule.as_of, "effective": rule.effective, "read_on": rule.read_on,
            "confidence": rule.confidence, "on": on, "acts": rule.acts,
        }  # fmt: skip
        draft.add(f"rules/{safe_name(rule.id)}.json", json_bytes(told), _("a rule as it read on %(day)s") % {"day": on})
        section.facts += [
            (_("Rule"), rule.id),
            (_("On"), str(on)),
            (_("What follows"), str(rule.consequence)),
            (_("Says"), str(rule.note)),
            (_("Source"), f"{rule.source} ({rule.as_of or '–'})"),
        ]
    draft.sections.append(section)
