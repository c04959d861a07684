"""Signs of selling without a source, the orders behind them, and the plans: with orders coming in, or with none yet."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.http import Http404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from daifa.domain.cases import queries as cases
from daifa.domain.compliance import risk_commands, risk_queries
from daifa.domain.compliance.models import LEVELS, PlanStep, Risk
from daifa.domain.compliance.process import PLAN_STEP, RISK
from daifa.domain.compliance.signals import (
    BY_KIND,
    REMEDIES,
    SIGNALS,
    STEPS,
    WITHOUT_ORDERS,
    affiliate_answers,
)
from daifa.domain.shipping.rules import terms
from daifa.domain.sourcing.models import Supplier
from daifa.domain.sourcing.queries import supplier_with_id
from daifa.flows import find_risks, find_substitutes, switch_suppliers
from daifa.flows.check_parcels import read_issued_numbers
from daifa.lib.commas import listed
from daifa.lib.money import Money
from daifa.lib.refusal import Refused
from daifa.lib.sentences import joined
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    Kpi,
    KpiPanel,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    PanelPage,
    Scope,
    TablePanel,
    after,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places
from daifa.web.pages.parcel_checks import KINDS as TRACES
from daifa.web.pages.parcel_checks import trace_words
from daifa.web.pages.rule_links import rule_link, rule_title

TONES = {"hint": "info", "warn": "warning", "act": "danger"}
LEVEL_WORDS = {"hint": gettext_lazy("hint"), "warn": gettext_lazy("warning"), "act": gettext_lazy("serious")}


def _side() -> int:
    return int((get_language() or "").lower().startswith("zh"))


def _capital(words: tuple[str, str]) -> str:
    text = words[_side()]
    return text[:1].upper() + text[1:]


def signal_words(kind: str) -> str:
    return _capital(BY_KIND[kind].words)


def step_words(kind: str) -> str:
    return _capital(STEPS[kind])


def _seen(row: dict[str, Any]) -> str:
    """What was seen; traces in the reader's words: "a card: 拼多多"."""
    if row["thing_kind"] not in ("parcel_check", "aftersale_case", "complaint"):
        return row["seen"]
    found, platforms = [], {one.platform for one in terms()}
    for trace in row["seen"].split(", "):
        kind, _space, rest = trace.partition(" ")
        platform, _space, term = rest.partition(" ")
        found.append((kind, term if platform in platforms else rest) if kind in TRACES else (trace, ""))
    return trace_words(found)


def _level(risk: Risk) -> Badge:
    return Badge(LEVEL_WORDS[risk.level], TONES[risk.level])


def _measured(risk: Risk) -> str:
    """How much of it: "3 of 40 orders (7.5 %)", "4 kinds of goods"."""
    one = BY_KIND[risk.kind]
    if one.unit == "groups":
        return ngettext("%(n)d kind of goods", "%(n)d kinds of goods", risk.count) % {"n": risk.count}
    if one.unit == "%" and risk.base:
        share = (Decimal(100) * risk.count / risk.base).quantize(Decimal("0.1"))
        return _("%(n)d of %(base)d orders (%(share)s %%)") % {"n": risk.count, "base": risk.base, "share": share}
    return ngettext("%(n)d order", "%(n)d orders", risk.count) % {"n": risk.count}


def _line(risk: Risk) -> str:
    one = BY_KIND[risk.kind]
    line = f"{risk.line.normalize():f}"
    words = {"%": _("serious from %(line)s %%"), "orders": _("serious from %(line)s"), "groups": _("serious from %(line)s")}
    return words[one.unit] % {"line": line}


def _rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[Risk]:
    return risk_queries.risk_page(
        scope.store_ids, state=filters.get("state"), kind=filters.get("kind"), cursor=cursor, limit=limit
    )


RISKS = ListPage(
    title=gettext_lazy("No-source risk"),
    intro=gettext_lazy("Signs by which a platform takes a store for one without a source, counted from your own data. Put right the cause: nothing here makes a sign disappear while it stays."),
    order=risk_queries.NEWEST,
    rows=_rows,
    columns=[
        Column("kind", gettext_lazy("Sign"), value=lambda risk: signal_words(risk.kind), link=True, wrap=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("level", gettext_lazy("How serious"), "badge", value=_level),
        Column("count", gettext_lazy("How much"), value=_measured, hint=_line),
        Column("state", gettext_lazy("State"), "state", states=RISK),
        Column("found_at", gettext_lazy("Since"), "datetime"),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: states.choices(RISK), tabs=True),
        Choice("kind", gettext_lazy("Sign"), lambda scope: [(one.kind, signal_words(one.kind)) for one in SIGNALS]),
    ],
    actions=lambda scope: [
        ActionButton(_("Count again"), reverse("web:risks_count"), "refresh", reason=scope.why_not("operate")),
        LinkButton(_("Issued waybills"), reverse("web:platform_waybills"), "file-import", reason=scope.why_not("operate")),
        LinkButton(_("Plan"), reverse("web:no_source_plan"), "checklist", "primary"),
    ],
    row_url=lambda risk: reverse("web:risk", args=[risk.pk]),
    empty=lambda scope: EmptyPanel(
        _("No sign was found"),
        _("Orders, parcels, photos and complaints are counted every hour."),
        icon="circle-check",
    ),
)  # fmt: skip


