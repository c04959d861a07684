"""Publishing: the gate before a listing goes out, its way to the channel, and what brings it down again.

A listing is the listing variants of one product in one store. What is to be published is judged and written down as a
publication; what a person must look at waits; what may go out goes once: by the channel's connector, or in a file that
a person uploads and confirms. At the door the gate is asked again, so that nothing goes out by an old verdict.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from daifa.connectors.contract import ListingAnswer, OutgoingListing, OutgoingVariant
from daifa.connectors.errors import AnswerMissing, ConnectorError, NeedsPerson, NotSupported, TryLater
from daifa.connectors.errors import Refused as RefusedThere
from daifa.connectors.manual import listings as upload
from daifa.connectors.registry import LISTING_KINDS, channel_connector
from daifa.domain.cases import queries as cases
from daifa.domain.cases.process import INFRINGEMENT, RIGHTS
from daifa.domain.catalog import commands, rules
from daifa.domain.catalog.commands import NewPublication
from daifa.domain.catalog.models import ListingFile
from daifa.domain.catalog.process import PUBLICATION
from daifa.domain.catalog.rules import GRAVE, Facts, Hit, Notice, Reason, Right, Verdict
from daifa.domain.closing import queries as closing
from daifa.domain.history.commands import move
from daifa.domain.policy import queries as policy
from daifa.domain.policy import words
from daifa.domain.policy.commands import approve_texts, note_lists
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.domain.stores.queries import installation, may_act_outward
from daifa.flows.screen_texts import field_word, held_licences
from daifa.lib import bulk
from daifa.lib.alone import alone
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused

WAIT, UPLOAD, UNKNOWN, AGAINST, PERSON = (
    "listings_wait", "listings_to_upload", "publication_unknown", "listings_against_rules", "channel_needs_person",
)  # fmt: skip
CALL_SIZE = 50  # listings in one call to a channel
FILE_SIZE = 5000  # listings in one file
TRIES = 3
_LOCK = "daifa.channel"  # the right to speak to one
LISTS = ("terms", "categories", "brands")

log = logging.getLogger(__name__)


# --- What is known ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Judged:
    """One listing as it would go out now, and the verdict over it."""

    product: int
    verdict: Verdict
    listings: list[int]
    states: dict[int, str]
    content: dict[str, Any]
    digest: str  # of the words and the picture: what a person's approval is of
    text_digest: str
    hits: list[Hit]
    lists: int


def judge(store: Store, product_ids: Sequence[int], *, at: datetime, by: str = "job:judge") -> dict[int, Judged]:
    """The gate, asked for many products of one store at once: product → what would go out and what stands against it.

    The same number of statements for one and for a thousand. Products that are not there are left out.
    """
    on = at.astimezone(ZoneInfo(store.timezone)).date()
    own_site = store.kind == "own_site"
    products = bulk.fetch(
        "SELECT id, handle, title, description, brand, category, image, state FROM catalog_product WHERE id = ANY(%s::bigint[]) ORDER BY id",
        (list(product_ids),),
    )
    skus: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for product, *row in bulk.fetch(
        """SELECT v.product_id, l.id, l.sku, l.title, l.price, coalesce(nullif(l.currency, ''), %s), l.state, v.options, v.barcode, v.weight_g,
                  EXISTS (SELECT FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id
                          WHERE m.variant_id = v.id AND m.state = 'verified' AND o.state IN ('live', 'unavailable'))
           FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
           WHERE l.store_id = %s AND v.product_id = ANY(%s::bigint[]) ORDER BY v.product_id, l.id""",
        (store.currency, store.pk, list(product_ids)),
    ):
        skus[product].append(tuple(row))
    lists = note_lists(by=by, at=at)
    said: dict[int, dict[str, str]] = {}
    for pk, _handle, title, description, brand, category, _image, _state in products:
        own = next((row[2] for row in skus[pk] if row[2]), "")
        said[pk] = {"title": own or title, "description": description, "brand": brand, "category": category}
    texts = [text for of_product in said.values() for text in of_product.values()]
    found = iter(policy.screen(texts, lists=LISTS, own_site=own_site))
    hits = {
        pk: [Hit(name, one.term, one.category, one.severity, one.start, one.end) for name in of_product for one in next(found)]
        for pk, of_product in said.items()
    }
    text_digests = {pk: words.digest_of(of_product.values()) for pk, of_product in said.items()}
    digests = {pk: hashlib.sha256(f"{text_digests[pk]}\0{image}".encode()).hexdigest() for pk, *_rest, image, _state in products}
    shared = _shared_facts(store, on=on, at=at)
    approved = policy.approved_texts(set(text_digests.values()))
    passed = _let_pass(store.pk, digests)
    notices, rights = _notices(store.pk, list(said)), _rights(store.pk, list(said))
    papers = cases.missing_by_category(store, {of_product["category"] for of_product in said.values()}, on)
    goods = {term: one.licence for one in words.shipped().goods for term in one.terms}
    judged = {}
    for pk, handle, _title, _description, brand, category, image, state in products:
        rows = skus[pk]
        allowed, allowed_words = passed.get(pk, (set(), set()))
        if text_digests[pk] in approved:
            allowed, allowed_words = allowed | {"goods", "brand", "look"}, None
        verdict = rules.decide(
            Facts(
                on=on, hits=hits[pk], goods=goods, papers_missing=[one.kinds for one in papers[category] if one.blocks], category=category,
                notices=notices.get(pk, ()), rights=rights.get(pk, ()), has_picture=bool(image), is_retired=state == "retired",
                title=said[pk]["title"], skus=[row[1] for row in rows], without_price=[row[1] for row in rows if row[3] is None],
                without_source=[row[1] for row in rows if not row[9]], allowed=allowed, allowed_words=allowed_words, **shared,
            )
        )  # fmt: skip
        content = {
            "handle": handle, "title": said[pk]["title"], "description": said[pk]["description"], "brand": brand, "category": category,
            "image": image,
            "variants": [
                {"listing": row[0], "sku": row[1], "price": None if row[3] is None else f"{row[3]:f}", "currency": row[4],
                 "options": [list(pair) for pair in json.loads(row[6]).items()], "barcode": row[7], "weight_g": row[8]}
                for row in rows
            ],
        }  # fmt: skip
        judged[pk] = Judged(
            pk, verdict, [row[0] for row in rows], {row[0]: row[5] for row in rows}, content, digests[pk], text_digests[pk], hits[pk], lists.pk
        )
    return judged


def _shared_facts(store: Store, *, on: date, at: datetime) -> dict[str, Any]:
    """What holds for every listing of a store: whether it is open, limits of the platform, papers held."""
    life, standing = closing.lifecycle(store.pk), closing.standing(store.pk)
    shut = life if life in ("closing", "closed", "archived") else "frozen" if standing == "frozen" else ""
    limits = [one for one in cases.consequences_in_force([store.pk], at=at) if one["kind"] == "listing_limit"]
    return {"shut": shut, "limit": limits[0]["reference"] if limits else "", "held": held_licences(store.pk, on=on)}


def _let_pass(store: int, digests: Mapping[int, str]) -> dict[int, tuple[set[str], set[str] | None]]:
    """Product → what a person let pass for exactly this text and picture in this store, and the words that stood in it."""
    found: dict[int, tuple[set[str], set[str] | None]] = {}
    for product, allowed, hits in bulk.fetch(
        """SELECT p.product_id, p.allowed, p.hits FROM catalog_publication p
           JOIN unnest(%s::bigint[], %s::text[]) AS d(product, digest) ON d.product = p.product_id AND d.digest = p.digest
           WHERE p.store_id = %s AND cardinality(p.allowed) > 0""",
        (list(digests), list(digests.values()), store),
    ):
        codes, terms = found.get(product, (set(), set()))
        found[product] = codes | set(allowed), (terms or set()) | {hit[1] for hit in json.loads(hits)}
    return found


def _notices(store: int, products: Sequence[int]) -> dict[int, list[Notice]]:
    found: dict[int, list[Notice]] = defaultdict(list)
    for product, reference, right, state in bulk.fetch(
        """SELECT v.product_id, i.reference, i.right, i.state FROM cases_infringement i
           JOIN catalog_listingvariant l ON l.id = i.listing_id JOIN catalog_variant v ON v.id = l.variant_id
           WHERE i.store_id = %s AND v.product_id = ANY(%s::bigint[]) ORDER BY i.id""",
        (store, list(products)),
    ):
        found[product].append(Notice(reference, right, state if INFRINGEMENT.is_final(state) else ""))
    return found


def _rights(store: int, products: Sequence[int]) -> dict[int, list[Right]]:
    found: dict[int, list[Right]] = defaultdict(list)
    for product, right, first, last in bulk.fetch(
        """SELECT v.product_id, r.right, r.valid_from, r.valid_until FROM cases_listingright r
           JOIN catalog_listingvariant l ON l.id = r.listing_id JOIN catalog_variant v ON v.id = l.variant_id
           WHERE l.store_id = %s AND v.product_id = ANY(%s::bigint[])""",
        (store, list(products)),
    ):
        found[product].append(Right(right, first, last))
    return found


# --- Listing and retiring -----------------------------------------------------------------------------------------


def draft(*, store_id: int, names: Sequence[str], price: Decimal | None = None, by: str, at: datetime) -> list[int]:
    """List products in a store, not published yet, named by a SKU or their handle; returns the listing variants made.

    `price` is for every SKU of them. Raises `Refused` where a name is unknown or nothing is new.
    """
    found = dict(
        bulk.fetch(
            """SELECT n.name, p.id FROM unnest(%s::text[]) AS n(name)
               LEFT JOIN catalog_variant v ON v.sku = n.name
               JOIN catalog_product p ON p.id = v.product_id OR (v.id IS NULL AND p.handle = n.name)""",
            (list(names),),
        )
    )
    if unknown := [name for name in dict.fromkeys(names) if name not in found]:
        raise Refused(
            _("The catalogue has no %(names)s. Import the products first; capitals matter.") % {"names": ", ".join(unknown[:10])},
            code="not_found", field="products",
        )  # fmt: skip
    products = sorted(set(found.values()))
    skus = [row[0] for row in bulk.fetch("SELECT sku FROM catalog_variant WHERE product_id = ANY(%s::bigint[])", (products,))]
    made = commands.draft_listings(
        store_id=store_id, product_ids=products, prices=dict.fromkeys(skus, price) if price is not None else None, by=by, at=at
    )
    if not made:
        raise Refused(_("All of it is listed in this store already."), code="known", field="products")
    return made


def retire(product_ids: Sequence[int], *, by: str, at: datetime, reason: str = "") -> list[int]:
    """Take products out of use: their listings go off sale, and the channels are told. Returns those retired."""
    with transaction.atomic():
        for store, products in _stores_selling(product_ids).items():
            withdraw_from_channel(store_id=store, product_ids=products, action="delist", by=by, at=at, reason=reason or "retired")
        return commands.retire_products(product_ids, by=by, at=at, reason=reason)


def _stores_selling(product_ids: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for store, product in bulk.fetch(
        """SELECT DISTINCT l.store_id, v.product_id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
           WHERE v.product_id = ANY(%s::bigint[]) AND l.state IN ('live', 'paused') ORDER BY 1, 2""",
        (list(product_ids),),
    ):
        found.setdefault(store, []).append(product)
    return found


# --- Asking for it ------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What became of one product: `state` ready, waiting, refused, unchanged or busy; `sentences` in the reader's language."""

    state: str
    sentences: list[str]
    publication: int | None = None


