"""Where things are looked at and settled: the addresses other pages lead to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse


def place(name: str, *args: Any, **query: Any) -> str | None:
    """The address of a page, None where there is none of this name."""
    try:
        url = reverse(f"web:{name}", args=args)
    except NoReverseMatch:
        return None
    return f"{url}?{urlencode(query)}" if query else url


def order(order_id: int | None) -> str | None:
    return place("order", order_id) if order_id else None


def of_import(source: str) -> str | None:
    """ "import:12" → the page of that import."""
    kind, _colon, number = source.partition(":")
    return place("import", int(number)) if kind == "import" and number.isdigit() else None


# thing_kind of a task or a happening → name of the page of one such thing.
_PAGES = {
    "order": "order", "purchase_order": "purchase", "run": "run", "purchase_run": "run", "parcel": "parcel",
    "message": "message", "reminder": "reminder", "supplier": "supplier", "import": "import", "supplier_offer": "offer",
    "store_review": "exit_index_store", "parcel_check": "parcel_check", "sample": "sample", "agreement": "agreement", "risk": "risk",
    "closing_step": "closing_step", "standing": "store_life",
    "violation": "violation", "complaint": "complaint", "infringement": "infringement", "qualification": "qualification",
    "picture_cover": "picture",
    "evidence_pack": "evidence_pack",
    "listing_file": "listing_file", "publication": "publication", "aftersale_case": "case", "refund": "refund", "scan": "parcel",
}  # fmt: skip


def of_thing(kind: str, thing: int) -> str | None:
    return place(_PAGES[kind], thing) if thing and kind in _PAGES else None