@page("operate", methods=("POST",))
def count_again(request, scope: Scope):
    found = find_risks.find_risks(at=scope.at, by=scope.by, stores=scope.store_ids)
    number = found["new"] + found["kept"]
    return after(
        request, reverse("web:risks"),
        ngettext("%(n)d sign stands now.", "%(n)d signs stand now.", number) % {"n": number},
    )  # fmt: skip


# --- One ----------------------------------------------------------------------------------------------------------


def _remedies(risk: Risk, scope: Scope) -> Panel:
    supplier = next(iter(risk_queries.suppliers_behind(risk.pk)), None)
    links = {
        "agreement": reverse("web:supplier_agreement", args=[supplier[0]]) if supplier else reverse("web:suppliers"),
        "substitute": reverse("web:substitutes", args=[supplier[0]]) if supplier else reverse("web:suppliers"),
        "waybills": reverse("web:platform_waybills"),
        "samples": reverse("web:sample_add_supplier", args=[supplier[0]]) if supplier else reverse("web:sample_add"),
        "origin": reverse("web:supplier", args=[supplier[0]]) if supplier else reverse("web:suppliers"),
        "focus": places.place("catalogue"),
    }
    return TablePanel(
        _("What helps"),
        [Column("words", _("Remedy"), link=True, wrap=True)],
        [{"words": _capital(REMEDIES[code]), "url": links[code]} for code in BY_KIND[risk.kind].remedies],
        row_url=lambda row: row["url"],
    )