@dataclass(slots=True)
class Published:
    """Products by what became of them. `busy`: an earlier publication of it is on its way to the channel."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def of(self, state: str) -> list[int]:
        return [product for product, outcome in self.outcomes.items() if outcome.state == state]


def publish(*, store_id: int, product_ids: Sequence[int], by: str, at: datetime) -> Published:
    """Ask for listings of a store to be published, or published anew: each is judged and written down with its verdict.

    Ready ones go out with the next call or file; waiting ones appear on Today; refused ones say what to change. One
    that reads as the channel has it already is unchanged. One that was asked for before and has not gone out is replaced.
    """
    store = Store.objects.get(pk=store_id)
    result = Published()
    with transaction.atomic():
        _hold(store_id, product_ids)
        judged = judge(store, product_ids, at=at, by=by)
        open_now, last = _earlier(store_id, list(judged))
        fresh, replaced = [], []
        for product, one in judged.items():
            earlier = open_now.get(product)
            if earlier and earlier.state in ("filed", "sending", "unknown"):
                result.outcomes[product] = Outcome(
                    "busy", [_("An earlier version is on its way to the channel: say first what became of it.")], earlier.pk
                )
                continue
            same = last.get(product)
            if (
                one.verdict.state == "ready" and earlier is None and same is not None and same.action == "publish"
                and same.content == one.content and set(one.states.values()) == {"live"}
            ):  # fmt: skip
                result.outcomes[product] = Outcome("unchanged", [_("The channel has it like this already.")], same.pk)
                continue
            if earlier:
                replaced.append(earlier.pk)
            fresh.append(one)
        commands.withdraw_publications(replaced, by=by, at=at, reason="asked for anew")
        ids = commands.add_publications(
            [
                NewPublication(store_id, one.product, "publish", one.verdict.state, one.listings, one.content, one.digest, one.lists,
                               one.verdict.reasons, one.hits)
                for one in fresh
            ],
            by=by, at=at,
        )  # fmt: skip
        for pk, one in zip(ids, fresh, strict=True):
            result.outcomes[one.product] = Outcome(one.verdict.state, sentences(one.verdict.reasons), pk)
        _count_waiting([store_id], by=by, at=at)
    return result


def withdraw_from_channel(
    *, store_id: int, product_ids: Sequence[int], action: Literal["pause", "delist"], by: str, at: datetime, reason: str = ""
) -> Published:
    """Ask the channel to pause listings or to take them off sale. No gate stands before that; drafts are simply dropped."""
    result = Published()
    with transaction.atomic():
        _hold(store_id, product_ids)
        rows = _on_sale(store_id, product_ids)
        open_now, last = _earlier(store_id, list(rows))
        fresh: list[NewPublication] = []
        replaced = []
        for product, (listings, states, content) in rows.items():
            earlier = open_now.get(product)
            if earlier and earlier.state in ("filed", "sending", "unknown"):
                result.outcomes[product] = Outcome(
                    "busy", [_("An earlier version is on its way to the channel: say first what became of it.")], earlier.pk
                )
                continue
            if earlier:
                replaced.append(earlier.pk)
            if not set(states) & ({"live"} if action == "pause" else {"live", "paused", "taken_down"}):
                result.outcomes[product] = Outcome("unchanged", [_("It is not on sale.")])
                continue
            known = last.get(product)
            fresh.append(NewPublication(store_id, product, action, "ready", listings, known.content if known else content, "", None))
        commands.withdraw_publications(replaced, by=by, at=at, reason=reason or "asked for anew")
        drafts = [
            listing for listings, states, _content in rows.values() for listing, state in zip(listings, states, strict=True)
            if state == "draft"
        ]  # fmt: skip
        if action == "delist":
            commands.move_listings(drafts, to="delisted", by=by, at=at, reason=reason)
        for pk, one in zip(commands.add_publications(fresh, by=by, at=at, reason=reason), fresh, strict=True):
            result.outcomes[one.product] = Outcome("ready", [], pk)
        _count_waiting([store_id], by=by, at=at)
    return result


def _hold(store_id: int, product_ids: Sequence[int]) -> None:
    """Whoever touches the same listings waits: rows are locked in id order."""
    commands.lock_listings(
        [
            row[0]
            for row in bulk.fetch(
                """SELECT l.id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
                   WHERE l.store_id = %s AND v.product_id = ANY(%s::bigint[])""",
                (store_id, list(product_ids)),
            )
        ]
    )


def _on_sale(store_id: int, product_ids: Sequence[int]) -> dict[int, tuple[list[int], list[str], dict[str, Any]]]:
    """Product → its listing variants in a store, their states, and enough content to name it to the channel."""
    found = {}
    for product, handle, title, listings, states, variants in bulk.fetch(
        """SELECT p.id, p.handle, p.title, array_agg(l.id ORDER BY l.id), array_agg(l.state ORDER BY l.id),
                  jsonb_agg(jsonb_build_object('listing', l.id, 'sku', l.sku, 'price', l.price::text, 'currency', l.currency,
                                               'options', '[]'::jsonb, 'barcode', v.barcode, 'weight_g', v.weight_g) ORDER BY l.id)
           FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id JOIN catalog_product p ON p.id = v.product_id
           WHERE l.store_id = %s AND p.id = ANY(%s::bigint[]) GROUP BY p.id ORDER BY p.id""",
        (store_id, list(product_ids)),
    ):
        content = {"handle": handle, "title": title, "description": "", "brand": "", "category": "", "image": "", "variants": json.loads(variants)}
        found[product] = (listings, states, content)
    return found


class Earlier(NamedTuple):
    """A publication that was asked for before."""

    pk: int
    state: str
    action: str
    digest: str
    content: dict[str, Any]


def _earlier(store_id: int, products: Sequence[int]) -> tuple[dict[int, Earlier], dict[int, Earlier]]:
    """(product → the one that is open, product → the last one the channel took)."""
    open_now: dict[int, Earlier] = {}
    last: dict[int, Earlier] = {}
    for product, pk, state, action, digest, content in bulk.fetch(
        """SELECT DISTINCT ON (product_id, state = 'done') product_id, id, state, action, digest, content FROM catalog_publication
           WHERE store_id = %s AND product_id = ANY(%s::bigint[])
             AND state IN ('waiting', 'ready', 'filed', 'sending', 'unknown', 'done')
           ORDER BY product_id, state = 'done', id DESC""",
        (store_id, list(products)),
    ):
        (last if state == "done" else open_now)[product] = Earlier(pk, state, action, digest, json.loads(content))
    return open_now, last


def products_of(listing_ids: Sequence[int]) -> dict[int, list[int]]:
    """Store → products to which these listing variants belong; those linked to no variant are left out."""
    found: dict[int, list[int]] = {}
    for store, product in bulk.fetch(
        """SELECT DISTINCT l.store_id, v.product_id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
           WHERE l.id = ANY(%s::bigint[]) ORDER BY 1, 2""",
        (list(listing_ids),),
    ):
        found.setdefault(store, []).append(product)
    return found


# --- A person's word ----------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A publication as it stands."""

    pk: int
    store: int
    product: int
    state: str
    action: str
    digest: str
    content: dict[str, Any]


