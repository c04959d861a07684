"""A month's books on paper: profit and loss, balances, what suppliers are owed, as PDF in Chinese or English."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency
from django.template import Context, Engine
from django.utils import translation
from django.utils.translation import gettext as _

from daifa.domain.books import queries
from daifa.lib import bulk
from daifa.lib.commas import listed
from daifa.lib.pdf import pdf_of

_PAGE = """<!doctype html><html lang="{{ language }}"><head><meta charset="utf-8"><title>{{ title }}</title><style>
@page { size: A4; margin: 20mm 18mm; @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt; color: #667382 } }
body { font-family: "Inter", "Noto Sans", "Noto Sans CJK SC", "Noto Serif CJK SC", sans-serif; font-size: 10pt; color: #182433 }
h1 { font-size: 18pt; margin: 0 } h2 { font-size: 12pt; margin: 9mm 0 2mm; break-after: avoid } p { margin: 1mm 0; color: #667382 }
table { width: 100%; border-collapse: collapse } td, th { padding: 1.4mm 0; border-bottom: .2mm solid #dce1e7; text-align: left }
th { font-weight: 600; color: #667382; font-size: 9pt } .n { text-align: right; font-variant-numeric: tabular-nums }
.sum td { font-weight: 700; border-bottom: .4mm solid #182433 } .less td:first-child { padding-left: 5mm }
</style></head><body>
<h1>{{ title }}</h1><p>{{ month }} · {{ stores }}</p>
<table>{% for row in statement %}<tr class="{{ row.look }}"><td>{{ row.name }}</td><td class="n">{{ row.amount }}</td>
<td class="n">{{ row.share }}</td></tr>{% endfor %}</table>
{% for note in notes %}<p>{{ note }}</p>{% endfor %}
{% for table in tables %}{% if table.rows %}<h2>{{ table.title }}</h2><table><tr>{% for cell in table.head %}<th class="{{ cell.look }}">{{ cell.text }}</th>{% endfor %}</tr>
{% for row in table.rows %}<tr>{% for cell in row %}<td class="{{ cell.look }}">{{ cell.text }}</td>{% endfor %}</tr>{% endfor %}</table>{% endif %}{% endfor %}
</body></html>"""


def books_report_pdf(scope: Sequence[int], month: date, language: str, *, currency: str = "") -> bytes:
    """The report of these stores for the month in which `month` lies. `language`: en or zh-hans.

    `currency` "" = that of most of the stores. Raises `Refused` naming the Debian package where a library or a font
    is missing. Takes about two seconds: call it from a job or a download, not from a page.
    """
    with translation.override(language):
        page = Engine().from_string(_PAGE).render(Context(_contents(scope, month, language, currency)))
    return pdf_of(page, language=language)


def _contents(scope: Sequence[int], month: date, language: str, currency: str) -> dict[str, Any]:
    currency = currency or queries.currency_of(scope)
    locale = "zh_Hans_CN" if language.startswith("zh") else "en_GB"

    def money(amount: Decimal, of: str = currency) -> str:
        return format_currency(amount, of, locale=locale) if of else str(amount)

    pnl = queries.pnl(scope, month, currency)
    rows = [
        (_("Sales"), pnl.sales, ""),
        (_("Refunds"), -pnl.refunds, "less"),
        (_("Goods"), -pnl.goods, "less"),
        (_("Freight"), -pnl.freight, "less"),
        (_("Gross profit"), pnl.gross, "sum"),
        (_("Advertising"), -pnl.advertising, "less"),
        (_("Platform and tools"), -pnl.platform_and_tools, "less"),
        (_("Other costs"), -pnl.other, "less"),
        (_("Net profit"), pnl.net, "sum"),
    ]

    def share(amount: Decimal) -> str:
        percent = pnl.share_of_sales(amount)
        return "" if percent is None else f"{percent} %"

    statement = [
        {"name": name, "amount": money(amount), "share": share(amount), "look": look}
        for name, amount, look in rows
    ]
    notes = [
        _("Not contained, for want of an exchange rate: %(amount)s net.") % {"amount": money(net, of)}
        for of, net in pnl.unconverted
    ]
    chinese = language.startswith("zh")
    balances = [
        _cells((f"{b.code} {b.name_zh if chinese else b.name}", ""), (money(b.amount, b.currency), "n"))
        for b in queries.trial_balance(scope).rows
    ]
    owed = queries.balances_of_suppliers(scope)
    names = dict(
        bulk.fetch(
            "SELECT id, name FROM sourcing_supplier WHERE id = ANY(%s::bigint[])", ([row[0] for row in owed],)
        )
    )
    payable = [
        _cells((names.get(supplier, ""), ""), (money(amount, of), "n")) for supplier, of, amount in owed
    ]
    stores = [
        row[0] for row in bulk.fetch("SELECT name FROM stores_store WHERE id = ANY(%s::bigint[]) ORDER BY name", (list(scope),))
    ]  # fmt: skip
    return {
        "language": language,
        "title": _("Profit and loss"),
        "month": format_date(month, "yyyy年M月" if chinese else "MMMM yyyy", locale=locale),
        "stores": listed(stores),
        "statement": statement,
        "notes": notes,
        "tables": [
            {"title": _("Balances now, debit positive"), "head": _cells((_("Account"), ""), (_("Balance"), "n")), "rows": balances},
            {"title": _("Owed to suppliers now"), "head": _cells((_("Supplier"), ""), (_("Owed"), "n")), "rows": payable},
        ],
    }  # fmt: skip


def _cells(*cells: tuple[str, str]) -> list[dict[str, str]]:
    return [{"text": text, "look": look} for text, look in cells]