def _risk_panels(risk: Risk, scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    if risk.note == find_risks.PLANNED:
        panels.append(
            NotePanel(_("The steps that help are planned."), actions=[LinkButton(_("Plan"), reverse("web:no_source_plan"), "checklist")])
        )
    elif risk.note:
        panels.append(NotePanel(risk.note, title=states.word(RISK, risk.state)))
    panels.append(_remedies(risk, scope))
    panels.append(
        TablePanel(
            _("Behind it"),
            [
                Column("order_number", _("Order"), "code", url=lambda row: places.order(row["order_id"])),
                Column("seen", _("Seen"), value=_seen, wrap=True, url=lambda row: places.of_thing(row["thing_kind"], row["thing"])),
                Column("supplier_name", _("Supplier"),
                       url=lambda row: reverse("web:supplier", args=[row["supplier_id"]]) if row["supplier_id"] else None),
                Column("at", _("When"), "datetime"),
            ],
            risk_queries.behind(risk.pk),
            empty=_("It is not counted any more."),
        )
    )  # fmt: skip
    return panels


def _why_not_settle(risk: Risk, scope: Scope) -> str | None:
    return scope.why_not("operate", risk.store_id) or (_("It is not counted any more.") if risk.state == "gone" else None)


RISK_PAGE = DetailPage(
    load=lambda scope, pk: risk_queries.risk_detail(scope.all_store_ids, pk),
    store_id="store_id",
    title=lambda risk, scope: signal_words(risk.kind),
    back=(gettext_lazy("No-source risk"), lambda: reverse("web:risks")),
    badges=lambda risk, scope: [_level(risk), Badge(states.word(RISK, risk.state), states.tone(RISK, risk.state))],
    actions=lambda risk, scope: [
        ActionButton(_("Plan what helps"), reverse("web:risk_plan", args=[risk.pk]), "checklist", "primary",
                     reason=_why_not_settle(risk, scope)),
        LinkButton(_("Settle"), reverse("web:risk_settle", args=[risk.pk]), "pencil", reason=_why_not_settle(risk, scope)),
    ],
    facts=lambda risk, scope: [
        Fact(_("How much"), _measured(risk), hint=_line(risk)),
        Fact(_("Counted over"), _("%(n)d days") % {"n": BY_KIND[risk.kind].days}),
        Fact(_("Rule"), rule_link(risk.rule) or _("daifa's own line")),
        *([Fact(_("Kinds of goods"), risk.params["groups"])] if "groups" in risk.params else []),
        Fact(_("Found"), risk.found_at, "datetime", store_id=risk.store_id),
        Fact(_("Counted last"), risk.seen_at, "datetime", store_id=risk.store_id),
    ],
    panels=_risk_panels,
)  # fmt: skip


@page("operate", methods=("POST",))
def plan_risk(request, scope: Scope, pk: int):
    risk = risk_queries.risk_detail(scope.all_store_ids, pk)
    if risk is None:
        raise Http404
    planned = find_risks.begin_plan(risk_id=pk, by=scope.by, at=scope.at)
    return after(
        request, reverse("web:no_source_plan"),
        ngettext("%(n)d step is planned.", "%(n)d steps are planned.", len(planned)) % {"n": len(planned)}
        if planned else _("These steps are planned already."),
    )  # fmt: skip


class SettleForm(forms.Form):
    state = forms.ChoiceField(
        label=gettext_lazy("What it is"),
        choices=[("explained", gettext_lazy("it has an explanation")), ("acted", gettext_lazy("a remedy is begun"))],
    )
    note = forms.CharField(label=gettext_lazy("Which"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


def _settle(scope: Scope, risk: Risk, data: dict[str, Any], *, by: str, at: Any) -> str:
    find_risks.settle_risk(risk_id=risk.pk, state=data["state"], note=data["note"], by=by, at=at)
    return reverse("web:risk", args=[risk.pk])


SETTLE = FormPage(
    title=lambda risk, scope: _("Settle: %(sign)s") % {"sign": signal_words(risk.kind)},
    form=SettleForm,
    load=lambda scope, pk: risk_queries.risk_detail(scope.whole.all_store_ids, pk),
    store_id="store_id",
    save=_settle,
    success=gettext_lazy("Noted. It stays counted and opens again when there is more of it."),
    back=lambda risk: (signal_words(risk.kind), reverse("web:risk", args=[risk.pk])),
)

ROWS_TOLD = 10  # of a file, each with its reason
# --- Issued waybills ----------------------------------------------------------------------------------------------


def _waybill_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class WaybillForm(forms.Form):
        store = forms.ChoiceField(label=gettext_lazy("Store"), choices=[(str(one.id), one.name) for one in scope.stores])
        file = forms.FileField(
            label=gettext_lazy("File"), help_text=gettext_lazy("CSV or a workbook: order number in the first column, waybill number in the second."),
        )  # fmt: skip

    return WaybillForm


def _save_waybills(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: Any) -> str:
    store = scope.require(int(data["store"]), "operate")
    new, refused = read_issued_numbers(
        store_id=store.id, name=data["file"].name, content=data["file"].read(), by=by, at=at
    )
    if refused:
        told = " ".join(_("Row %(row)d: %(sentence)s") % {"row": one.row, "sentence": one.sentence()} for one in refused[:ROWS_TOLD])
        raise Refused(
            _("%(new)d numbers were recorded, %(n)d rows were not.") % {"new": new, "n": len(refused)} + f" {told}",
            code="rows_refused", field="file",
        )  # fmt: skip
    return reverse("web:risks")


WAYBILLS = FormPage(
    title=gettext_lazy("Waybills the platform issued"),
    form=_waybill_form,
    load=lambda scope: True,
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None},
    save=_save_waybills,
    submit=gettext_lazy("Read"),
    success=gettext_lazy("Recorded. Parcels under these numbers count as sent with the platform's own e-waybill."),
    intro=gettext_lazy("Export the e-waybills from the platform's back office and read them in: that is how daifa knows which parcels went out under them."),
    back=(gettext_lazy("No-source risk"), lambda: reverse("web:risks")),
)  # fmt: skip

# --- The plan -----------------------------------------------------------------------------------------------------


def _step_columns() -> list[Column]:
    return [
        Column("kind", _("Step"), value=lambda row: step_words(row["kind"]), link=True, wrap=True, hint=lambda row: row["supplier_name"] or ""),
        Column("store_id", _("Store"), "store", when_many_stores=True),
        Column("state", _("State"), "state", states=PLAN_STEP),
        Column("note", _("Note"), wrap=True),
        Column("moved_at", _("Since"), "datetime"),
    ]


ELIGIBLE = {
    "followers": gettext_lazy("at least %(n)d followers"),
    "adult": gettext_lazy("of age, with the real name confirmed"),
    "clean": gettext_lazy("no violation on record"),
}


def _eligibility(scope: Scope) -> Panel:
    rows = []
    violations = cases.violations_that_count(scope.store_ids)  # a clean record is not what is ticked but what is true
    for store in (one for one in scope.stores if one.id in set(scope.store_ids) and one.kind == "marketplace"):
        check = risk_queries.affiliate_check(store.id)
        line = risk_queries.followers_line(store.channel, on=scope.at.astimezone(scope.zone(store.id)).date(), store_id=store.id)
        known = violations.get(store.id, 0)
        missing = (
            list(affiliate_answers(check.followers, is_adult=check.is_adult, is_clean=check.is_clean and not known, needed=line.needed))
            if check else None
        )
        rows.append({"store": store.name, "check": check, "missing": missing, "line": line, "known": known})
    return TablePanel(
        _("May the account earn commission?"),
        [
            Column("store", _("Store")),
            Column("followers", _("Followers"), "quantity", value=lambda row: row["check"].followers if row["check"] else None),
            Column("line", _("Needed"), "quantity", value=lambda row: row["line"].needed,
                   hint=lambda row: "" if row["line"].needed is None else rule_title(row["line"].rule) if row["line"].acts
                   else _("%(rule)s, not confirmed") % {"rule": rule_title(row["line"].rule)},
                   url=lambda row: places.place("rule", row["line"].rule) if row["line"].rule else None),
            Column("verdict", "", "badge", value=lambda row: Badge(_("not looked up yet"), "muted") if row["missing"] is None
                   else Badge(_("still missing"), "warning") if row["missing"] else Badge(_("may apply"), "success")),
            Column("missing", _("What is missing"), wrap=True,
                   value=lambda row: listed(str(ELIGIBLE[one]) % {"n": row["line"].needed or 0} for one in row["missing"] or ()),
                   hint=lambda row: ngettext("%(n)d violation is recorded here", "%(n)d violations are recorded here", row["known"])
                   % {"n": row["known"]} if row["known"] else ""),
            Column("at", _("Looked up"), "datetime", value=lambda row: row["check"].at if row["check"] else None),
        ],
        rows,
        empty=_("There is no store on a marketplace."),
        actions=[LinkButton(_("Look up"), reverse("web:affiliate_check"), "checklist", reason=scope.why_not("operate"))],
    )  # fmt: skip


def _links(scope: Scope) -> Panel:
    return TablePanel(
        _("Commission links"),
        [
            Column("name", _("What it sells"), link=True, hint="url", wrap=True),
            Column("store_id", _("Store"), "store", when_many_stores=True),
            Column("percent", _("Commission"), value=lambda row: f"{row['percent'].normalize():f} %" if row["percent"] is not None else "–"),
            Column("posts", _("Posts"), "quantity"),
            Column("orders", _("Orders"), "quantity"),
            Column("amount", _("Earned"), "money", value=lambda row: Money(row["amount"], row["currency"]) if row["amount"] is not None else None),
        ],
        risk_queries.affiliate_links(scope.store_ids),
        row_url=lambda row: reverse("web:affiliate_link", args=[row["id"]]),
        empty=_("No commission link is recorded yet."),
        actions=[LinkButton(_("Add a link"), reverse("web:affiliate_link_add"), "plus", reason=scope.why_not("operate"))],
    )  # fmt: skip


def _unconfirmed(scope: Scope) -> list[Panel]:
    """A line of followers that only informs is said to be no more than that, with the way to confirm it."""
    lines = [
        risk_queries.followers_line(store.channel, on=scope.at.astimezone(scope.zone(store.id)).date(), store_id=store.id)
        for store in scope.stores if store.id in set(scope.store_ids) and store.kind == "marketplace"
    ]  # fmt: skip
    rules = sorted({line.rule for line in lines if line.rule and not line.acts})
    return [
        NotePanel(
            _("The line of followers (%(rules)s) is not confirmed by the platform's text: look it up there, and enter what you read in the rule book.")
            % {"rules": listed(f"“{rule_title(rule)}”" for rule in rules)},
            tone="info",
            actions=[LinkButton(_("Enter what you read"), reverse("web:rule_override", args=[rule]), "pencil") for rule in rules[:3]],
        )
    ] if rules else []  # fmt: skip


def _earned(scope: Scope) -> list[Panel]:
    return [
        KpiPanel([
            Kpi(_("Commission this month"), fmt.money_text(one.this_month, one.currency), scope.store(one.store_id).name, icon="coin"),
            Kpi(_("Commission in all"), fmt.money_text(one.amount, one.currency), _("in the books as income"), icon="book-2"),
            Kpi(_("Orders by links"), fmt.quantity_text(one.orders), "", icon="shopping-cart"),
            Kpi(_("Posts"), fmt.quantity_text(one.posts), "", icon="message-2"),
        ])
        for one in risk_queries.affiliate_earned(scope.store_ids, on=scope.at.astimezone(scope.zone()).date())[:5]
    ]  # fmt: skip


def _plan(request: Any, scope: Scope) -> list[Panel]:
    return [
        TablePanel(
            _("Orders are coming in"),
            _step_columns(),
            risk_queries.steps_of(scope.store_ids, "orders"),
            row_url=lambda row: reverse("web:plan_step", args=[row["id"]]),
            empty=_("Nothing is planned. Open a risk and plan what helps; or add a step."),
            note=_("Agree with the present supplier; if he does not, find a substitute factory, check a sample and switch."),
            actions=[LinkButton(_("Add a step"), reverse("web:plan_step_add"), "plus", reason=scope.why_not("operate"))],
        ),
        TablePanel(
            _("No orders yet"),
            _step_columns(),
            risk_queries.steps_of(scope.store_ids, "no_orders"),
            row_url=lambda row: reverse("web:plan_step", args=[row["id"]]),
            empty=_("Nothing is planned."),
            note=_("Earn commission on others' goods in posts and videos: nothing to ship, no after-sales, no money advanced."),
            actions=[ActionButton(_("Plan this way"), reverse("web:plan_affiliate"), "checklist", reason=scope.why_not("operate"))],
        ),
        *_unconfirmed(scope),
        _eligibility(scope),
        *_earned(scope),
        _links(scope),
    ]  # fmt: skip


PLAN = PanelPage(
    title=gettext_lazy("Out of selling without a source"),
    intro=gettext_lazy("Two situations, two ways. Each step stands here with its state."),
    panels=_plan,
    actions=lambda scope: [LinkButton(_("Signs"), reverse("web:risks"), "alert-triangle")],
)


@page("operate", methods=("POST",))
def plan_affiliate(request, scope: Scope):
    planned = []
    for store in (one for one in scope.stores if one.id in set(scope.store_ids) and one.kind == "marketplace"):
        planned += risk_commands.plan_steps(
            store_id=store.id, steps=[risk_commands.Step(kind) for kind in WITHOUT_ORDERS], by=scope.by, at=scope.at
        )
    return after(
        request, reverse("web:no_source_plan"),
        ngettext("%(n)d step is planned.", "%(n)d steps are planned.", len(planned)) % {"n": len(planned)} if planned else None,
        refused=[] if planned else [_("These steps are planned already, or there is no store on a marketplace.")],
    )  # fmt: skip


def _step_form(scope: Scope, step: PlanStep) -> type[forms.Form]:
    class StepForm(forms.Form):
        state = forms.ChoiceField(
            label=gettext_lazy("State"), choices=[(one, states.word(PLAN_STEP, one)) for one in PLAN_STEP.next(step.state)]
        )
        note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 3}))

    return StepForm