def _rows(ids: Sequence[int], *, states: Sequence[str]) -> list[Row]:
    return [
        Row(*row[:6], json.loads(row[6]))
        for row in bulk.fetch(
            """SELECT id, store_id, product_id, state, action, digest, content FROM catalog_publication
               WHERE id = ANY(%s::bigint[]) AND state = ANY(%s::text[]) ORDER BY id""",
            (list(ids), list(states)),
        )
    ]


@dataclass(slots=True)
class Decided:
    """Publications a person decided on, and a sentence for each one that could not be."""

    done: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


@transaction.atomic
def approve(ids: Sequence[int], *, reason: str, by: str, at: datetime) -> Decided:
    """A person looked at these waiting publications and lets them out, with the reason, kept as evidence.

    The approval is of this text and picture. A paper that is missing is not waved through, nor a word that must be
    changed; where the words were changed meanwhile, it has to be asked for anew.
    """
    result = Decided()
    rows = _rows(ids, states=("waiting",))
    for missed in set(ids) - {row.pk for row in rows}:
        result.refused[missed] = _("It does not wait for a person any more.")
    allowed: dict[int, list[str]] = {}
    texts: list[str] = []
    for row, one in _judged(rows, at=at, by=by):
        if one is None or one.digest != row.digest:
            result.refused[row.pk] = _("The words were changed meanwhile: publish it again.")
        elif one.verdict.state == "refused" or not (one.verdict.approvable or one.verdict.state == "ready"):
            stops = [reason for reason in one.verdict.reasons if reason[0] not in rules.APPROVABLE]
            result.refused[row.pk] = " ".join(sentences(stops))
        else:
            allowed[row.pk] = [code for code, _params in one.verdict.reasons]
            texts.append(one.text_digest)
    if allowed:
        result.done = commands.approve_publications(allowed, reason=reason, by=by, at=at).moved
        approve_texts(texts, reason=reason, by=by, at=at)
    elif not reason.strip():
        commands.approve_publications({}, reason=reason, by=by, at=at)
    _count_waiting(sorted({row.store for row in rows}), by=by, at=at)
    return result


