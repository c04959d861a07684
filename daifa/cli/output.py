"""What all commands share: who acts, tables for eyes, `--json` for programs, progress while somebody watches, refusals.

With `--json` one JSON value goes to stdout and nothing else; sentences about what went wrong go to stderr, and the exit
code is 1. What people read is in the language of `DAIFA_LANGUAGE`; codes, options and the names in JSON stay English.
"""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn

import typer
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from daifa.lib.commas import listed
from daifa.lib.process import Process

AS_JSON = typer.Option(False, "--json", help="One JSON value on stdout, for programs.")
LIMIT = typer.Option(50, "--limit", "-n", min=1, max=100_000, help="At most so many.")


def actor() -> str:
    """Who acts, as `by` of commands: the command line acts for the owner, and names the system's user."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return f"cli:{name}"[:60]


def scope() -> list[int]:
    """Every store: whoever can run this program with its data can see them all."""
    from daifa.domain.stores.queries import whole_scope

    return whole_scope()


def moment(text: str | None) -> datetime | None:
    """An ISO date or moment; without a zone it is UTC, a date is its midnight."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fail(_("“%(text)s” is no time. Write it as 2026-05-01 or 2026-05-01T12:00+01:00.") % {"text": text})
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def day(text: str | None, otherwise: date) -> date:
    if not text:
        return otherwise
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(_("“%(text)s” is no date. Write it as 2026-05-01.") % {"text": text})


def amount(text: str) -> Decimal:
    """A positive amount of money."""
    try:
        found = Decimal(text)
    except ArithmeticError:
        found = Decimal(-1)
    if not found.is_finite() or found <= 0:
        fail(_("“%(text)s” is no amount. Write it as 12.50.") % {"text": text})
    return found


def amount_or_zero(text: str) -> Decimal:
    """As `amount`, where nothing is a value too."""
    return Decimal(0) if text.strip("0.") == "" else amount(text)


def store_with(code: str) -> Any:
    from daifa.domain.stores.models import Store

    found = Store.objects.filter(code=code).first()
    if found is None:
        known = listed(Store.objects.order_by("code").values_list("code", flat=True)[:20])
        fail(
            _("There is no store “%(code)s”. There are: %(known)s.") % {"code": code, "known": known}
            if known
            else _("There is no store “%(code)s”. Add one: daifa stores add …") % {"code": code}
        )
    return found


def supplier_with(code: str) -> Any:
    from daifa.domain.sourcing.models import Supplier

    found = Supplier.objects.filter(code=code).first()
    if found is None:
        known = listed(Supplier.objects.order_by("code").values_list("code", flat=True)[:20])
        fail(
            _("There is no supplier “%(code)s”. There are: %(known)s.") % {"code": code, "known": known}
            if known
            else _("There is no supplier “%(code)s”. Add one: daifa suppliers add …") % {"code": code}
        )
    return found


def side() -> int:
    """Which of a pair (English, 中文) is shown."""
    return int((get_language() or "").lower().startswith("zh"))


def state(process: Process, code: str) -> str:
    """A state in the reader's words."""
    return process.words.get(code, (code, code))[side()]


def word(choices: Iterable[tuple[str, Any]], code: str) -> str:
    """A code in the words of a model's choices."""
    return str(dict(choices).get(code, code))


def code_of(text: str, words: Mapping[str, Any], sentence: str) -> str:
    """The code a person means by its name or by its word in either language; "" for nothing, a sentence for nonsense.

    `words`: code → (English, 中文) or one word. `sentence` holds %(text)s and %(known)s.
    """
    if text and text not in words:
        for code, said in words.items():
            if text in (said if isinstance(said, tuple) else (str(said),)):
                return code
        fail(sentence % {"text": text, "known": listed(words)})
    return text


def fail(sentence: str) -> NoReturn:
    """End with a sentence and exit code 1."""
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


@contextmanager
def sentences() -> Iterator[None]:
    """Refusals of commands end the program as sentences, not as tracebacks."""
    from daifa.lib.refusal import Refused

    try:
        yield
    except Refused as refused:
        fail(refused.sentence)
    except OSError as error:
        if isinstance(error, BrokenPipeError) or error.filename is None:
            raise
        fail(f"{error.filename}: {error.strerror}.")


def plain(value: Any) -> Any:
    """For JSON: amounts as text, moments in ISO 8601."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def put_json(value: Any) -> None:
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=1 if sys.stdout.isatty() else None))


def money(value: Decimal, currency: str) -> str:
    """1,234.50 GBP; more digits only where they are there."""
    from daifa.lib.money import minor_unit, rounded

    shown = rounded(value, currency)
    return (
        f"{shown if shown == value else value.normalize():,f} {currency}"
        if minor_unit(currency)
        else str(value)
    )


def when(value: datetime | None) -> str:
    """To the minute, in UTC (its Z says so): tables hold stores of many zones, and the machine's own is anybody's."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if value else ""


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", right: Sequence[int] = ()
) -> None:
    """A table for eyes; in a pipe it is not cut to the width of a window that is not there."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        shown.add_column(column, justify="right" if place in right else "left", overflow="fold")
    count = 0
    for row in rows:
        shown.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        count += 1
    if count:
        console.print(shown)
    else:
        typer.echo(_("Nothing here."))


def show(
    value: Any,
    as_json: bool,
    columns: Sequence[str],
    row: Callable[[Any], Sequence[Any]],
    *,
    right: Sequence[int] = (),
) -> None:
    """A list of things: as JSON, or as a table made by `row`."""
    if as_json:
        put_json(value)
    else:
        table(columns, [row(one) for one in value], right=right)


@contextmanager
def watched(label: str, *, quiet: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar on stderr while a person watches; gives `advance(done, total)`. Nothing in pipes or with JSON."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task(label, total=None)

        def advance(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield advance