def _save_step(scope: Scope, step: PlanStep, data: dict[str, Any], *, by: str, at: Any) -> str:
    risk_commands.move_step(step_id=step.pk, state=data["state"], note=data["note"], by=by, at=at)
    return reverse("web:no_source_plan")


def _step_panels(scope: Scope, step: PlanStep) -> list[Panel]:
    if step.kind == "sample_order":
        return [
            NotePanel(
                _("Done by itself once a sample has passed."),
                actions=[
                    LinkButton(_("Order a sample"), reverse("web:sample_add"), "package", "primary", reason=scope.why_not("operate", step.store_id)),
                    LinkButton(_("Samples"), reverse("web:samples"), "list"),
                ],
            )
        ]  # fmt: skip
    if step.kind == "switch":
        return _switch_panels(scope, step)
    if step.supplier_id is None:
        return []
    return [
        NotePanel(
            _("Supplier: %(name)s") % {"name": step.supplier.name},
            actions=[
                LinkButton(_("Record the agreement"), reverse("web:supplier_agreement", args=[step.supplier_id]), "file-text"),
                LinkButton(_("Who could take over"), reverse("web:substitutes", args=[step.supplier_id]), "switch-horizontal"),
            ],
        )
    ]


def _switch_panels(scope: Scope, step: PlanStep) -> list[Panel]:
    """Good by good who could take over, what he lacks, and letting him be asked first."""
    if step.state not in ("todo", "doing"):
        return []
    goods = switch_suppliers.goods_to_switch([step.store_id], at=scope.at)
    if not goods:
        return [NotePanel(_("Who is to be replaced is not planned: add the step “look for a substitute factory” with his name, and this one ends by itself."))]
    still = [good for good in goods if not good.is_switched]
    takers = _takers(goods)
    return [
        TablePanel(
            _("Who takes over"),
            [
                Column("name", _("Supplier"), wrap=True, url=lambda one: places.of_thing("supplier", one.of.supplier_id), value=lambda one: one.of.supplier,
                       hint=lambda one: _("asked first for %(first)s of %(linked)s goods") % {"first": one.first, "linked": one.linked}),
                Column("how", _("How far"), "badges", wrap=True, value=_how_far, hint=lambda one: one.of.why_not),
            ],
            takers,
            empty=_("Nobody else is linked to these goods. Import price lists of other factories, or link their offers in the catalogue."),
            note=_("Done by itself once each of these goods is asked first of a supplier who may ship for this store and whose last sample passed."),
            actions=[
                ActionButton(
                    _("Ask %(supplier)s first") % {"supplier": one.of.supplier}, reverse("web:plan_step_switch", args=[step.pk]), "switch-horizontal", "primary",
                    fields={"supplier": one.of.supplier_id}, reason=scope.why_not("operate", step.store_id) or scope.why_not_shared("operate"),
                    confirm=_("He is asked first for all these goods he is linked to, in every store that sells them. Go on?"),
                )
                for one in takers if one.of.is_ready and one.first < one.linked
            ],
        ),
        TablePanel(
            _("Goods that are not switched yet"),
            [
                Column("sku", _("Goods"), "code", wrap=True, hint="title", url=lambda good: places.place("variant", good.variant_id)),
                Column("linked", _("Linked"), wrap=True, value=lambda good: listed(one.supplier for one in good.candidates) or _("nobody is linked yet")),
            ],
            still[:GOODS_SHOWN],
            note=_("%(shown)s of %(all)s are shown.") % {"shown": GOODS_SHOWN, "all": len(still)} if len(still) > GOODS_SHOWN else "",
        ),
    ]  # fmt: skip