@transaction.atomic
def send_back(ids: Sequence[int], *, reason: str, by: str, at: datetime) -> Decided:
    """A person looked and wants it changed first; the reason says what."""
    stores = sorted({row.store for row in _rows(ids, states=("waiting",))})
    moved = commands.return_publications(ids, reason=reason, by=by, at=at)
    _count_waiting(stores, by=by, at=at)
    return Decided(moved.moved, {pk: _("It does not wait for a person any more.") for pk in moved.others})


@transaction.atomic
def withdraw(ids: Sequence[int], *, by: str, at: datetime) -> Decided:
    """Take back what waits or is ready and has not gone out."""
    stores = sorted({row.store for row in _rows(ids, states=("waiting", "ready"))})
    moved = commands.withdraw_publications(ids, by=by, at=at, reason="withdrawn by a person")
    _count_waiting(stores, by=by, at=at)
    return Decided(moved.moved, {pk: _("It has gone out or is over already.") for pk in moved.others})


def _judged(rows: Sequence[Row], *, at: datetime, by: str) -> list[tuple[Row, Judged | None]]:
    """The publications with what would go out now; None where the product is gone."""
    of_store: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        of_store[row.store].append(row.product)
    stores = Store.objects.in_bulk(list(of_store))
    verdicts = {store: judge(stores[store], products, at=at, by=by) for store, products in of_store.items()}
    return [(row, verdicts[row.store].get(row.product)) for row in rows]


def judge_again(*, at: datetime, by: str = "job:judge", store_id: int | None = None) -> dict[str, int]:
    """Look anew at what waits: a paper that came lets it go on, a new word may stop it. Returns how many, by new state."""
    ids = [
        row[0]
        for row in bulk.fetch(
            "SELECT id FROM catalog_publication WHERE state = 'waiting' AND (%s::bigint IS NULL OR store_id = %s::bigint) ORDER BY id",
            (store_id, store_id),
        )
    ]
    if not ids:
        return {}
    with transaction.atomic():
        counts = _at_the_door(_rows(ids, states=("waiting",)), at=at, by=by)[1]
    return counts


def _at_the_door(rows: Sequence[Row], *, at: datetime, by: str) -> tuple[list[Row], dict[str, int]]:
    """(those that may go out as they were judged, how many went elsewhere). Pausing and taking off sale need no gate."""
    free = [row for row in rows if row.action != "publish"]
    asked = _judged([row for row in rows if row.action == "publish"], at=at, by=by)
    changed = [row.pk for row, one in asked if one is None or one.digest != row.digest or one.content != row.content]
    commands.withdraw_publications(changed, by=by, at=at, reason="changed meanwhile: to be published anew")
    verdicts = {
        row.pk: (one.verdict.state, one.verdict.reasons, one.hits, one.lists)
        for row, one in asked
        if one is not None and row.pk not in set(changed)
    }
    moved = commands.judge_anew(verdicts, by=by, at=at)
    may = {pk for pk, verdict in verdicts.items() if verdict[0] == "ready"}
    counts = {state: len(ids) for state, ids in moved.items() if ids} | ({"withdrawn": len(changed)} if changed else {})
    _count_waiting(sorted({row.store for row in rows}), by=by, at=at)
    return [*free, *(row for row, _one in asked if row.pk in may)], counts


