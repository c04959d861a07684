"""By the channel's connector: each listing sent once; what nobody knows is asked about first."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from daifa.connectors.contract import ListingAnswer
from daifa.connectors.errors import AnswerMissing, ConnectorError, NeedsPerson, NotSupported, TryLater
from daifa.connectors.errors import Refused as RefusedThere
from daifa.connectors.registry import LISTING_KINDS, channel_connector
from daifa.domain.catalog.process import PUBLICATION
from daifa.domain.history.commands import move
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.queries import installation, may_act_outward
from daifa.flows.publish_listings.door import Row, at_the_door, rows_of
from daifa.flows.publish_listings.outcomes import keep_numbers, mark_unknown, settle
from daifa.flows.publish_listings.outgoing import outgoing, references_of
from daifa.flows.publish_listings.tasks import PERSON
from daifa.lib import bulk
from daifa.lib.alone import alone

CALL_SIZE = 50  # listings in one call to a channel
TRIES = 3
_LOCK = "daifa.channel"  # the right to speak to one

log = logging.getLogger(__name__)


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
        mark_unknown(left, "The program ended in the middle of the call.", by=by, at=at)


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
        mark_unknown(doubted, "It may have gone out after the backup was taken.", by=by, at=at)


def _ask(connector: Any, store: int, counts: dict[str, int], *, by: str, at: datetime) -> None:
    """Known there → done; never heard of → ready again; no answer → it stays unknown."""
    unknown = [row[0] for row in bulk.fetch("SELECT id FROM catalog_publication WHERE store_id = %s AND state = 'unknown' ORDER BY id", (store,))]
    if not unknown:
        return
    references = references_of(unknown)
    try:
        found = connector.find_listings(list(references.values()), at=at)
    except ConnectorError:
        return
    except Exception as error:  # a broken answer is as good as none
        log.warning("Asking the channel of store %s failed: %s", store, type(error).__name__, exc_info=error)
        return
    outcomes, numbers = {}, {}
    for pk, reference in references.items():
        if reference not in found:
            continue
        answer = found[reference]
        if answer is None:
            outcomes[pk] = ("ready", "")
        else:
            outcomes[pk] = ("done", "") if answer.accepted else ("declined", answer.sentence or answer.code)
            numbers[pk] = answer.external_ids
    with transaction.atomic():
        settled = settle(outcomes, by=by, at=at, reason="the channel was asked")
        keep_numbers(numbers)
    counts["done"] += len(settled.get("done", []))
    counts["declined"] += len(settled.get("declined", []))


def _prepare(store: int, tried: Mapping[int, int], *, by: str, at: datetime) -> list[Row]:
    """Claim the next ready publications that still pass the gate. Commits, also where the gate stops all it looked at."""
    enough = [pk for pk, times in tried.items() if times >= TRIES]
    while True:
        with transaction.atomic():
            ids = [
                row[0]
                for row in bulk.fetch(
                    """SELECT id FROM catalog_publication WHERE store_id = %s AND state = 'ready' AND id <> ALL(%s::bigint[])
                       ORDER BY id LIMIT %s FOR NO KEY UPDATE""",
                    (store, enough, CALL_SIZE),
                )
            ]
            rows, _counts = at_the_door(rows_of(ids, states=("ready",)), at=at, by=by)
            claimed = set(move(PUBLICATION, [row.pk for row in rows], to="sending", by=by, at=at).moved)
        if claimed or len(ids) < CALL_SIZE:
            return [row for row in rows if row.pk in claimed]
        enough += ids


def _send(connector: Any, requests: list[Row], counts: dict[str, int], *, by: str, at: datetime) -> bool:
    """The call, outside any transaction. False = stop for now."""
    references = references_of([row.pk for row in requests])
    try:
        answers = connector.publish(outgoing(requests), at=at)
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
            for place, row in enumerate(requests, 1):
                if not _send(connector, [row], counts, by=by, at=at):
                    _give_back(requests[place:], counts, by=by, at=at)
                    return False
            return True
        answers = [ListingAnswer(references[requests[0].pk], False, code=no.code, sentence=no.sentence)]
    except Exception as error:  # a bug in the connector is no reason to send twice
        log.warning("Publishing failed: %s", type(error).__name__, exc_info=error)
        sentence = f"The program failed in the middle of the call ({type(error).__name__})."
        return _after_partial(connector, requests, sentence, counts, by=by, at=at, go_on=False)
    told = {answer.reference: answer for answer in answers}
    outcomes, numbers, silent = {}, {}, []
    for row in requests:
        answer = told.get(references[row.pk])
        if answer is None:  # a 200 that says nothing about one of ours
            silent.append(row.pk)
        else:
            outcomes[row.pk] = ("done", "") if answer.accepted else ("declined", answer.sentence or answer.code)
            numbers[row.pk] = answer.external_ids
    with transaction.atomic():
        settled = settle(outcomes, by=by, at=at, reason="the channel answered")
        keep_numbers(numbers)
        mark_unknown(silent, "The channel's answer did not mention it.", by=by, at=at)
        close_tasks(kind=PERSON, thing_kind="store", things=[requests[0].store], by=by, at=at)
    counts["done"] += len(settled.get("done", []))
    counts["declined"] += len(settled.get("declined", []))
    counts["unknown"] += len(silent)
    return True


def _give_back(rows: list[Row], counts: dict[str, int], *, by: str, at: datetime) -> None:
    """What the channel refused together and was not sent alone is ready again."""
    with transaction.atomic():
        settle({row.pk: ("ready", "") for row in rows}, by=by, at=at, reason="not sent alone yet")
    counts["later"] += len(rows)


def _after_partial(
    connector: Any, requests: list[Row], sentence: str, counts: dict[str, int], *, by: str, at: datetime, go_on: bool
) -> bool:
    """The call broke somewhere in the batch: everything in it is unknown until asked, at once."""
    ids = [row.pk for row in requests]
    with transaction.atomic():
        mark_unknown(ids, sentence, by=by, at=at)
    _ask(connector, requests[0].store, counts, by=by, at=at)
    left = dict(bulk.fetch("SELECT state, count(*) FROM catalog_publication WHERE id = ANY(%s::bigint[]) GROUP BY 1", (ids,)))
    counts["unknown"] += left.get("unknown", 0)
    counts["later"] += left.get("ready", 0)
    return go_on
