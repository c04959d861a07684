"""What guards the tables: constraints and triggers in force, and references for which there is no constraint."""

from __future__ import annotations

from django.apps import apps
from django.db import models
from django.utils.translation import gettext_noop as N_

from daifa.flows.audit.check import Check

GUARDS = (
    "one_order_per_number", "order_counters", "order_line_numbers", "line_counters", "address_versions", "one_open_hold",
    "fulfilment_line_counters", "purchase_line_counters", "purchase_line_numbers", "attempt_of_one_thing",
    "one_open_attempt_per_purchase", "one_open_attempt_per_run", "run_numbers", "posted_once", "told_once",
    "one_notice_per_number", "refund_once", "waybill_versions", "parcel_line_positive", "one_open_task",
    "shipping_trackingevent_once", "one_live_mapping", "mapping_versions", "one_violation_per_reference", "deposit_move_once",
    "one_open_appeal",
)  # fmt: skip
TRIGGERS = ("postings_balance", "postings_are_final", "entries_are_final", "entries_meet_no_lock")


def dangling() -> Check:
    """References that the hot tables do without a constraint for, because checking each row would cost too much."""
    parts = []
    for model in apps.get_models():
        if any(column.name == "pgh_id" for column in model._meta.get_fields()):
            continue  # the history of edits outlives what was edited
        for column in model._meta.get_fields():
            if isinstance(column, models.ForeignKey) and not column.db_constraint:
                table, name, target = model._meta.db_table, column.column, column.related_model._meta.db_table
                parts.append(
                    f"""SELECT t."{name}"::bigint, format('{table}.{name} = %s, on %s rows', t."{name}", count(*))
                        FROM "{table}" t LEFT JOIN "{target}" x ON x.id = t."{name}"
                        WHERE t."{name}" IS NOT NULL AND x.id IS NULL GROUP BY 1, t."{name}" """
                )
    return Check(
        "dangling",
        "13",
        "row",
        N_("Rows that refer to something that does not exist"),
        " UNION ALL ".join(parts),
        whole=True,
    )


def guards() -> Check:
    """Constraints and triggers this program counts on, each there and switched on."""
    return Check(
        "guards",
        "13",
        "constraint",
        N_("Constraints or triggers that guard the tables and are missing or switched off"),
        f"""SELECT row_number() OVER (ORDER BY g.name), g.name FROM unnest(ARRAY[{", ".join(f"'{name}'" for name in GUARDS)}]) AS g (name)
            WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid AND i.indisunique AND i.indisvalid
                              WHERE c.relname = g.name AND c.relnamespace = current_schema()::regnamespace)
              AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conname = g.name AND k.convalidated
                              AND k.connamespace = current_schema()::regnamespace)
            UNION ALL
            SELECT 1000 + row_number() OVER (ORDER BY g.name), g.name
            FROM unnest(ARRAY[{", ".join(f"'{name}'" for name in TRIGGERS)}]) AS g (name)
            WHERE NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                              WHERE t.tgname = g.name AND t.tgenabled = 'O' AND c.relnamespace = current_schema()::regnamespace)
            UNION ALL
            SELECT 2000, 'orders_order.status' WHERE NOT EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = 'orders_order'::regclass AND a.attname = 'status' AND a.attgenerated = 's')
            UNION ALL
            SELECT 3000 + row_number() OVER (ORDER BY c.relname, k.conname), k.conname
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
            WHERE NOT k.convalidated AND c.relnamespace = current_schema()::regnamespace""",
        whole=True,
    )
