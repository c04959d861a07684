"""Moves reckoned clocks by what platforms announced and buyers agreed to: on the temporary tables of a reckoning.

One statement for each exception that can touch something: there are few at a time, and none where nothing was announced.
`rules.due_at` says the same for one clock; a test compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from daifa.domain.compliance import announced, announced_queries, rules
from daifa.domain.compliance.announced import Announced
from daifa.domain.policy import queries as policy
from daifa.lib import bulk


class Exceptions(NamedTuple):
    """What may move clocks of some stores: announcements with the stores they hold in, and what agreements move there."""

    announced: list[tuple[Announced, list[int]]]
    agreed: dict[int, list[str]]


def exceptions_of(asked: Sequence[Any], *, on: date) -> Exceptions:
    """Of these stores (`id, channel, kind, country`)."""
    found = announced_queries.in_stores(asked, on=on)
    scope = [store.id for store in asked]
    agreed: dict[int, list[str]] = {}
    if bulk.fetch(
        "SELECT EXISTS (SELECT FROM compliance_agreeddispatch WHERE withdrawn_at IS NULL AND store_id = ANY(%s::bigint[]))", (scope,)
    )[0][0]:
        for store in asked:
            book = {rule.id: rule for rule in policy.rules(policy.book_name(store.channel), on=on, store_id=store.id)}
            agreed[store.id] = sorted(announced.agreed_kinds(book, own_site=store.kind in announced_queries.OWN_SITES))
    return Exceptions(found, agreed)


def move(exceptions: Exceptions, *, second: bool = False) -> None:
    """Move what stands in `clock_now`: the clocks of the first round, or (`second`) those that begin where they ran out."""
    if exceptions.announced:
        span = bulk.fetch(
            "SELECT min(least(since, started_at)) - interval '1 day', max(greatest(since, due_at)) + interval '1 day' FROM clock_now"
        )[0]
        for one, stores in exceptions.announced:
            kinds = [kind for kind in one.kinds if (kind in announced.SECOND) == second]
            if kinds and span[0] is not None and one.first <= span[1].date() and one.last >= span[0].date():
                _announced(one, stores, kinds)
    if exceptions.agreed and not second:
        _agreed(exceptions.agreed)


def _announced(one: Announced, stores: Sequence[int], kinds: Sequence[str]) -> None:
    given: dict[str, Any] = {
        "stores": list(stores), "kinds": list(kinds), "first": one.first, "last": one.last, "code": one.code,
        "seconds": one.seconds, "until": one.until,
    }  # fmt: skip
    there = there_in(one, stores, "clock_now")
    match one.effect:
        case "extend":
            query = f"""UPDATE clock_now n SET due_at = x.due_at, why = concat_ws(',', nullif(n.why, ''), x.code)
                FROM (SELECT c.ctid AS row, %(code)s::text AS code,
                             greatest(c.started_at + make_interval(secs => %(seconds)s::bigint),
                                      (%(until)s::date + 1)::timestamp AT TIME ZONE s.zone) AS due_at
                      FROM clock_now c JOIN clock_store s ON s.store_id = c.store_id
                      WHERE c.store_id = ANY(%(stores)s::bigint[]) AND c.kind = ANY(%(kinds)s::text[]) AND {_BEGAN} {there}) AS x
                WHERE x.row = n.ctid AND x.due_at > n.due_at"""
            bulk.execute(query, _only(query, given))
        case "pause":
            _pause(one, given, there)
        case "waive":
            which = _BEGAN if one.goes_by == "start" else _FALLS
            query = f"""UPDATE clock_now n SET stake = CASE WHEN n.stake IS NULL THEN NULL ELSE 0 END,
                               why = concat_ws(',', nullif(n.why, ''), %(code)s::text)
                FROM clock_now c JOIN clock_store s ON s.store_id = c.store_id
                WHERE c.ctid = n.ctid AND c.store_id = ANY(%(stores)s::bigint[]) AND c.kind = ANY(%(kinds)s::text[])
                  AND {which} {there}"""
            bulk.execute(query, _only(query, given))
    drop_there(one)


_BEGAN = "(c.since AT TIME ZONE s.zone)::date BETWEEN %(first)s AND %(last)s"
_FALLS = "((c.due_at - interval '1 microsecond') AT TIME ZONE s.zone)::date BETWEEN %(first)s AND %(last)s"
_FIRST = "(%(first)s::date::timestamp AT TIME ZONE s.zone)"
_LAST = "((%(last)s::date + 1)::timestamp AT TIME ZONE s.zone)"


def _only(query: str, given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if f"%({name})" in query}


def _pause(one: Announced, given: dict[str, Any], there: str) -> None:
    """Hours stand still; of days, those of the pause are not counted, which few different days ask for."""
    touched = f"""c.store_id = ANY(%(stores)s::bigint[]) AND c.kind = ANY(%(kinds)s::text[])
                  AND c.due_at > {_FIRST} AND greatest(c.started_at, coalesce(c.ran_from, c.started_at)) < {_LAST} {there}"""
    lines = """LEFT JOIN clock_line l ON l.store_id = c.store_id AND l.mode = c.mode AND l.rule = c.rule AND l.kind = c.kind
                    AND (l.by_end OR l.days IS NOT NULL)
                    AND (l.begins IS NULL OR c.since >= l.begins) AND (l.ends IS NULL OR c.since < l.ends)
                    AND l.readings & c.readings <> 0"""
    before = rules.SAME_DAY_BEFORE
    query = f"""SELECT DISTINCT l.days, l.calendar, l.by_end, s.zone, (c.started_at AT TIME ZONE s.zone)::date,
                       extract(hour FROM c.started_at AT TIME ZONE s.zone)::int >= {before}
                FROM clock_now c JOIN clock_store s ON s.store_id = c.store_id {lines.replace("LEFT JOIN", "JOIN")} WHERE {touched}"""
    rows = []
    for days, calendar, by_end, zone, day, is_after in bulk.fetch(query, _only(query, given)):
        line = rules.ClockLine("", "", "", None, days=days, calendar=calendar or "", by_end_of_day=by_end)
        local = rules.noon(day, zone, after=is_after)
        rows.append((days or 0, calendar or "", by_end, zone, day, is_after, rules.paused_days(line, local, one, zone)))
    bulk.execute(
        """CREATE TEMP TABLE clock_paused (days int, calendar text, by_end boolean, zone text, day date, after boolean,
               due_at timestamptz) ON COMMIT DROP"""
    )
    bulk.copy_rows("clock_paused", ("days", "calendar", "by_end", "zone", "day", "after", "due_at"), rows)
    query = f"""UPDATE clock_now n SET due_at = greatest(x.due_at, n.due_at), ran_from = x.last, why = concat_ws(',', nullif(n.why, ''), x.code)
        FROM (SELECT c.ctid AS row, %(code)s::text AS code, {_LAST} AS last,
                     CASE WHEN l.rule IS NULL
                          THEN c.due_at + ({_LAST} - greatest(c.started_at, coalesce(c.ran_from, c.started_at), {_FIRST}))
                          ELSE q.due_at END AS due_at
              FROM clock_now c JOIN clock_store s ON s.store_id = c.store_id {lines}
              LEFT JOIN clock_paused q ON l.rule IS NOT NULL AND q.days = coalesce(l.days, 0) AND q.calendar = coalesce(l.calendar, '')
                   AND q.by_end = l.by_end AND q.zone = s.zone AND q.day = (c.started_at AT TIME ZONE s.zone)::date
                   AND q.after = (extract(hour FROM c.started_at AT TIME ZONE s.zone)::int >= {before})
              WHERE {touched}) AS x
        WHERE x.row = n.ctid AND x.due_at > n.due_at"""
    bulk.execute(query, _only(query, given))
    bulk.execute("DROP TABLE clock_paused")


def there_in(one: Announced, stores: Sequence[int], table: str) -> str:
    """A condition on `c` (rows of `table` with an order_id): only orders for which it holds. Lays out `clock_there`."""
    if one.is_everywhere:
        return ""
    wanted = []
    for store, origin, country, region, city, postcode in bulk.fetch(
        f"""SELECT DISTINCT c.store_id, s.origin, coalesce(nullif(a.country, ''), o.country, ''), coalesce(a.region, ''),
                   CASE WHEN %s THEN coalesce(a.city, '') ELSE '' END, left(coalesce(a.postcode, ''), 10)
            FROM {table} c JOIN clock_store s ON s.store_id = c.store_id JOIN orders_order o ON o.id = c.order_id
            LEFT JOIN orders_addressversion a ON a.order_id = o.id AND a.version = o.address_version
            WHERE c.store_id = ANY(%s::bigint[])""",
        (any("/" in entry for entry in one.regions), list(stores)),
    ):
        if announced.is_there(one, country=country, region=region, city=city, postcode=postcode, origin=origin):
            wanted.append((store, country, region, city, postcode))
    bulk.execute("CREATE TEMP TABLE clock_there (order_id bigint PRIMARY KEY) ON COMMIT DROP")
    bulk.execute(
        f"""INSERT INTO clock_there
            SELECT DISTINCT c.order_id FROM {table} c JOIN orders_order o ON o.id = c.order_id
            LEFT JOIN orders_addressversion a ON a.order_id = o.id AND a.version = o.address_version
            JOIN unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[]) AS w (store_id, country, region, city, postcode)
              ON w.store_id = c.store_id AND w.country = coalesce(nullif(a.country, ''), o.country, '')
             AND w.region = coalesce(a.region, '') AND (w.city = '' OR w.city = a.city)
             AND w.postcode = left(coalesce(a.postcode, ''), 10)""",
        [[row[i] for row in wanted] for i in range(5)],
    )
    return "AND c.order_id IN (SELECT order_id FROM clock_there)"


def drop_there(one: Announced) -> None:
    """After the statement that used it."""
    if not one.is_everywhere:
        bulk.execute("DROP TABLE clock_there")


def _agreed(kinds: dict[int, list[str]]) -> None:
    """A buyer's consent moves what the rules let it move, if it came before the time ran out; else the clock says why not."""
    bulk.execute(
        """UPDATE clock_now n
           SET due_at = CASE WHEN x.code = 'agreed' THEN x.until ELSE n.due_at END, why = concat_ws(',', nullif(n.why, ''), x.code)
           FROM (SELECT c.ctid AS row, a.until,
                        CASE WHEN NOT c.kind = ANY(string_to_array(k.kinds, ' ')) THEN 'agreed_not_counted'
                             WHEN a.agreed_at > c.due_at THEN 'agreed_too_late' ELSE 'agreed' END AS code
                 FROM compliance_agreeddispatch a JOIN clock_now c ON c.order_id = a.order_id AND c.thing_kind = 'order'
                 JOIN unnest(%s::bigint[], %s::text[]) AS k (store_id, kinds) ON k.store_id = c.store_id
                 WHERE a.withdrawn_at IS NULL AND a.until > c.due_at
                   AND c.kind IN ('dispatch', 'carrier_scan', 'ship_by', 'ship_by_law', 'deliver_by_law')) AS x
           WHERE x.row = n.ctid""",
        (list(kinds), [" ".join(those) for those in kinds.values()]),
    )


