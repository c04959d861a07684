"""Exit index: how likely stores are to stay open, why, and what to try; closings by year. Advice: nothing here acts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.closing.models import SCENARIOS
from daifa.domain.closing.process import LIFECYCLE
from daifa.domain.exit_index import commands, queries, rules
from daifa.flows.measure_months import learn_own, measure_months, own_base_rate
from daifa.flows.reads import closures
from daifa.flows.reads import exit_index as reads
from daifa.lib.commas import listed
from daifa.lib.money import Money
from daifa.web.kit import (
    ActionButton,
    Badge,
    ChartPanel,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    HtmlPanel,
    Kpi,
    KpiPanel,
    LinkButton,
    NotePanel,
    Panel,
    PanelPage,
    Scope,
    Series,
    TablePanel,
    after,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places

BAND_TONES = {"steady": "success", "watch": "warning", "endangered": "danger"}
CAUSES = {
    "compliance": (gettext_lazy("rules broken"), "red"),
    "business": (gettext_lazy("own decision or money"), "blue"),
    "policy": (gettext_lazy("the platform changed"), "orange"),
    "users": (gettext_lazy("buyers stayed away"), "gray"),
    "other": (gettext_lazy("other"), "teal"),
}


def _share(value: float) -> Decimal:
    return Decimal(f"{value:.4f}")


def _side() -> int:
    return int(fmt.is_chinese())


def _range(chance: rules.Chance) -> str:
    return f"{fmt.percent_text(_share(chance.low), 0)} – {fmt.percent_text(_share(chance.high), 0)}"


# Where a figure that speaks against a store is looked at: figure → (name of the page, does it want the store, label).
WHERE = {
    "margin": ("books", False, gettext_lazy("Books")),
    "late": ("store_health_of", True, gettext_lazy("Store health")),
    "refunds": ("aftersales", False, gettext_lazy("Aftersales")),
    "points": ("violations", False, gettext_lazy("Violations")),
    "cash": ("suppliers", False, gettext_lazy("Suppliers & offers")),
    "trend": ("listings", False, gettext_lazy("Listings")),
}


def _ways(one: reads.StoreIndex, reading: rules.Reading) -> list[LinkButton]:
    """Buttons to where the figures against the store are looked at, the strongest first."""
    found = []
    for driver in reads.worse(reading)[:3]:
        name, wants_store, label = WHERE.get(driver.figure, ("", False, ""))
        if name and (url := places.place(name, *([one.store.pk] if wants_store else []))):
            found.append(LinkButton(label, url, icon="arrow-right"))
    if reading.band == "endangered" and (url := places.place("store_life", one.store.pk)):
        found.append(LinkButton(_("Life of the store"), url, icon="building-store"))
    return found


# --- All stores ---------------------------------------------------------------------------------------------------


def _chance(months: int) -> Any:
    def value(one: reads.StoreIndex) -> Decimal | None:
        found = one.now and next(chance for chance in one.now.reading.chances if chance.months == months)
        return _share(found.open) if found else None

    return value


def _band(one: reads.StoreIndex) -> list[Badge]:
    if one.now is None:
        return [Badge(fmt.state_text(LIFECYCLE, one.state), "neutral")]
    return [Badge(_(reads.BANDS[one.now.reading.band]), BAND_TONES[one.now.reading.band])]


def _band_in_one_line(one: reads.StoreIndex) -> Any:
    badge = _band(one)[0]
    return format_html('<span class="text-nowrap">{}</span>', fmt.badge(badge.label, badge.tone))


def _why(one: reads.StoreIndex) -> str:
    if one.now is None:
        return one.why_not
    return " ".join(reads.driver_sentence(driver) for driver in reads.worse(one.now.reading)[:2]) or _("Nothing in its figures calls for anything.")


def _all(request: Any, scope: Scope) -> list[Panel]:
    using = queries.model()
    found = reads.exit_indices(scope.store_ids, using=using)
    if not found:
        return [EmptyPanel(_("No store yet"), _("The index reads a store from its first complete month on."), icon="building-store")]
    return [
        TablePanel(
            _("Chance to be open"),
            [
                Column("name", _("Store"), value=lambda one: one.store.name, link=True),
                Column("band", _("Reading"), "html", value=_band_in_one_line),
                *(
                    Column(f"in_{months}", ngettext("in %(n)s month", "in %(n)s months", months) % {"n": months}, "percent",
                           value=_chance(months), phone=months in (3, 12))
                    for months in rules.HORIZONS
                ),
                Column("why", _("What speaks against it"), value=_why, wrap=True),
                Column("review", _("Monthly review"), value=lambda one: reads.review_text(one.review), wrap=True),
            ],
            found,
            row_url=lambda one: reverse("web:exit_index_store", args=[one.store.pk]),
            note=reads.model_sentence(using),
        ),
        _base(scope, using),
        _limits(),
    ]  # fmt: skip


def _base(scope: Scope, using: rules.Model) -> Panel:
    """Which level the chances stand on, what own closings say of it, and where it is changed."""
    entered = queries.base_rate()
    text = reads.base_sentence(using)
    if entered is not None:
        text += " " + _("It rests on: %(source)s.") % {"source": entered.source}
    return NotePanel(
        text + " " + reads.own_sentence(own_base_rate()),
        title=_("Base rate"),
        actions=[LinkButton(_("Choose the base rate"), reverse("web:exit_index_base"), icon="adjustments", reason=scope.why_not_shared("own"))],
    )  # fmt: skip


def _limits() -> NotePanel:
    return NotePanel(
        _("It is advice and nothing here acts on it. The weights come from simulated stores: which of two stores is worse off is worth "
          "more than the number. It knows nothing of what does not stand in orders, parcels, refunds and books."),
        title=_("How to read it"),
    )  # fmt: skip


def _actions(scope: Scope) -> list[Any]:
    return [
        LinkButton(_("Closings by year"), reverse("web:closures"), icon="chart-bar"),
        ActionButton(_("Measure now"), reverse("web:exit_index_measure"), icon="refresh", reason=scope.why_not("operate")),
    ]


ALL = PanelPage(
    title=gettext_lazy("Exit index"),
    intro=gettext_lazy("How likely each store is to be open in the coming months, from what its own months say."),
    panels=_all,
    actions=_actions,
)


@page("operate", methods=("POST",))
def measure(request: Any, scope: Scope) -> Any:
    """Measure the months of the chosen stores now instead of tonight."""
    counts = measure_months(store_ids=scope.store_ids, by=scope.by, at=scope.at)
    return after(
        request, reverse("web:exit_index"),
        ngettext("%(n)s month was measured.", "%(n)s months were measured.", counts["months"]) % {"n": counts["months"]},
    )  # fmt: skip


# --- One store ----------------------------------------------------------------------------------------------------


def _load(scope: Scope, pk: int) -> Any:
    found = reads.exit_indices([pk])
    return found[0] if found else None


def _panels(one: reads.StoreIndex, scope: Scope) -> list[Panel]:
    if one.now is None:
        return [NotePanel(one.why_not, title=_("No reading"))]
    using = queries.model()
    reading = one.now.reading
    kpis = [
        Kpi(
            ngettext("Open in %(n)s month", "Open in %(n)s months", chance.months) % {"n": chance.months},
            fmt.percent_text(_share(chance.open)), _("range %(range)s") % {"range": _range(chance)},
            tone={"success": "green", "warning": "orange", "danger": "red"}[BAND_TONES[reading.band]] if chance.months == 12 else "",
            icon="chart-line",
        )
        for chance in reading.chances
    ]  # fmt: skip
    return [
        KpiPanel(kpis),
        HtmlPanel("web/pages/exit_index_words.html", {
            "against": [reads.driver_sentence(driver) for driver in reads.worse(reading)[:4]],
            "in_favour": [reads.driver_sentence(driver) for driver in reads.better(reading)[:3]],
            "advice": reads.advice(reading),
        }, title=_("What the figures say"), actions=_ways(one, reading)),
        _said_by_version(one, using),
        ChartPanel(
            _("Chance to be open a year later, month by month"),
            [fmt.month_text(stand.row.month) for stand in one.stands],
            [
                Series(_("chance"), [_share(stand.reading.year.open) for stand in one.stands], kind="line", tone="azure"),
                Series(_("lower end"), [_share(stand.reading.year.low) for stand in one.stands], kind="line", tone="gray"),
                Series(_("upper end"), [_share(stand.reading.year.high) for stand in one.stands], kind="line", tone="gray"),
            ],
            unit="percent", name="exit-trend",
            note=_("All months are read with the weights of today (%(version)s); the range holds the true chance in nine cases of ten.")
            % {"version": using.full_version},
        ),
        _figures(one),
        _months(one),
        NotePanel(reads.model_sentence(using) + " " + _("It is advice and nothing here acts on it.")),
    ]  # fmt: skip


def _said_by_version(one: reads.StoreIndex, using: rules.Model) -> Panel:
    """What was said at the time, a line for each version of the weights: a step between two lines is no change of the store."""
    if not one.said:
        return NotePanel(_("What the index says is kept from the next complete month on, with the weights of its day."), title=_("As it was said then"))
    months = [fmt.month_text(row.month) for row in one.said]

    def year(row: Any) -> Decimal:
        return _share(next(chance[1] for chance in row.chances if chance[0] == rules.FARTHEST))

    versions = list(dict.fromkeys(row.version for row in one.said))
    return ChartPanel(
        _("As it was said then"),
        months,
        [
            Series(_("weights %(version)s") % {"version": version},
                   [year(row) if row.version == version else None for row in one.said], kind="line")
            for version in versions
        ],
        unit="percent", name="exit-said",
        note=_("Each month with the weights of its day, now %(version)s. A step from one line to another comes from the weights, not from the store.")
        % {"version": using.full_version},
    )  # fmt: skip


def _figures(one: reads.StoreIndex) -> TablePanel:
    stand = one.now
    assert stand is not None
    times = {driver.figure: driver for driver in stand.reading.drivers}
    typical = dict(zip(rules.FIGURES, rules.shipped().typical, strict=True))

    def effect(code: str) -> str:
        return f"× {times[code].times:.2f}" if code in times else _("counts as typical")

    return TablePanel(
        _("The nine figures"),
        [
            Column("name", _("Figure"), value=reads.figure_name, wrap=True),
            Column("value", _("This store"), value=lambda code: reads.figure_text(code, stand.figures[code])),
            Column("typical", _("Typical"), value=lambda code: reads.figure_text(code, typical[code])),
            Column("effect", _("Makes closing"), value=effect),
        ],
        sorted(rules.FIGURES, key=lambda code: -(times[code].times if code in times else 0.0)),
        note=_("From the last three complete months. Shares of few orders are steadied with ten typical ones."),
    )


def _months(one: reads.StoreIndex) -> TablePanel:
    def money(name: str) -> Any:
        return lambda row: Money(getattr(row, name), row.currency)

    return TablePanel(
        _("Its months"),
        [
            Column("month", _("Month"), value=lambda row: fmt.month_text(row.month)),
            Column("orders", _("Orders"), "quantity"),
            Column("sales", _("Sales"), "signed_money", value=money("sales")),
            Column("net", _("Net profit"), "signed_money", value=money("net")),
            Column("late", _("Late"), value=lambda row: f"{row.late} / {row.due}"),
            Column("refunded", _("Refunded"), "quantity", phone=False),
            Column("points", _("Points"), phone=False,
                   value=lambda row: "–" if row.points is None else f"{float(row.points):g} / {float(row.points_full):g}"),
            Column("cash", _("Cash"), "signed_money", value=money("cash")),
            Column("active_days", _("Active days"), value=lambda row: f"{row.active_days} / {row.days}"),
            Column("is_complete", _("Complete"), "yes_no", phone=False),
        ],
        queries.store_months([one.store.pk], complete=False).get(one.store.pk, [])[:-14:-1],
        note=_("Late: of the orders that had to leave in the month. Cash: bank and receivables less what suppliers are owed."),
    )


def _facts(one: reads.StoreIndex, scope: Scope) -> list[Fact]:
    lines = queries.review_lines([one.store.pk])[one.store.pk]
    return [
        Fact(_("State"), fmt.state_text(LIFECYCLE, one.state)),
        Fact(_("Read at the end of"), fmt.month_text(one.now.row.month) if one.now else "–"),
        Fact(_("Monthly review"), reads.review_text(one.review) or "–"),
        Fact(
            _("Counts as dormant"), ngettext("after %(n)s day without an order", "after %(n)s days without an order", lines.dormant_days)
            % {"n": lines.dormant_days},
        ),
        Fact(
            _("Counts as quiet"),
            _("at %(orders)s orders or %(days)s active days a month") % {"orders": lines.quiet_orders, "days": lines.quiet_active_days},
        ),
    ]  # fmt: skip


def _store_actions(one: reads.StoreIndex, scope: Scope) -> list[Any]:
    buttons: list[Any] = [
        LinkButton(_("Lines of the review"), reverse("web:exit_index_lines", args=[one.store.pk]), icon="adjustments",
                   reason=scope.why_not("operate", one.store.pk)),
    ]  # fmt: skip
    if url := places.place("store_life", one.store.pk):
        buttons.append(LinkButton(_("Life of the store"), url, icon="building-store"))
    return buttons


STORE = DetailPage(
    load=_load,
    title=lambda one, scope: one.store.name,
    store_id="store__pk",
    back=(gettext_lazy("Exit index"), lambda: reverse("web:exit_index")),
    badges=lambda one, scope: _band(one),
    actions=_store_actions,
    facts=_facts,
    panels=_panels,
)


class LinesForm(forms.Form):
    dormant_days = forms.IntegerField(label=gettext_lazy("Dormant after so many days without an order"), min_value=14, max_value=365)
    quiet_orders = forms.IntegerField(label=gettext_lazy("Quiet at so many orders a month"), min_value=0, max_value=1000)
    quiet_active_days = forms.IntegerField(label=gettext_lazy("Quiet at so many active days a month"), min_value=0, max_value=31)


def _lines(scope: Scope, one: reads.StoreIndex) -> dict[str, Any]:
    lines = queries.review_lines([one.store.pk])[one.store.pk]
    return {"dormant_days": lines.dormant_days, "quiet_orders": lines.quiet_orders, "quiet_active_days": lines.quiet_active_days}


def _save_lines(scope: Scope, one: reads.StoreIndex, data: dict[str, Any], *, by: str, at: Any) -> str:
    commands.set_review_lines(store_ids=[one.store.pk], by=by, at=at, **data)
    return reverse("web:exit_index_store", args=[one.store.pk])


LINES = FormPage(
    title=gettext_lazy("When a store counts as quiet or dormant"),
    form=LinesForm,
    load=_load,
    store_id="store__pk",
    initial=_lines,
    save=_save_lines,
    back=lambda one: (one.store.name, reverse("web:exit_index_store", args=[one.store.pk])),
    intro=gettext_lazy("Looked at once a month, over three complete months; a store younger than 60 days is left alone."),
)

class BaseForm(forms.Form):
    yearly = forms.DecimalField(
        label=gettext_lazy("Of a hundred typical stores so many close within a year"), min_value=Decimal("0.1"), max_value=95,
        decimal_places=2, required=False, help_text=gettext_lazy("Empty: the level that comes with daifa, which is an assumption."),
    )  # fmt: skip
    source = forms.CharField(
        label=gettext_lazy("On what it rests"), max_length=200,
        help_text=gettext_lazy("A report, the platform's figures, your own count. It is shown with every reading."),
    )  # fmt: skip


def _base_now(scope: Scope, thing: Any) -> dict[str, Any]:
    entered = queries.base_rate()
    return {"yearly": round(Decimal(entered.yearly or 0) * 100, 2), "source": entered.source} if entered else {}


def _save_base(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: Any) -> str:
    scope.require_shared("own")
    commands.set_base_rate(yearly=None if data["yearly"] is None else data["yearly"] / 100, source=data["source"], by=by, at=at)
    learn_own(at=at)
    return reverse("web:exit_index")


def _base_panels(scope: Scope, thing: Any) -> list[Panel]:
    return [
        NotePanel(reads.base_sentence(queries.model()) + " " + reads.own_sentence(own_base_rate()), title=_("What is known")),
        NotePanel(_("The level moves all chances together; which store is worse off stays the same. Your own closings move it further by themselves.")),
    ]


BASE = FormPage(
    title=gettext_lazy("Base rate of closings"),
    form=BaseForm,
    initial=_base_now,
    save=_save_base,
    needs="own",
    panels=_base_panels,
    back=(gettext_lazy("Exit index"), lambda: reverse("web:exit_index")),
    intro=gettext_lazy("The shipped level is invented: simulated stores have no base rate. Enter one you can stand on."),
)

# --- Closings -----------------------------------------------------------------------------------------------------


def _sums(amounts: dict[str, float]) -> str:
    return listed(fmt.money_text(Decimal(str(round(amount, 2))), currency) for currency, amount in sorted(amounts.items())) or "–"


def _days(value: float | None) -> str:
    return "–" if value is None else ngettext("%(n)s day", "%(n)s days", round(value)) % {"n": f"{value:g}"}


def _closures(request: Any, scope: Scope) -> list[Panel]:
    records = closures.closure_records(scope.store_ids)
    years = rules.closures_by_year(records)
    panels: list[Panel] = []
    if not years:
        panels.append(
            EmptyPanel(_("No store was closed yet"), _("Every closing that is wound up stands here with its cause, its days and its deposit."),
                       icon="building-store")
        )  # fmt: skip
    else:
        panels += [
            ChartPanel(
                _("Causes by year"),
                [str(one.year) for one in years],
                [Series(CAUSES[cause][0], [one.by_cause[cause] for one in years], stack="cause", tone=CAUSES[cause][1]) for cause in rules.CAUSES],
                name="causes",
            ),
            TablePanel(
                _("By year"),
                [
                    Column("year", _("Year")),
                    Column("began", _("Closings begun"), "quantity"),
                    Column("closed", _("Closings ended"), "quantity"),
                    Column("median_days", _("Days to close"), value=lambda one: _days(one.median_days)),
                    Column("deposit_days", _("Days to the deposit"), value=lambda one: _days(one.median_days_to_deposit)),
                    Column("held", _("Deposit held"), value=lambda one: _sums(one.held)),
                    Column("returned", _("Given back"), value=lambda one: _sums(one.returned)),
                ],
                years[::-1],
                note=_("Days: the median of the year's closings, from the day new orders were not taken."),
            ),
            TablePanel(
                _("Each closing"),
                [
                    Column("store", _("Store"), value=lambda one: one.name or scope.whole.store(one.store_id).name),
                    Column("scenario", _("Way"), value=lambda one: SCENARIOS[one.scenario][_side()]),
                    Column("cause", _("Cause"), value=lambda one: CAUSES[one.cause][0]),
                    Column("began", _("Begun"), "date"),
                    Column("closed", _("Ended"), "date"),
                    Column("held", _("Deposit held"), value=lambda one: _sums({one.currency: one.deposit_held} if one.deposit_held else {})),
                    Column("returned", _("Given back"),
                           value=lambda one: _sums({one.currency: one.deposit_returned} if one.deposit_returned is not None else {})),
                    Column("deposit_on", _("On"), "date"),
                ],
                records[::-1][:200],
                note=_("Begun: the day from which new orders were not taken. The cause follows from the way the store was closed."),
            ),
        ]  # fmt: skip
    return panels + _said()


def _said() -> list[Panel]:
    years = rules.said_by_the_trade()

    def causes(one: rules.SaidOfAYear) -> str:
        return " · ".join(f"{(english, chinese)[_side()]} {fmt.percent_text(_share(share), 0)}" for _group, share, english, chinese in one.causes)

    return [
        NotePanel(
            _("What follows is said by an article of the trade about one platform (小红书). No official figure confirms it. It is here to compare "
              "with, and daifa reckons with none of it."),
            tone="warning", title=_("Unverified"),
        ),
        ChartPanel(
            _("Stores closed in a year, as the trade says (unverified)"),
            [str(one.year) for one in years],
            [Series(_("stores closed"), [one.closed for one in years], tone="gray")],
            name="said",
        ),
        TablePanel(
            _("Said of 小红书 (unverified)"),
            [
                Column("year", _("Year")),
                Column("closed", _("Stores closed"), "quantity"),
                Column("rate", _("Of all stores"), "percent", value=lambda one: None if one.rate is None else _share(one.rate)),
                Column("causes", _("Main causes"), value=causes, wrap=True),
                Column("measures", _("Measures of the platform"), value=lambda one: one.measures[_side()], wrap=True),
            ],
            years,
            note=_("Several causes may be named for one store, so that the shares of a year need not make a whole."),
        ),
    ]  # fmt: skip


CLOSURES = PanelPage(
    title=gettext_lazy("Closings by year"),
    intro=gettext_lazy("Why stores ended, how long it took, and what became of the deposit."),
    panels=_closures,
    actions=lambda scope: [LinkButton(_("Exit index"), reverse("web:exit_index"), icon="chart-line")],
)


urlpatterns = [
    path("exit-index/", ALL.view, name="exit_index"),
    path("exit-index/measure/", measure, name="exit_index_measure"),
    path("exit-index/base/", BASE.view, name="exit_index_base"),
    path("exit-index/<int:pk>/", STORE.view, name="exit_index_store"),
    path("exit-index/<int:pk>/lines/", LINES.view, name="exit_index_lines"),
    path("closures/", CLOSURES.view, name="closures"),
]