GOODS_SHOWN = 20


class Taker(NamedTuple):
    """A supplier who could take over: as he stands for one of the goods, to how many he is linked, for how many asked first."""

    of: switch_suppliers.Candidate
    linked: int
    first: int


def _takers(goods: Sequence[switch_suppliers.Good]) -> list[Taker]:
    found: dict[int, list[switch_suppliers.Candidate]] = {}
    for good in goods:
        for one in good.candidates:
            found.setdefault(one.supplier_id, []).append(one)
    takers = [Taker(of[0], len(of), sum(one.is_first for one in of)) for of in found.values()]
    return sorted(takers, key=lambda one: (not one.of.is_ready, -one.linked, one.of.supplier))


def _how_far(one: Taker) -> list[Badge]:
    return [
        Badge(_("may ship"), "success") if not one.of.why_not else Badge(_("may not ship"), "warning"),
        {"passed": Badge(_("sample passed"), "success"), "failed": Badge(_("sample failed"), "danger")}.get(one.of.sample) or Badge(_("no sample yet"), "warning"),
        Badge(_("asked first"), "success") if one.first == one.linked else Badge(_("not asked first"), "muted"),
    ]  # fmt: skip


@page("operate", methods=("POST",))
def switch(request, scope: Scope, pk: int):
    step = risk_queries.step_of(scope.whole.all_store_ids, pk)
    if step is None:
        raise Http404
    scope.whole.require(step.store_id, "operate")
    scope.whole.require_shared("operate")
    chosen = request.POST.get("supplier", "")
    url = reverse("web:plan_step", args=[pk])
    try:
        count = switch_suppliers.ask_first(store_id=step.store_id, supplier_id=int(chosen) if chosen.isdigit() else 0, by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, url, refused=[refused.sentence])
    return after(request, url, ngettext("He is asked first for %(n)d good.", "He is asked first for %(n)d goods.", count) % {"n": count})


