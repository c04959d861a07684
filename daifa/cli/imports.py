"""`daifa import`: files in, and where each row went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.cli import output
from daifa.lib import clock
from daifa.lib.commas import listed

app = typer.Typer(
    no_args_is_help=True, add_completion=False,
    help="Read files: rows in = rows used + rows not orders + rows refused, each with its reason.",
)  # fmt: skip

FILES = typer.Argument(help="One file or several: CSV or XLSX, also gzipped.")
LAYOUT = typer.Option("", help="How to read it; recognised from the headings where left out.")
MAPPING = typer.Option([], "--map", help="A column by hand: FIELD=HEADING, as --map number=订单号.")
WORKSHEET = typer.Option("", help="Which sheet of a workbook.")
ENCODING = typer.Option("", help="As gbk; recognised where left out.")
DECIMAL_MARK = typer.Option("", help="“.” or “,”; found out from the columns where left out.")
DAY_FIRST = typer.Option(None, "--day-first/--month-first", help="Whether 03/04/2026 is 3 April; found out where left out.")
SHOWN = typer.Option(20, "--shown", min=0, help="How many refused rows to list; 0 for none.")
_WENT = {"used": N_("used"), "not_orders": N_("not orders"), "refused": N_("refused")}


@app.command("products")
def products(
    files: list[Path] = FILES, store: str = typer.Option("", help="List them in this store, too."),
    layout: str = LAYOUT, mapping: list[str] = MAPPING, worksheet: str = WORKSHEET, encoding: str = ENCODING,
    decimal_mark: str = DECIMAL_MARK, day_first: bool | None = DAY_FIRST, shown: int = SHOWN, as_json: bool = output.AS_JSON,
):  # fmt: skip
    """Products and their variants."""
    _read("products", files, store, "", _options(layout, mapping, worksheet, encoding, decimal_mark, day_first), shown, as_json)


@app.command("offers")
def offers(
    files: list[Path] = FILES, supplier: str = typer.Option(..., help="Whose list it is."),
    full: bool = typer.Option(False, help="The list holds everything he has: what it does not name is gone."),
    layout: str = LAYOUT, mapping: list[str] = MAPPING, worksheet: str = WORKSHEET, encoding: str = ENCODING,
    decimal_mark: str = DECIMAL_MARK, day_first: bool | None = DAY_FIRST, shown: int = SHOWN, as_json: bool = output.AS_JSON,
):  # fmt: skip
    """A supplier's price list."""
    options = _options(layout, mapping, worksheet, encoding, decimal_mark, day_first) | {"full": full}
    _read("offers", files, "", supplier, options, shown, as_json)


@app.command("orders")
def orders(
    files: list[Path] = FILES, store: str = typer.Option(..., help="Whose orders they are."),
    recipients: str = typer.Option("", help="“generated”: invent recipients where the file has none, for trying out."),
    treat_as: str = typer.Option("auto", help="auto, open (fulfil them) or history (only keep them)."),
    layout: str = LAYOUT, mapping: list[str] = MAPPING, worksheet: str = WORKSHEET, encoding: str = ENCODING,
    decimal_mark: str = DECIMAL_MARK, day_first: bool | None = DAY_FIRST, shown: int = SHOWN, as_json: bool = output.AS_JSON,
):  # fmt: skip
    """A store's orders, credit notes and cancellations."""
    if recipients not in ("", "generated"):
        output.fail(_("--recipients can be “generated”, not “%(text)s”.") % {"text": recipients})
    if treat_as not in ("auto", "open", "history"):
        output.fail(_("--treat-as can be auto, open or history, not “%(text)s”.") % {"text": treat_as})
    options = _options(layout, mapping, worksheet, encoding, decimal_mark, day_first) | {"treat_as": treat_as}
    if recipients:
        options["recipients"] = recipients
    _read("orders", files, store, "", options, shown, as_json)


@app.command("replies")
def replies(
    files: list[Path] = FILES, supplier: str = typer.Option("", help="Who sent it: rows about others' orders are refused."),
    layout: str = LAYOUT, mapping: list[str] = MAPPING, worksheet: str = WORKSHEET, encoding: str = ENCODING,
    decimal_mark: str = DECIMAL_MARK, day_first: bool | None = DAY_FIRST, shown: int = SHOWN, as_json: bool = output.AS_JSON,
):  # fmt: skip
    """A supplier's reply: accepted, short, refused, carrier and numbers."""
    _read("replies", files, "", supplier, _options(layout, mapping, worksheet, encoding, decimal_mark, day_first), shown, as_json)


@app.command("tracking")
def tracking(
    files: list[Path] = FILES, store: str = typer.Option("", help="Only parcels of this store; its time zone counts."),
    layout: str = LAYOUT, mapping: list[str] = MAPPING, worksheet: str = WORKSHEET, encoding: str = ENCODING,
    decimal_mark: str = DECIMAL_MARK, day_first: bool | None = DAY_FIRST, shown: int = SHOWN, as_json: bool = output.AS_JSON,
):  # fmt: skip
    """Scans of parcels."""
    _read("tracking", files, store, "", _options(layout, mapping, worksheet, encoding, decimal_mark, day_first), shown, as_json)


@app.command("expenses")
def expenses(
    files: list[Path] = FILES, store: str = typer.Option(..., help="Whose expenses they are."),
    mapping: list[str] = MAPPING, shown: int = SHOWN, as_json: bool = output.AS_JSON,
):  # fmt: skip
    """Expenses: date, kind, amount, currency, note."""
    _read("expenses", files, store, "", _options(mapping=mapping), shown, as_json)