def _count_waiting(stores: Sequence[int], *, by: str, at: datetime) -> None:
    """One task a store while something waits there for a person."""
    counts = dict(
        bulk.fetch(
            "SELECT store_id, count(*) FROM catalog_publication WHERE state = 'waiting' AND store_id = ANY(%s::bigint[]) GROUP BY 1",
            (list(stores),),
        )
    )
    _one_task_a_store("listings_wait", stores, counts, by=by, at=at)


def _one_task_a_store(kind: str, stores: Sequence[int], counts: Mapping[int, int], *, by: str, at: datetime) -> None:
    close_tasks(kind=kind, thing_kind="listings", things=[one for one in stores if not counts.get(one)], by=by, at=at)
    bulk.execute(
        """UPDATE stores_task t SET params = jsonb_build_object('count', c.count)
           FROM unnest(%s::bigint[], %s::int[]) AS c(store, count)
           WHERE t.kind = %s AND t.thing_kind = 'listings' AND t.thing = c.store AND t.closed_at IS NULL""",
        (list(counts), list(counts.values()), kind),
    )
    if kind == WAIT:
        tasks = [NewTask("listings_wait", store, "listings", store, {"count": count}) for store, count in counts.items()]
    else:
        tasks = [NewTask("listings_against_rules", store, "listings", store, {"count": count}) for store, count in counts.items()]
    open_tasks(tasks, at=at)


# --- By file ------------------------------------------------------------------------------------------------------


def speaks_for_itself(store_id: int) -> bool:
    """Whether the store's channel takes listings by a connector; else a person uploads a file."""
    return bool(bulk.fetch("SELECT FROM stores_channelaccount WHERE store_id = %s AND connector = ANY(%s::text[])", (store_id, list(LISTING_KINDS))))


def make_file(*, store_id: int, by: str, at: datetime, layout: str = "") -> ListingFile | None:
    """The file with everything that may go out in a store: fixed, kept, and the same whenever it is downloaded.

    `layout` "" = as its channel takes it. None = nothing may go out now. What is in it stays there until a person says
    whether it was uploaded. Raises `Refused` for a store whose channel is spoken to directly.
    """
    store = Store.objects.get(pk=store_id)
    if speaks_for_itself(store_id):
        raise Refused(_("The channel of %(store)s is told directly; it needs no file.") % {"store": store.name}, code="connected")
    if layout and layout not in upload.LAYOUTS:
        raise Refused(_("Files are laid out as one of: %(known)s.") % {"known": ", ".join(upload.LAYOUTS)}, code="layout_unknown", field="layout")
    chosen: Any = layout or upload.layout_of(store.channel)
    with transaction.atomic():
        number = commands.take_number(store_id)
        ids = [
            row[0]
            for row in bulk.fetch(
                "SELECT id FROM catalog_publication WHERE store_id = %s AND state = 'ready' ORDER BY id LIMIT %s FOR NO KEY UPDATE",
                (store_id, FILE_SIZE),
            )
        ]
        rows, _counts = _at_the_door(_rows(ids, states=("ready",)), at=at, by=by)
        if not rows:
            return None
        content, sha256, count = upload.write_listings([_outgoing(row) for row in rows], layout=chosen, language=store.language)
        file = commands.fix_file(
            [row.pk for row in rows], store_id=store_id, number=number, layout=chosen,
            name=upload.file_name(store.code, number, chosen), content=content, sha256=sha256, rows=count, by=by, at=at,
        )  # fmt: skip
        open_tasks([NewTask("listings_to_upload", store_id, "listing_file", file.pk, {"name": file.name, "count": len(rows)})], at=at)
    return file


@transaction.atomic
def settle_file(*, file_id: int, uploaded: bool, by: str, at: datetime) -> list[int]:
    """A person says whether she uploaded a file: then its listings are on sale (or off), else they are ready again.

    Returns the publications it settled. Raises `Refused` where somebody said so before.
    """
    ids = commands.close_file(file_id, to="uploaded" if uploaded else "dropped", by=by, at=at)
    _settle(dict.fromkeys(ids, ("done" if uploaded else "ready", "")), by=by, at=at, reason="uploaded" if uploaded else "not uploaded")
    close_tasks(kind=UPLOAD, thing_kind="listing_file", things=[file_id], by=by, at=at)
    return ids


def _settle(outcomes: Mapping[int, tuple[str, str]], *, by: str, at: datetime, reason: str = "") -> dict[str, list[int]]:
    """Write down what became of publications, and move their listings with them."""
    settled = commands.settle_publications(outcomes, by=by, at=at, reason=reason)
    done = _done(settled.get("done", []))
    for action, to in (("publish", "live"), ("pause", "paused"), ("delist", "delisted")):
        listings = [listing for of_action, of_publication in done if of_action == action for listing in of_publication]
        commands.move_listings(listings, to=to, by=by, at=at, reason=reason or "the channel has it")
    close_tasks(kind=UNKNOWN, thing_kind="publication", things=[pk for pk, (state, _a) in outcomes.items() if state != "unknown"], by=by, at=at)
    return settled


def _done(ids: Sequence[int]) -> list[tuple[str, list[int]]]:
    """(action, listing variants) of publications the channel took. What a notice has taken down since stays down."""
    return bulk.fetch(
        """SELECT p.action, p.listings FROM catalog_publication p WHERE p.id = ANY(%s::bigint[])
           AND (p.action <> 'publish' OR NOT EXISTS (
               SELECT FROM cases_infringement i JOIN catalog_listingvariant l ON l.id = i.listing_id
               JOIN catalog_variant v ON v.id = l.variant_id
               WHERE i.store_id = p.store_id AND v.product_id = p.product_id AND l.state = 'taken_down'
                 AND i.state = ANY(%s::text[])))""",
        (list(ids), list(cases.OPEN_INFRINGEMENT)),
    )


def _outgoing(row: Row) -> OutgoingListing:
    content = row.content
    return OutgoingListing(
        reference=reference_of(row.pk), action=row.action, handle=content["handle"], title=content["title"],  # type: ignore[arg-type]
        description=content["description"], brand=content["brand"], category=content["category"], image=content["image"],
        variants=tuple(
            OutgoingVariant(
                one["sku"], None if one["price"] is None else Decimal(one["price"]), one["currency"],
                tuple((str(name), str(value)) for name, value in one["options"]), one["barcode"], one["weight_g"],
            )
            for one in content["variants"]
        ),
    )  # fmt: skip


