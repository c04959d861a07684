"""The public status of a store: a page, a badge and the same as JSON, without a login, for anybody and any cache.

Only what `closing.queries.public_status` gives: no person, no sum, no order. The owner switches it on; until then, and
for every other address, there is nothing here.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape
from django.utils.translation import gettext as _

from daifa.domain.closing.queries import Status, public_status
from daifa.lib import clock
from daifa.web.kit import format as fmt

SECONDS = 300
WORDS = {
    "open": ("open", "营业中"),
    "limited": ("limited", "暂受限"),
    "closing": ("closing", "即将关闭"),
    "closed": ("closed", "已关闭"),
}
COLOURS = {"open": "#2fb344", "limited": "#f59f00", "closing": "#f76707", "closed": "#667382"}


def _status(slug: str) -> Status | None:
    return public_status(slug, at=clock.now())


def _language(request: HttpRequest, status: Status) -> str:
    """`?lang=zh` or `?lang=en`, else the language of the store's buyers: the address alone decides, for caches."""
    asked = request.GET.get("lang", "")
    if asked in ("zh", "en"):
        return "zh-hans" if asked == "zh" else "en"
    return "zh-hans" if status.language.lower().startswith("zh") else "en"


def _answer(request: HttpRequest, content: str, content_type: str) -> HttpResponse:
    """With a tag, so that who has it already is told so in a line; nothing about the visitor is read or kept."""
    body = content.encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    fresh = tag in request.headers.get("If-None-Match", "")
    response = HttpResponse(b"" if fresh else body, status=304 if fresh else 200, content_type=content_type)
    response["ETag"] = tag
    response["Cache-Control"] = f"public, max-age={SECONDS}"
    response["Access-Control-Allow-Origin"] = "*"
    response["X-Robots-Tag"] = "noindex"
    return response


def _nothing() -> HttpResponse:
    with translation.override("en"):
        return HttpResponse(
            "There is no status page here. 此处没有状态页。\n", status=404, content_type="text/plain; charset=utf-8",
            headers={"Cache-Control": "public, max-age=60"},
        )  # fmt: skip


def status_page(request: HttpRequest, slug: str) -> HttpResponse:
    status = _status(slug)
    if status is None:
        return _nothing()
    with translation.override(_language(request, status)):
        chinese = fmt.is_chinese()
        content = render_to_string(
            "web/pages/status.html",
            {
                "status": status, "word": WORDS[status.word][int(chinese)], "sentences": sentences(status),
                "language": "zh-Hans" if chinese else "en", "other": "en" if chinese else "zh",
                "changed": _day(status.changed_at.date()),
            },
        )  # fmt: skip
    return _answer(request, content, "text/html; charset=utf-8")


def sentences(status: Status) -> list[str]:
    """What buyers should know, in the language in force."""
    found = []
    if status.word == "open":
        found.append(_("The store is open."))
    elif status.word == "limited":
        found.append(_("The store is limited for now. Orders that were paid are delivered, and after-sales go on."))
        found.append(_("It goes on taking orders.") if status.takes_orders else _("It takes no new orders for now."))
    elif status.word == "closing":
        found.append(_("The store is closing and takes no new orders. Orders that were paid are delivered."))
        if status.notice_ends:
            found.append(_("Public notice until %(date)s.") % {"date": _day(status.notice_ends)})
        if status.closes_on:
            found.append(_("It closes on %(date)s (expected).") % {"date": _day(status.closes_on)})
    else:
        found.append(_("The store is closed."))
    if status.word in ("closing", "closed") and status.claims_until:
        found.append(
            _("Returns, refunds and claims are handled until %(date)s; what the law gives buyers beyond that stays theirs.")
            % {"date": _day(status.claims_until)}
        )
    return found


def _day(day: date) -> str:
    return fmt.date_text(day)


def status_json(request: HttpRequest, slug: str) -> HttpResponse:
    status = _status(slug)
    if status is None:
        return _nothing()
    english, chinese = WORDS[status.word]
    told = {
        "store": status.name, "status": status.word, "words": {"en": english, "zh": chinese},
        "since": _iso(status.since), "notice_ends": _iso(status.notice_ends), "closes_on": _iso(status.closes_on),
        "claims_until": _iso(status.claims_until), "takes_orders": status.takes_orders, "contact": status.contact,
        "changed_at": status.changed_at.isoformat(),
    }  # fmt: skip
    for language, code in (("en", "en"), ("zh", "zh-hans")):
        with translation.override(code):
            told.setdefault("sentences", {})[language] = sentences(status)
    return _answer(request, json.dumps(told, ensure_ascii=False), "application/json; charset=utf-8")


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def status_badge(request: HttpRequest, slug: str) -> HttpResponse:
    """A small picture for the shop's own pages."""
    status = _status(slug)
    if status is None:
        return _nothing()
    chinese = _language(request, status) != "en"
    label = "店铺状态" if chinese else "store"
    word = WORDS[status.word][int(chinese)]
    left, right = _width(label), _width(word)
    full = left + right
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{full}" height="20" role="img" aria-label="{escape(label)}: {escape(word)}">'
        f"<title>{escape(label)}: {escape(word)}</title>"
        f'<clipPath id="r"><rect width="{full}" height="20" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="20" fill="#344150"/><rect x="{left}" width="{right}" height="20" fill="{COLOURS[status.word]}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,Noto Sans,Noto Sans CJK SC,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14">{escape(label)}</text><text x="{left + right / 2:g}" y="14">{escape(word)}</text></g></svg>'
    )
    return _answer(request, svg, "image/svg+xml; charset=utf-8")


def _width(text: str) -> int:
    return 12 + sum(12 if ord(sign) > 0x2E80 else 7 for sign in text)
