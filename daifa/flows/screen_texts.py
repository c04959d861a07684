"""Looks for restricted words in everything we publish or send, and keeps where they stand.

Products and listings with a word that must be changed are brought to a person. What an own site says to its buyers is
not leading them off a platform; a buyer's own note is looked at for one thing only: whether it asks to go elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.cases import queries as cases
from daifa.domain.cases.models import Qualification
from daifa.domain.cases.rules import Licence
from daifa.domain.catalog.models import Product
from daifa.domain.policy import commands, queries
from daifa.domain.policy.words import Publishing
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.commas import listed

FOUND = "words_found"
BATCH = 20_000

FIELDS = {
    "title": N_("title"),
    "description": N_("description"),
    "brand": N_("brand"),
    "category": N_("category"),
    "subject": N_("subject"),
    "text": N_("text"),
    "note": N_("note"),
}


class Text(NamedTuple):
    """One text of a thing; `own_site` = it is said on an own site only."""

    kind: str
    thing: int
    store: int | None
    name: str
    field: str
    text: str
    own_site: bool = False


# Each gives (thing, store, name, own site?, field and text in turn).
SOURCES = {
    "product": (
        ("title", "description", "brand", "category"),
        """SELECT id, NULL::bigint, handle, false, title, description, brand, category FROM catalog_product
           WHERE state <> 'retired' ORDER BY id""",
    ),
    "listing": (
        ("title",),
        """SELECT l.id, l.store_id, l.sku, s.kind = 'own_site', l.title FROM catalog_listingvariant l
           JOIN stores_store s ON s.id = l.store_id WHERE l.title <> '' AND l.state NOT IN ('delisted', 'closed') ORDER BY l.id""",
    ),
    "template": (
        ("subject", "text"),
        """SELECT t.id, t.store_id, t.kind || ' (' || t.language || ')', s.kind = 'own_site', t.subject, t.body
           FROM buyer_messages_messagetemplate t LEFT JOIN stores_store s ON s.id = t.store_id WHERE t.is_active ORDER BY t.id""",
    ),
    "agreement_note": (
        ("note",),
        """SELECT a.id, a.store_id, s.code, false, a.note FROM sourcing_agreement a
           JOIN sourcing_supplier s ON s.id = a.supplier_id WHERE a.note <> '' ORDER BY a.id""",
    ),
    "order_note": (
        ("note",),
        """SELECT o.id, o.store_id, o.number, s.kind = 'own_site', o.note FROM orders_order o
           JOIN stores_store s ON s.id = o.store_id
           WHERE o.note <> '' AND NOT o.is_history AND o.status NOT IN ('delivered', 'closed', 'cancelled') ORDER BY o.id""",
    ),
}  # fmt: skip
LISTS = {"product": ("terms", "categories", "brands"), "listing": ("terms", "categories", "brands")}
RANK = ("hint", "review", "block")
OF_BUYERS = ("order_note",)


def texts() -> Iterator[Text]:
    """Everything that is published or sent, one text after the other."""
    for kind, (names, sql) in SOURCES.items():
        for thing, store, name, own_site, *said in bulk.fetch(sql):
            for field, text in zip(names, said, strict=True):
                if text:
                    yield Text(kind, thing, store, str(name)[:255], field, text, bool(own_site))


def screen_texts(*, at: datetime, by: str = "job:screen_texts") -> int:
    """Look through everything anew; returns how many words were found. Runs hourly, and cheaply."""
    rows: list[tuple] = []
    batches: dict[tuple[str, bool], list[Text]] = defaultdict(list)
    for text in texts():
        batch = batches[text.kind, text.own_site]
        batch.append(text)
        if len(batch) >= BATCH:
            rows += _found(text.kind, text.own_site, batch)
            batch.clear()
    for (kind, own_site), batch in batches.items():
        rows += _found(kind, own_site, batch)
    rows.sort(key=lambda row: RANK.index(row[7]))  # the newest first in lists: what must be changed stands on top
    with transaction.atomic():
        commands.replace_findings(rows, at=at)
        _tasks(rows, by=by, at=at)
    return len(rows)


def _found(kind: str, own_site: bool, batch: list[Text]) -> list[tuple]:
    hits = queries.screen([one.text for one in batch], lists=LISTS.get(kind, ("terms",)), own_site=own_site)
    of_buyers = kind in OF_BUYERS
    return [
        (one.kind, one.thing, one.store, one.name, one.field, hit.term, hit.category, "hint" if of_buyers else hit.severity, hit.start, hit.end)
        for one, of_text in zip(batch, hits, strict=True)
        for hit in of_text
        if not of_buyers or hit.category == "off_platform_contact"
    ]  # fmt: skip


def _tasks(rows: list[tuple], *, by: str, at: datetime) -> None:
    """One task a store (0 = what is shared) while there is something that must be changed."""
    blocked: dict[int, set[tuple[str, int]]] = defaultdict(set)
    for kind, thing, store, _name, _field, _term, _category, severity, _start, _end in rows:
        if severity == "block":
            blocked[store or 0].add((kind, thing))
    known = [row[0] for row in bulk.fetch("SELECT thing FROM stores_task WHERE kind = %s AND closed_at IS NULL", (FOUND,))]
    close_tasks(kind=FOUND, thing_kind="words", things=[one for one in known if one not in blocked], by=by, at=at)
    for store, things in blocked.items():
        bulk.execute(
            "UPDATE stores_task SET params = %s WHERE kind = %s AND thing_kind = 'words' AND thing = %s AND closed_at IS NULL",
            (bulk.json({"count": len(things)}), FOUND, store),
        )
    open_tasks(
        [NewTask("words_found", store or None, "words", store, {"count": len(things)}) for store, things in blocked.items()], at=at
    )


# --- Before publishing ------------------------------------------------------------------------------------------


def said_of(product: Product, title: str = "") -> dict[str, str]:
    """What is published of a product: field → text. `title` = the store's own, where it has one."""
    return {
        "title": title or product.title, "description": product.description, "brand": product.brand, "category": product.category,
    }  # fmt: skip