def reference_of(publication: int) -> str:
    """Our reference of a publication: what a channel is asked by."""
    here = installation()
    return f"{here.code if here else ''}L{publication}"


# --- By the channel's connector -----------------------------------------------------------------------------------


def send_listings(*, at: datetime, by: str = "job:send_listings") -> dict[str, int]:
    """Send what is ready to channels that can be told, each once; ask first about what is unknown. Counts by outcome."""
    counts = {"done": 0, "declined": 0, "unknown": 0, "later": 0}
    if not may_act_outward(at):
        return counts
    for store, code, kind, script in _channels_with_work():
        with alone(_LOCK, store) as mine:
            if not mine:
                continue
            connector = channel_connector(kind=kind, code=code, script=script, home=Path(settings.DAIFA_HOME))
            _own_leftovers(store, by=by, at=at)
            _doubt_restored(store, by=by, at=at)
            _ask(connector, store, counts, by=by, at=at)
            tried: dict[int, int] = defaultdict(int)
            while requests := _prepare(store, tried, by=by, at=at):
                for row in requests:
                    tried[row.pk] += 1
                if not _send(connector, requests, counts, by=by, at=at):
                    break
    return counts


def ask_channels(*, at: datetime, by: str = "job:ask_channels") -> dict[str, int]:
    """Ask channels about publications whose fate is unknown, without sending anything."""
    counts = {"done": 0, "declined": 0, "unknown": 0, "later": 0}
    for store, code, kind, script in _channels_with_work():
        with alone(_LOCK, store) as mine:
            if mine:
                connector = channel_connector(kind=kind, code=code, script=script, home=Path(settings.DAIFA_HOME))
                _own_leftovers(store, by=by, at=at)
                _ask(connector, store, counts, by=by, at=at)
    return counts


def _channels_with_work() -> list[tuple[int, str, str, dict[str, Any]]]:
    return [
        (store, code, kind, json.loads(script))
        for store, code, kind, script in bulk.fetch(
            """SELECT s.id, s.code, a.connector, a.settings FROM stores_channelaccount a JOIN stores_store s ON s.id = a.store_id
               WHERE a.connector = ANY(%s::text[])
                 AND EXISTS (SELECT FROM catalog_publication p WHERE p.store_id = s.id AND p.state IN ('ready', 'sending', 'unknown'))
               ORDER BY s.id""",
            (list(LISTING_KINDS),),
        )
    ]


def _own_leftovers(store: int, *, by: str, at: datetime) -> None:
    """What a crash left in `sending` (we hold the store's lock) is unknown from now on."""
    with transaction.atomic():
        left = [row[0] for row in bulk.fetch("SELECT id FROM catalog_publication WHERE store_id = %s AND state = 'sending' ORDER BY id", (store,))]
        _mark_unknown(left, "The program ended in the middle of the call.", by=by, at=at)


def _doubt_restored(store: int, *, by: str, at: datetime) -> None:
    """In a restored copy, what was ready at the time of the backup may have gone out since: it is asked about first."""
    here = installation()
    if here is None or here.backup_taken_at is None:
        return
    with transaction.atomic():
        suspects = [
            row[0]
            for row in bulk.fetch(
                "SELECT id FROM catalog_publication WHERE store_id = %s AND state = 'ready' AND at <= %s ORDER BY id",
                (store, here.backup_taken_at),
            )
        ]
        doubted = move(PUBLICATION, suspects, to="sending", by=by, at=at, reason="restored from a backup").moved
        _mark_unknown(doubted, "It may have gone out after the backup was taken.", by=by, at=at)


def _mark_unknown(ids: Sequence[int], sentence: str, *, by: str, at: datetime) -> None:
    """Nobody knows whether the channel has them: nothing is sent again, and a person hears of it until it was asked."""
    marked = commands.settle_publications(dict.fromkeys(ids, ("unknown", sentence)), by=by, at=at, reason=sentence).get("unknown", [])
    open_tasks(
        [
            NewTask("publication_unknown", store, "publication", pk, {"title": title})
            for pk, store, title in bulk.fetch(
                "SELECT id, store_id, content->>'title' FROM catalog_publication WHERE id = ANY(%s::bigint[])", (marked,)
            )
        ],
        at=at,
    )


def _ask(connector: Any, store: int, counts: dict[str, int], *, by: str, at: datetime) -> None:
    """Known there → done; never heard of → ready again; no answer → it stays unknown."""
    unknown = [row[0] for row in bulk.fetch("SELECT id FROM catalog_publication WHERE store_id = %s AND state = 'unknown' ORDER BY id", (store,))]
    if not unknown:
        return
    try:
        found = connector.find_listings([reference_of(pk) for pk in unknown], at=at)
    except ConnectorError:
        return
    except Exception as error:  # a broken answer is as good as none
        log.warning("Asking the channel of store %s failed: %s", store, type(error).__name__, exc_info=error)
        return
    outcomes, numbers = {}, {}
    for pk in unknown:
        reference = reference_of(pk)
        if reference not in found:
            continue
        answer = found[reference]
        if answer is None:
            outcomes[pk] = ("ready", "")
        else:
            outcomes[pk] = ("done", "") if answer.accepted else ("declined", answer.sentence or answer.code)
            numbers[pk] = answer.external_ids
    with transaction.atomic():
        settled = _settle(outcomes, by=by, at=at, reason="the channel was asked")
        _keep_numbers(numbers)
    counts["done"] += len(settled.get("done", []))
    counts["declined"] += len(settled.get("declined", []))


