"""How values look on the wire: money, pages of lists, numbers of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from django.http import FileResponse, HttpRequest
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from ninja import Field, Query, Schema
from ninja.errors import HttpError
from ninja.files import UploadedFile
from ninja.parser import Parser
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from daifa.api.errors import Problem, not_found
from daifa.lib.money import minor_unit
from daifa.lib.paging import Cursor

T = TypeVar("T")

MOST_ID = 2**63 - 1
Id = Annotated[int, Field(ge=1, le=MOST_ID)]
"""A row's number, in an address or a body."""

Limit = Annotated[int, Query(50, ge=1, le=200, description="At most so many items.")]
After = Annotated[str | None, Query(None, max_length=400, description="`next` of the page before this one.")]
Words = Annotated[str | None, Query(None, max_length=120)]
Number = Annotated[int | None, Query(None, ge=1, le=MOST_ID)]
Moment = Annotated[datetime | None, Query(None, description="ISO 8601 with its zone, or UTC.")]




def _within_reason(value: Any) -> Any:
    """A moment or day of this age, as every clock and calendar here can reckon with; moments get their zone."""
    if not 1970 <= value.year <= 2199:
        raise PydanticCustomError("out_of_range", str(_("%(value)s is no day of this age") % {"value": value}))
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


At = Annotated[datetime, AfterValidator(_within_reason)]
"""A moment in a body: ISO 8601 with its zone, or UTC."""
Day = Annotated[date, AfterValidator(_within_reason)]
"""A calendar day in a body or a query."""
Amount = Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 12, decimal_places=4)]
AmountOrNothing = Annotated[Decimal, Field(ge=0, lt=Decimal(10) ** 12, decimal_places=4)]


class MoneyOut(Schema):
    """An amount as text, so that no program reads it into binary fractions, and its ISO 4217 currency."""

    amount: str = Field(examples=["12.34"])
    currency: str = Field(examples=["GBP"])


class Page(Schema, Generic[T]):
    """One page of a list. `next` is the `after` of the following page, null on the last."""

    items: list[T]
    next: str | None = None


class Done(Schema):
    """What a command did: ids of the things it changed, and a sentence for each it refused."""

    done: list[int]
    refused: list[str] = []


def money(amount: Decimal | None, currency: str) -> dict[str, str] | None:
    """At least the currency's minor units, more digits where they are stored (unit prices)."""
    if amount is None:
        return None
    unit = minor_unit(currency)
    amount = amount.normalize()
    if amount.as_tuple().exponent > unit.as_tuple().exponent:
        amount = amount.quantize(unit)
    return {"amount": f"{amount:f}", "currency": currency}


_KINDS: dict[str, Callable[[Any], bool]] = {
    "moment": lambda value: isinstance(value, datetime) and value.tzinfo is not None,
    "id": lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_ID,
    "text": lambda value: isinstance(value, str) and "\0" not in value,
}


def cursor_of(order: Sequence[str], kinds: Sequence[str], after: str | None) -> Cursor:
    """The cursor of an `after`; one that was not given out for this list is refused."""
    cursor = Cursor.read(order, after=after)
    if after and (
        cursor.key is None
        or not all(_KINDS[kind](value) for kind, value in zip(kinds, cursor.key, strict=True))
    ):
        raise Problem(
            422, "bad_cursor", _("`after` does not belong to this list; take it from `next`."), "after"
        )
    return cursor


def page_of(rows: Sequence[Any], limit: int, cursor: Cursor, shape: Callable[[Any], Any]) -> dict[str, Any]:
    """The page of `rows`, which were asked for with `limit` + 1."""
    shown = rows[:limit]
    return {
        "items": [shape(row) for row in shown],
        "next": cursor.token(shown[-1]) if len(rows) > limit and shown else None,
    }


def aware(moment: datetime | None) -> datetime | None:
    """A moment without a zone is taken as UTC."""
    if moment is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment


MOST_FILES = 20


def contents_of(files: Sequence[UploadedFile], most: int) -> list[tuple[str, bytes]]:
    """Name and bytes of uploaded files; never more than `most` bytes and one of each."""
    if len(files) > MOST_FILES:
        raise Problem(422, "too_many_files", _("At most %(count)d files at once.") % {"count": MOST_FILES})
    return [(one.name or "file", one.read(most + 1)) for one in files]


def file_answer(path: Path | None, name: str, media_type: str) -> FileResponse:
    """A stored file as a download in which nothing can run; 404 where its bytes are gone."""
    if path is None or not path.is_file():
        raise not_found()
    response = FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type=media_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def a_file(description: str, media_type: str = "application/octet-stream") -> dict[str, Any]:
    """What the document says of an endpoint that answers with a file: its `openapi_extra`."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"responses": {200: {"description": description, "content": content}}}


class CarefulParser(Parser):
    """Refuses the NUL character, which no text in the database can hold, wherever it stands."""

    def parse_body(self, request: HttpRequest) -> Any:
        body = super().parse_body(request)
        if b"\\u0000" in request.body or b"\0" in request.body:
            raise HttpError(400, "NUL")
        return body

    def parse_querydict(self, data: MultiValueDict, list_fields: list[str], request: HttpRequest) -> Any:
        # Uploaded files come this way too; they may hold anything.
        if any("\0" in value for _key, values in data.lists() for value in values if isinstance(value, str)):
            raise Problem(422, "invalid", _("The request holds a NUL character; leave it out."))
        return super().parse_querydict(data, list_fields, request)