@app.command("violations")
def violations(
    files: list[Path] = FILES, store: str = typer.Option(..., help="Whose violations they are."),
    mapping: list[str] = MAPPING, worksheet: str = WORKSHEET, encoding: str = ENCODING, decimal_mark: str = DECIMAL_MARK,
    day_first: bool | None = DAY_FIRST, shown: int = SHOWN, as_json: bool = output.AS_JSON,
):  # fmt: skip
    """The platform's list of violations: reference, date, kind, points, orders, money, measures."""
    options = _options("", mapping, worksheet, encoding, decimal_mark, day_first)
    _read("violations", files, store, "", options, shown, as_json)


def _options(
    layout: str = "", mapping: Sequence[str] = (), worksheet: str = "", encoding: str = "", decimal_mark: str = "",
    day_first: bool | None = None,
) -> dict[str, Any]:  # fmt: skip
    if decimal_mark not in ("", ".", ","):
        output.fail(_("--decimal-mark can be “.” or “,”, not “%(text)s”.") % {"text": decimal_mark})
    columns = {}
    for one in mapping:
        field, equals, heading = one.partition("=")
        if not equals:
            output.fail(_("--map “%(text)s” has no “=”. Write FIELD=HEADING.") % {"text": one})
        columns[field.strip()] = heading.strip()
    given = {
        "layout": layout, "mapping": columns, "worksheet": worksheet, "encoding": encoding, "decimal_mark": decimal_mark,
        "day_first": day_first,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value not in ("", {}, None)}


def _read(
    kind: str,
    files: list[Path],
    store: str,
    supplier: str,
    options: dict[str, Any],
    shown: int,
    as_json: bool,
) -> None:
    from daifa.flows import intake
    from daifa.flows.file_shapes import recall

    at, by = clock.now(), output.actor()
    of_store = output.store_with(store) if store else None
    of_supplier = output.supplier_with(supplier) if supplier else None
    if missing := [str(path) for path in files if not path.is_file()]:
        output.fail(_("There is no file %(names)s. Nothing was read.") % {"names": listed(missing)})
    told, whole = [], True
    for path in files:
        with output.sentences():
            received = intake.receive_file(
                kind=kind,
                name=path.name,
                content=path,
                store=of_store,
                supplier=of_supplier,
                options=options,
                by=by,
                at=at,
            )
            recall(received.pk)
            with output.watched(path.name, quiet=as_json) as advance:
                file = intake.read_file(received.pk, by=by, at=at, progress=advance)
        whole = whole and file.state == "done"
        told.append(_account(file))
        if not as_json:
            _print(file, told[-1], shown)
    if as_json:
        output.put_json(told if len(files) > 1 else told[0])
    if not whole:
        raise typer.Exit(1)


def _account(file: Any) -> dict[str, Any]:
    """The import as a program wants it: where its rows went, and which were refused."""
    from daifa.domain.imports import queries

    return {
        "import": file.pk, "kind": file.kind, "file": file.name, "state": file.state, "sentence": file.sentence,
        "layout": file.layout, "unknown_columns": file.options.get("unknown_columns", []), "rows_in": file.rows_in, "rows_used": file.rows_used,
        "rows_not_orders": file.rows_not_orders, "rows_refused": file.rows_refused, "counts": file.counts,
        "refused": [
            {
                "row": row.row, "rows": row.rows, "document": row.document, "code": row.code,
                "sentence": queries.sentence_of(row), "state": row.state,
            }
            for row in queries.row_page(file.pk, state="open", limit=1_000)
        ],
    }  # fmt: skip


def _print(file: Any, told: dict[str, Any], shown: int) -> None:
    from daifa.domain.imports import queries
    from daifa.lib.commas import listed

    if file.state in ("refused", "stopped"):
        typer.echo(f"{file.name}: {file.sentence}", err=True)
        if not file.rows_in:
            return
    rows = [
        (_(_WENT[what]), queries.reason_words(reason), f"{count:,}")
        for what in _WENT
        for reason, count in sorted(file.counts.get(what, {}).items(), key=lambda item: (-item[1], item[0]))
    ]
    sums = {
        "used": f"{file.rows_used:,}", "not_orders": f"{file.rows_not_orders:,}", "refused": f"{file.rows_refused:,}",
    }  # fmt: skip
    documents = listed(queries.counted_words(name, count) for name, count in file.counts.get("documents", {}).items())
    output.table(
        (_("rows"), _("counted as"), _("how many")),
        [
            *rows,
            (_("rows in all"), _("= %(used)s used + %(not_orders)s not orders + %(refused)s refused") % sums, f"{file.rows_in:,}"),
        ],
        title=_("%(name)s  (import %(id)s, %(layout)s)") % {"name": file.name, "id": file.pk, "layout": file.layout},
        right=(2,),
    )  # fmt: skip
    if documents and file.kind == "orders":
        typer.echo(_("Documents: %(counts)s.") % {"counts": documents})
    if told["unknown_columns"]:
        typer.echo(_("Columns nobody asked for: %(columns)s.") % {"columns": listed(told["unknown_columns"])})
    refused = told["refused"]
    if refused and shown:
        output.table(
            (_("row"), _("document"), _("why it was refused")),
            [(row["row"], row["document"], row["sentence"]) for row in refused[:shown]],
            title=_("Refused rows"),
        )
        if len(refused) > shown:
            typer.echo(
                _("… and more: they are on the page of import %(id)s, or list them with --shown or --json.") % {"id": file.pk}
            )