# --- For the figures ----------------------------------------------------------------------------------------------------


class LeftOut(NamedTuple):
    """Orders that an announcement takes out of a store's figures: how many, by what, and out of what."""

    title: str
    source: str
    leaves_out: str
    first: date
    last: date
    orders: int


def leave_out(exceptions: Exceptions) -> list[LeftOut]:
    """Mark in `health_order` and `health_parcel` what does not count: `excused` (lines and score), `unscored` (score)."""
    found = []
    for one, stores in exceptions.announced:
        if not one.leaves_out:
            continue
        there = there_in(one, stores, "clock_order_of")
        given = {"first": one.first, "last": one.last, "lines": one.leaves_out == "lines"}
        orders = 0
        if one.effect == "none" or any(kind in one.kinds for kind in announced.GROUPS["dispatch"][1]):
            moment = "(h.due_at - interval '1 microsecond')" if one.goes_by == "due" else "c.since"
            orders = bulk.execute(
                f"""UPDATE health_order h SET excused = h.excused OR %(lines)s, unscored = true
                    FROM clock_order_of c JOIN clock_store s ON s.store_id = c.store_id
                    WHERE c.order_id = h.id AND ({moment} AT TIME ZONE s.zone)::date BETWEEN %(first)s AND %(last)s {there}""",
                given,
            )
        if one.effect == "none" or any(kind in one.kinds for kind in announced.GROUPS["scans"][1]):
            bulk.execute(
                f"""UPDATE health_parcel h SET excused = h.excused OR %(lines)s, unscored = true
                    FROM clock_order_of c JOIN clock_store s ON s.store_id = c.store_id
                    WHERE c.order_id = h.order_id AND (h.told_at AT TIME ZONE s.zone)::date BETWEEN %(first)s AND %(last)s {there}""",
                given,
            )
        drop_there(one)
        if orders:
            found.append(LeftOut(one.title, one.rule, one.leaves_out, one.first, one.last, orders))
    return found