STEP = FormPage(
    title=lambda step, scope: step_words(step.kind),
    form=_step_form,
    load=lambda scope, pk: risk_queries.step_of(scope.whole.all_store_ids, pk),
    store_id="store_id",
    initial=lambda scope, step: {"note": step.note},
    save=_save_step,
    panels=_step_panels,
    success=gettext_lazy("Saved."),
    back=lambda step: (_("Out of selling without a source"), reverse("web:no_source_plan")),
)


def _new_step_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class NewStepForm(forms.Form):
        store = forms.ChoiceField(label=gettext_lazy("Store"), choices=[(str(one.id), one.name) for one in scope.stores])
        kind = forms.ChoiceField(label=gettext_lazy("Step"), choices=[(kind, step_words(kind)) for kind in STEPS])
        supplier = forms.ModelChoiceField(
            label=gettext_lazy("Supplier"), queryset=Supplier.objects.exclude(state="ended").order_by("name"), required=False,
            help_text=gettext_lazy("With whom to agree, or who is to be replaced."),
        )  # fmt: skip
        note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=500)

    return NewStepForm


def _add_step(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: Any) -> str:
    store = scope.require(int(data["store"]), "operate")
    about = data["supplier"].pk if data["supplier"] and data["kind"] in ("negotiate", "substitute") else None
    made = risk_commands.plan_steps(store_id=store.id, steps=[risk_commands.Step(data["kind"], about, data["note"])], by=by, at=at)
    if not made:
        raise Refused(_("This step is planned already."), code="known", field="kind")
    return reverse("web:no_source_plan")


ADD_STEP = FormPage(
    title=gettext_lazy("Add a step"),
    form=_new_step_form,
    load=lambda scope: True,
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None},
    save=_add_step,
    success=gettext_lazy("Planned."),
    back=(gettext_lazy("Out of selling without a source"), lambda: reverse("web:no_source_plan")),
)

# --- Substitutes --------------------------------------------------------------------------------------------------


def _why_alike(hit: find_substitutes.Alike) -> str:
    """The reason of a hit: what both say, and what contradicts."""
    told = _("%(points)d of 100: %(shared)s") % {"points": hit.points, "shared": listed(hit.shared[:8])}
    return told + (" · " + _("differs: %(what)s") % {"what": joined("; ", hit.differs, chinese="；")} if hit.differs else "")


def _than_now(hit: find_substitutes.Alike) -> Badge | None:
    if hit.than_now is None:
        return None
    return Badge(f"{hit.than_now:+} %", "success" if hit.than_now <= 0 else "warning")