def _prepare(store: int, tried: Mapping[int, int], *, by: str, at: datetime) -> list[Row]:
    """Claim the next ready publications that still pass the gate. Commits."""
    enough = [pk for pk, times in tried.items() if times >= TRIES]
    with transaction.atomic():
        ids = [
            row[0]
            for row in bulk.fetch(
                """SELECT id FROM catalog_publication WHERE store_id = %s AND state = 'ready' AND id <> ALL(%s::bigint[])
                   ORDER BY id LIMIT %s FOR NO KEY UPDATE""",
                (store, enough, CALL_SIZE),
            )
        ]
        rows, _counts = _at_the_door(_rows(ids, states=("ready",)), at=at, by=by)
        claimed = set(move(PUBLICATION, [row.pk for row in rows], to="sending", by=by, at=at).moved)
        if ids and not claimed and len(ids) == CALL_SIZE:
            return _prepare(store, {**tried, **dict.fromkeys(ids, TRIES)}, by=by, at=at)
    return [row for row in rows if row.pk in claimed]


def _send(connector: Any, requests: list[Row], counts: dict[str, int], *, by: str, at: datetime) -> bool:
    """The call, outside any transaction. False = stop for now."""
    try:
        answers = connector.publish([_outgoing(row) for row in requests], at=at)
    except TryLater as later:
        return _after_partial(connector, requests, later.sentence, counts, by=by, at=at, go_on=False)
    except AnswerMissing as missing:
        return _after_partial(connector, requests, missing.sentence, counts, by=by, at=at, go_on=True)
    except NeedsPerson as need:
        _after_partial(connector, requests, need.sentence, counts, by=by, at=at, go_on=False)
        open_tasks([NewTask("channel_needs_person", requests[0].store, "store", requests[0].store, {"sentence": need.sentence})], at=at)
        return False
    except (RefusedThere, NotSupported) as no:
        if len(requests) > 1:  # one of them is not wanted: each alone shows which
            outcomes = [_send(connector, [row], counts, by=by, at=at) for row in requests]
            return all(outcomes)
        answers = [ListingAnswer(reference_of(requests[0].pk), False, code=no.code, sentence=no.sentence)]
    except Exception as error:  # a bug in the connector is no reason to send twice
        log.warning("Publishing failed: %s", type(error).__name__, exc_info=error)
        sentence = f"The program failed in the middle of the call ({type(error).__name__})."
        return _after_partial(connector, requests, sentence, counts, by=by, at=at, go_on=False)
    told = {answer.reference: answer for answer in answers}
    outcomes, numbers, silent = {}, {}, []
    for row in requests:
        answer = told.get(reference_of(row.pk))
        if answer is None:  # a 200 that says nothing about one of ours
            silent.append(row.pk)
        else:
            outcomes[row.pk] = ("done", "") if answer.accepted else ("declined", answer.sentence or answer.code)
            numbers[row.pk] = answer.external_ids
    with transaction.atomic():
        settled = _settle(outcomes, by=by, at=at, reason="the channel answered")
        _keep_numbers(numbers)
        _mark_unknown(silent, "The channel's answer did not mention it.", by=by, at=at)
        close_tasks(kind=PERSON, thing_kind="store", things=[requests[0].store], by=by, at=at)
    counts["done"] += len(settled.get("done", []))
    counts["declined"] += len(settled.get("declined", []))
    counts["unknown"] += len(silent)
    return True


def _after_partial(
    connector: Any, requests: list[Row], sentence: str, counts: dict[str, int], *, by: str, at: datetime, go_on: bool
) -> bool:
    """The call broke somewhere in the batch: everything in it is unknown until asked, at once."""
    ids = [row.pk for row in requests]
    with transaction.atomic():
        _mark_unknown(ids, sentence, by=by, at=at)
    _ask(connector, requests[0].store, counts, by=by, at=at)
    left = dict(bulk.fetch("SELECT state, count(*) FROM catalog_publication WHERE id = ANY(%s::bigint[]) GROUP BY 1", (ids,)))
    counts["unknown"] += left.get("unknown", 0)
    counts["later"] += left.get("ready", 0)
    return go_on


def _keep_numbers(numbers: Mapping[int, Mapping[str, str]]) -> None:
    given = {pk: dict(of_skus) for pk, of_skus in numbers.items() if of_skus}
    if not given:
        return
    found = {}
    for pk, listing, sku in bulk.fetch(
        """SELECT p.id, l.id, l.sku FROM catalog_publication p JOIN catalog_listingvariant l ON l.id = ANY(p.listings)
           WHERE p.id = ANY(%s::bigint[])""",
        (list(given),),
    ):
        if number := given[pk].get(sku):
            found[listing] = number
    commands.keep_external_ids(found)


@transaction.atomic
def settle_unknown(ids: Sequence[int], *, there: bool, by: str, at: datetime) -> Decided:
    """A person looked at the channel: it is there, or it is not and goes out again."""
    settled = _settle(dict.fromkeys(ids, ("done" if there else "ready", "")), by=by, at=at, reason="a person looked")
    moved = [pk for of_state in settled.values() for pk in of_state]
    return Decided(moved, {pk: _("It is known what became of it.") for pk in set(ids) - set(moved)})


# --- Notices of rights --------------------------------------------------------------------------------------------

DOWN = ("taken_down", "upheld", "conceded")
UP = ("restored", "retracted")