def may_publish_product(product: Product) -> Publishing:
    """`policy.queries.may_publish` of a product's words, wherever it is sold and whoever holds which paper."""
    return queries.may_publish(said_of(product))


def may_publish_in(store: Store, product: Product, *, on: date, title: str = "") -> Publishing:
    """What a product's words and papers say about publishing it in a store; the whole gate is `publish_listings.gate`.

    `waits` True: a person has to look. Both False: words must be changed or a paper recorded, the sentence says which.
    """
    found = queries.may_publish(
        said_of(product, title), own_site=store.kind == "own_site", held_licences=held_licences(store.pk, on=on)
    )
    if not found.may:
        return found
    missing = [one for one in cases.missing_qualifications(store.pk, product.category, on) if one.blocks]
    if not missing:
        return found
    papers = listed(cases.licence_words(one.kinds) for one in missing)
    sentence = _("Goods of this category need a paper first: %(papers)s. Record it under qualifications.") % {"papers": papers}
    return replace(found, may=False, sentence=sentence, licences=tuple(one.kinds[0] for one in missing))


def held_licences(store_id: int, *, on: date) -> list[str]:
    """Kinds of papers the store holds on that day; who may trade the higher class of devices may trade the lower."""
    held = {
        kind
        for kind, *days in Qualification.objects.filter(store_id=store_id).values_list(
            "kind", "category", "valid_from", "valid_until", "withdrawn_on"
        )
        if Licence(kind, *days).counts_on(on)
    }
    if "medical_device_3" in held:
        held.add("medical_device_2")
    return sorted(held)


def field_word(name: str) -> str:
    """What a field of a text is called, in the reader's language."""
    return _(FIELDS.get(name, name))