def _what_next(hit: find_substitutes.Alike) -> str:
    return format_html(
        '<div class="text-nowrap"><a href="{}">{}</a></div><div class="text-nowrap"><a href="{}">{}</a></div>',
        reverse("web:sample_add_offer", args=[hit.offer_id]), _("Order a sample"),
        reverse("web:variant_map_offer", args=[hit.variant_id, hit.offer_id]), _("Link it"),
    )  # fmt: skip


def _alike(supplier: Any, scope: Scope) -> Panel:
    return TablePanel(
        _("Offers that look alike, not linked yet"),
        [
            Column("sku", _("Our SKU"), "code", url=lambda hit: reverse("web:variant", args=[hit.variant_id])),
            Column("title", _("Offer"), value=lambda hit: hit.title or hit.supplier_sku, wrap=True, hint="supplier_sku",
                   url=lambda hit: reverse("web:offer", args=[hit.offer_id])),
            Column("supplier", _("Supplier"), url=lambda hit: reverse("web:supplier", args=[hit.supplier_id])),
            Column("price", _("Price"), "money", currency="currency"),
            Column("than_now", _("Than now"), "badge", value=_than_now),
            Column("why", _("Why"), value=_why_alike, wrap=True),
            Column("links", "", "html", value=_what_next),
        ],
        find_substitutes.alike_offers(supplier.pk, on=scope.at.astimezone(scope.zone()).date()),
        empty=_("No offer of another supplier looks like these goods. Import the price lists of other factories."),
        note=_("Found by words, measures and colours of the titles: compare before you link. Nothing is linked by itself."),
    )  # fmt: skip


def _substitute_panels(supplier: Any, scope: Scope) -> list[Panel]:
    return [
        TablePanel(
            _("Who has the same goods"),
            [
                Column("sku", _("Our SKU"), "code", url=lambda row: reverse("web:variant", args=[row["variant_id"]])),
                Column("supplier", _("Supplier"), url=lambda row: reverse("web:supplier", args=[row["supplier_id"]])),
                Column("supplier_sku", _("Supplier's SKU"), "code"),
                Column("price", _("Price"), "money", currency="currency"),
                Column("supplier_state", _("State"), "state", states="supplier"),
                Column("mapping_state", _("Link"), "state", states="mapping"),
            ],
            find_risks.substitutes_for(supplier.pk),
            empty=_("Nobody else is linked to these goods. Import price lists of other factories, or link their offers in the catalogue."),
            note=_("Order a sample from him, check the parcel, record the agreement; then give his offer rank 1 on the variant."),
        ),
        _alike(supplier, scope),
    ]


SUBSTITUTES = DetailPage(
    load=lambda scope, pk: supplier_with_id(pk),
    store_id=None,
    title=lambda supplier, scope: _("Who could take over from %(name)s") % {"name": supplier.name},
    back=(gettext_lazy("Out of selling without a source"), lambda: reverse("web:no_source_plan")),
    facts=lambda supplier, scope: [Fact(_("Who he is"), supplier.get_source_display())],
    panels=_substitute_panels,
)

# --- Commission links ---------------------------------------------------------------------------------------------


def _check_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class CheckForm(forms.Form):
        store = forms.ChoiceField(
            label=gettext_lazy("Store"), choices=[(str(one.id), one.name) for one in scope.stores if one.kind == "marketplace"]
        )
        followers = forms.IntegerField(label=gettext_lazy("Followers"), min_value=0)
        is_adult = forms.BooleanField(label=gettext_lazy("Of age, with the real name confirmed"), required=False)
        is_clean = forms.BooleanField(label=gettext_lazy("No violation on record"), required=False)

    return CheckForm


def _save_check(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: Any) -> str:
    store = scope.require(int(data["store"]), "operate")
    find_risks.record_affiliate_check(
        store_id=store.id, followers=data["followers"], is_adult=data["is_adult"], is_clean=data["is_clean"], by=by, at=at
    )
    return reverse("web:no_source_plan")


AFFILIATE_CHECK = FormPage(
    title=gettext_lazy("May the account earn commission?"),
    form=_check_form,
    load=lambda scope: True,
    save=_save_check,
    success=gettext_lazy("Noted."),
    back=(gettext_lazy("Out of selling without a source"), lambda: reverse("web:no_source_plan")),
)


def _link_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class LinkForm(forms.Form):
        store = forms.ChoiceField(label=gettext_lazy("Store"), choices=[(str(one.id), one.name) for one in scope.stores])
        name = forms.CharField(label=gettext_lazy("What it sells"), max_length=160)
        url = forms.URLField(label=gettext_lazy("Address"), max_length=500, assume_scheme="https")
        percent = forms.DecimalField(label=gettext_lazy("Commission in percent"), required=False, min_value=0, max_value=100, decimal_places=2)

    return LinkForm


def _save_link(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: Any) -> str:
    store = scope.require(int(data["store"]), "operate")
    link = risk_commands.add_affiliate_link(
        store_id=store.id, name=data["name"], url=data["url"], percent=data["percent"], by=by, at=at
    )
    return reverse("web:affiliate_link", args=[link.pk])