def follow_infringements(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Reaction to `infringements_moved`: a takedown takes its listing down; one that is restored goes up through the gate."""
    rows = bulk.fetch(
        """SELECT i.id, i.state, i.store_id, i.reference, v.product_id FROM cases_infringement i
           JOIN catalog_listingvariant l ON l.id = i.listing_id LEFT JOIN catalog_variant v ON v.id = l.variant_id
           WHERE i.id = ANY(%s::bigint[]) ORDER BY i.id""",
        (things,),
    )
    down: dict[int, list[tuple[int, str]]] = defaultdict(list)
    up: dict[int, list[int]] = defaultdict(list)
    for _case, state, store, reference, product in rows:
        if product is not None and state in DOWN:
            down[store].append((product, reference))
        elif product is not None and state in UP:
            up[store].append(product)
    for store, found in down.items():
        of_listing = _on_sale(store, [product for product, _reference in found])
        commands.move_listings(
            sorted({one for listings, _states, _content in of_listing.values() for one in listings}), to="taken_down", by=by, at=at,
            reason=", ".join(dict.fromkeys(reference for _product, reference in found)),
        )  # fmt: skip
    for store, products in up.items():
        _restore(store, products, by=by, at=at)
    return {}


def _restore(store_id: int, products: Sequence[int], *, by: str, at: datetime) -> None:
    """The platform put listings back: what passes the gate as it was is live; the rest is asked for like any other."""
    _hold(store_id, products)
    judged = judge(Store.objects.get(pk=store_id), products, at=at, by=by)
    _open, last = _earlier(store_id, products)
    back, again = [], []
    for product, one in judged.items():
        down = [listing for listing, state in one.states.items() if state == "taken_down"]
        known = last.get(product)
        if not down:
            continue
        if one.verdict.state == "ready" and (known is None or known.digest in ("", one.digest)):
            back += down
        else:
            again.append(product)
    commands.move_listings(back, to="live", by=by, at=at, reason="restored by the platform")
    if again:
        publish(store_id=store_id, product_ids=again, by=by, at=at)


# --- What is on sale ----------------------------------------------------------------------------------------------


def watch_listings(*, at: datetime, by: str = "job:watch_listings") -> dict[str, int]:
    """Look whether what is on sale may stay there: new words, papers that ended, open notices. Counts what was found.

    Words come from the last look at all texts (`screen_texts`); only listings with something to look at are judged.
    """
    note_lists(by=by, at=at)
    rows: list[tuple[Any, ...]] = []
    grave: dict[int, int] = {}
    for store in Store.objects.all():
        candidates = _candidates(store, at=at)
        for product, one in (judge(store, candidates, at=at, by=by) if candidates else {}).items():
            reasons = [reason for reason in one.verdict.reasons if reason[0] in (*GRAVE, "brand", "look")]
            if reasons:
                is_grave = any(code in GRAVE for code, _params in reasons)
                rows.append((store.pk, product, is_grave, [list(reason) for reason in reasons], one.lists, at))
                grave[store.pk] = grave.get(store.pk, 0) + is_grave
        for product, reasons in _shown_otherwise(store, {row[1] for row in rows if row[0] == store.pk}).items():
            rows.append((store.pk, product, True, [list(reason) for reason in reasons], None, at))
            grave[store.pk] = grave.get(store.pk, 0) + 1
    grave = {store: count for store, count in grave.items() if count}
    with transaction.atomic():
        commands.replace_concerns(rows)
        known = [row[0] for row in bulk.fetch("SELECT thing FROM stores_task WHERE kind = %s AND closed_at IS NULL", (AGAINST,))]
        _one_task_a_store("listings_against_rules", [*known, *grave], grave, by=by, at=at)
    return {"looked_at": len(rows), "grave": sum(grave.values())}


def _shown_otherwise(store: Store, known: set[int]) -> dict[int, list[Reason]]:
    """Words that must not be said in what a channel still shows, although our own text was changed since it was published."""
    shown = [
        (product, json.loads(content))
        for product, content in bulk.fetch(
            """SELECT u.product_id, u.content FROM (
                   SELECT DISTINCT ON (q.product_id) q.product_id, q.content FROM catalog_publication q
                   WHERE q.store_id = %(store)s AND q.state = 'done' AND q.action = 'publish' ORDER BY q.product_id, q.id DESC) u
               JOIN catalog_product p ON p.id = u.product_id
               WHERE u.product_id <> ALL(%(known)s::bigint[])
                 AND EXISTS (SELECT FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
                             WHERE l.store_id = %(store)s AND l.state = 'live' AND v.product_id = p.id)
                 AND (u.content->>'title', u.content->>'description', u.content->>'brand', u.content->>'category') IS DISTINCT FROM
                     (coalesce((SELECT nullif(l.title, '') FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
                                WHERE l.store_id = %(store)s AND v.product_id = p.id AND l.title <> '' ORDER BY l.id LIMIT 1), p.title),
                      p.description, p.brand, p.category)""",
            {"store": store.pk, "known": list(known)},
        )
    ]
    names = ("title", "description", "brand", "category")
    texts = [content[name] for _product, content in shown for name in names]
    found = iter(policy.screen(texts, lists=LISTS, own_site=store.kind == "own_site"))
    result: dict[int, list[Reason]] = {}
    for product, _content in shown:
        said = [[name, hit.term, hit.category] for name in names for hit in next(found) if hit.severity == "block"]
        if said:
            result[product] = [("words", {"words": said})]
    return result


def _candidates(store: Store, *, at: datetime) -> list[int]:
    """Products on sale in a store in whose words something was found, whose category lacks a paper, or with an open notice."""
    on = at.astimezone(ZoneInfo(store.timezone)).date()
    by_category = dict(
        bulk.fetch(
            """SELECT p.category, array_agg(DISTINCT p.id) FROM catalog_listingvariant l
               JOIN catalog_variant v ON v.id = l.variant_id JOIN catalog_product p ON p.id = v.product_id
               WHERE l.store_id = %s AND l.state = 'live' GROUP BY 1""",
            (store.pk,),
        )
    )
    if not by_category:
        return []
    missing = cases.missing_by_category(store, by_category, on)
    found = {product for category, needs in missing.items() if any(need.blocks for need in needs) for product in by_category[category]}
    found |= {
        row[0]
        for row in bulk.fetch(
            """SELECT DISTINCT v.product_id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
               WHERE l.store_id = %(store)s AND l.state = 'live' AND (
                 EXISTS (SELECT FROM policy_textfinding f WHERE f.severity <> 'hint'
                         AND (f.kind = 'product' AND f.thing = v.product_id OR f.kind = 'listing' AND f.thing = l.id)
                         AND NOT (%(own_site)s AND f.category = 'off_platform_contact'))
                 OR EXISTS (SELECT FROM cases_infringement i WHERE i.listing_id = l.id AND i.state = ANY(%(notices)s::text[])))""",
            {"store": store.pk, "own_site": store.kind == "own_site", "notices": [*cases.OPEN_INFRINGEMENT, *rules.GONE]},
        )
    }
    return sorted(found)


# --- Said ---------------------------------------------------------------------------------------------------------


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

