"""What stands against publishing, in sentences: what, why, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from daifa.domain.cases import queries as cases
from daifa.domain.cases.process import RIGHTS
from daifa.domain.catalog.rules import Reason
from daifa.domain.policy import words
from daifa.flows.screen_texts import field_word
from daifa.lib.commas import listed


def sentences(reasons: Sequence[Reason] | Sequence[Any]) -> list[str]:
    """What stands against publishing, one sentence a reason, in the reader's language: what, why, what to do."""
    return [_sentence(code, params) for code, params in reasons]


_SHUT = {"closing": ("closing", "闭店中"), "closed": ("closed", "已关闭"), "archived": ("archived", "已归档"), "frozen": ("frozen", "已冻结")}


def _sentence(code: str, params: Mapping[str, Any]) -> str:
    chinese = int((get_language() or "").startswith("zh"))
    if code == "store_shut":
        state = _SHUT.get(params["state"], (params["state"],) * 2)[chinese]
        return _("The store is %(state)s: nothing is published there.") % {"state": state}
    if code == "limit":
        return _("The platform allows no new listings (violation %(reference)s): wait until the limit ends, or appeal.") % params
    if code == "retired":
        return _("The product is retired; take another one.")
    if code == "nothing_listed":
        return _("No SKU of it is listed in this store: add it to the store first.")
    if code == "title_missing":
        return _("It has no title; enter one.")
    if code == "words":
        return _("%(words)s must not be said: change the text, then publish again.%(note)s") % {
            "words": _words(params["words"]), "note": _notes(params["words"]),
        }  # fmt: skip
    if code == "notice":
        return _("Notice %(reference)s (%(right)s) is open against it: answer it first, or concede.") % {
            "reference": params["reference"], "right": RIGHTS[params["right"]][chinese],
        }  # fmt: skip
    if code == "notice_lost":
        return _("Notice %(reference)s (%(right)s) ended against it: it stays down unless you record the right to use it.") % {
            "reference": params["reference"], "right": RIGHTS[params["right"]][chinese],
        }  # fmt: skip
    if code == "price_missing":
        return _("No price in this store: %(skus)s. Enter one for each SKU.") % {"skus": _few(params)}
    if code == "source_missing":
        return _("No supplier's offer is mapped: %(skus)s. Its orders would be held; map an offer first.") % {"skus": _few(params)}
    if code == "paper":
        return _("Goods of the category %(category)s need a paper: %(papers)s. Record it under qualifications; it goes on by itself then.") % {
            "category": params["category"] or "–", "papers": cases.licence_words(params["kinds"]),
        }  # fmt: skip
    if code == "goods":
        if params.get("kinds"):
            return _("%(words)s: such goods need a paper (%(papers)s). Record it, or say why these are no such goods.") % {
                "words": _words(params["words"]), "papers": listed(cases.licence_words([kind]) for kind in params["kinds"]),
            }  # fmt: skip
        return _("%(words)s: restricted goods. A person has to look.%(note)s") % {
            "words": _words(params["words"]), "note": _notes(params["words"]),
        }  # fmt: skip
    if code == "brand":
        return _("%(words)s: show that you may sell the brand. Record the right on the listing, or say which proof you hold.") % {
            "words": _words(params["words"])
        }
    if code == "look":
        return _("A person must look: %(words)s.%(note)s") % {"words": _words(params["words"]), "note": _notes(params["words"])}
    if code == "pictures":
        return _("By what right are its pictures used? Record it on the listing, or say where they come from.")
    return code


def _words(found: Sequence[Sequence[str]], most: int = 5) -> str:
    """“最佳” (absolute claim, in the title), …"""
    named = [
        _("“%(term)s” (%(category)s, in the %(field)s)") % {"term": term, "category": words.category_word(category), "field": field_word(name)}
        for name, term, category in found
    ]
    return listed(named[:most]) + (" …" if len(named) > most else "")


def _notes(found: Sequence[Sequence[str]]) -> str:
    """What the lists advise about the first of the words, where they say something."""
    notes = {term.term: str(term.note) for term in words.shipped().terms}
    said = next((notes[term] for _field, term, _category in found if notes.get(term)), "")
    return f" {said}" if said else ""


def _few(params: Mapping[str, Any]) -> str:
    return listed(params["skus"]) + (" …" if params["count"] > len(params["skus"]) else "")