ADD_LINK = FormPage(
    title=gettext_lazy("Add a commission link"),
    form=_link_form,
    load=lambda scope: True,
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None},
    save=_save_link,
    success=gettext_lazy("Added."),
    back=(gettext_lazy("Out of selling without a source"), lambda: reverse("web:no_source_plan")),
)


class TrackForm(forms.Form):
    post = forms.URLField(label=gettext_lazy("A post that carries it"), required=False, max_length=500, assume_scheme="https")
    title = forms.CharField(label=gettext_lazy("Its title"), required=False, max_length=200)
    day = forms.DateField(label=gettext_lazy("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    orders = forms.IntegerField(label=gettext_lazy("Orders that day"), required=False, min_value=0)
    amount = forms.DecimalField(
        label=gettext_lazy("Commission that day"), required=False, min_value=0, max_digits=15, decimal_places=4,
        help_text=gettext_lazy("As the platform's statement has it: income of that day in the books. Told again it replaces the earlier figure."),
    )  # fmt: skip


def _track(scope: Scope, link: Any, data: dict[str, Any], *, by: str, at: Any) -> str:
    if data["title"] and not data["post"]:
        raise Refused(_("Give the address of the post, too."), code="post_missing", field="post")
    if data["orders"] and data["amount"] is None:
        raise Refused(_("Enter the commission of that day, too; 0 where there was none."), code="amount_missing", field="amount")
    if not data["post"] and data["amount"] is None:
        raise Refused(_("Enter a post, or the commission of a day."), code="nothing_said", field="amount")
    if data["post"]:
        risk_commands.add_affiliate_post(
            link_id=link.pk, url=data["post"], title=data["title"], posted_on=data["day"], by=by, at=at
        )
    if data["amount"] is not None:
        risk_commands.record_affiliate_earning(
            link_id=link.pk, day=data["day"], orders=data["orders"] or 0, amount=data["amount"],
            currency=link.store.currency, by=by, at=at,
        )  # fmt: skip
    return reverse("web:affiliate_link", args=[link.pk])


def _link_panels(scope: Scope, link: Any) -> list[Panel]:
    return [
        TablePanel(
            _("Posts that carry it"),
            [Column("title", _("Title"), value=lambda one: one.title or one.url, hint=lambda one: one.url if one.title else "", wrap=True), Column("posted_on", _("Day"), "date")],
            list(link.posts.order_by("-posted_on", "-id")[:50]),
            empty=_("No post carries it yet."),
        ),
        TablePanel(
            _("Earned"),
            [Column("day", _("Day"), "date"), Column("orders", _("Orders"), "quantity"), Column("amount", _("Amount"), "money", currency="currency")],
            list(link.earnings.order_by("-day")[:50]),
            empty=_("Nothing was recorded yet."),
        ),
    ]  # fmt: skip


LINK = FormPage(
    title=lambda link, scope: link.name,
    pretitle=gettext_lazy("Commission link"),
    form=TrackForm,
    load=lambda scope, pk: risk_queries.affiliate_link(scope.whole.all_store_ids, pk),
    store_id="store_id",
    initial=lambda scope, link: {"day": scope.at.astimezone(scope.zone(link.store_id)).date()},
    save=_track,
    success=gettext_lazy("Recorded."),
    panels=_link_panels,
    back=(gettext_lazy("Out of selling without a source"), lambda: reverse("web:no_source_plan")),
)

assert [level for level, _word in LEVELS] == list(LEVEL_WORDS), "every level has its word"

urlpatterns = [
    path("risks/", RISKS.view, name="risks"),
    path("risks/count/", count_again, name="risks_count"),
    path("risks/waybills/", WAYBILLS.view, name="platform_waybills"),
    path("risks/<int:pk>/", RISK_PAGE.view, name="risk"),
    path("risks/<int:pk>/settle/", SETTLE.view, name="risk_settle"),
    path("risks/<int:pk>/plan/", plan_risk, name="risk_plan"),
    path("risks/plan/", PLAN.view, name="no_source_plan"),
    path("risks/plan/affiliate/", plan_affiliate, name="plan_affiliate"),
    path("risks/plan/steps/add/", ADD_STEP.view, name="plan_step_add"),
    path("risks/plan/steps/<int:pk>/", STEP.view, name="plan_step"),
    path("risks/plan/steps/<int:pk>/switch/", switch, name="plan_step_switch"),
    path("suppliers/<int:pk>/substitutes/", SUBSTITUTES.view, name="substitutes"),
    path("risks/plan/check/", AFFILIATE_CHECK.view, name="affiliate_check"),
    path("risks/plan/links/add/", ADD_LINK.view, name="affiliate_link_add"),
    path("risks/plan/links/<int:pk>/", LINK.view, name="affiliate_link"),
]
