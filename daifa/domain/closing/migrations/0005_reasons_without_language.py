"""Why a standing moved was kept in two languages in a row: it is kept as a code with what is told, and said when it is read.

What is not exactly as it was written then (a person's words, figures of points) stays as it is.
"""

import json

from django.db import migrations

KIND = 81  # of transitions of a standing
OVER = "points and limits are over or were lifted · 扣分与限制已到期或撤销"
LIMITS = {
    "warning 警告": "warning", "no new listings 限制上新": "listing_limit", "listings taken down 商品下架": "listing_removed",
    "less traffic 限流": "traffic_limit", "order limit 限制接单": "order_limit", "money frozen 资金冻结": "funds_frozen",
    "no withdrawals 限制提现": "withdrawal_limit", "higher deposit 保证金上调": "deposit_raised", "store frozen 店铺冻结": "store_frozen",
}  # fmt: skip
"""The words of limits as they were then."""


def kept(text):
    """The same reason without a language; None = it is to stay as it is."""
    if text == OVER:
        return json.dumps({"why": "over"})
    reference, dot, words = text.rpartition(" · ")
    if not dot or words not in LIMITS:
        return None
    return json.dumps({"why": "limit", "kind": LIMITS[words], "reference": reference}, ensure_ascii=False)


ROWS = (
    ("SELECT id, reason FROM closing_standing WHERE reason LIKE '%% · %%'", "UPDATE closing_standing SET reason = %s WHERE id = %s"),
    (
        f"""SELECT DISTINCT b.id, b.reason FROM history_batch b JOIN history_transition t ON t.batch_id = b.id AND t.kind = {KIND}
            WHERE b.reason LIKE '%% · %%'""",
        "UPDATE history_batch SET reason = %s WHERE id = %s",
    ),
    (
        """SELECT id, params->>'why' FROM stores_task
           WHERE kind IN ('store_warned', 'store_restricted', 'store_frozen') AND params->>'why' LIKE '%% · %%'""",
        "UPDATE stores_task SET params = jsonb_set(params, '{why}', to_jsonb(%s::text)) WHERE id = %s",
    ),
)
"""Where such reasons are: what to read, how to change it."""


def forwards(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for read, change in ROWS:
            cursor.execute(read, ())
            for pk, text in cursor.fetchall():
                if (new := kept(text)) is not None and len(new) <= 300:
                    cursor.execute(change, (new, pk))


class Migration(migrations.Migration):
    dependencies = [
        ("closing", "0004_closed_by_whom"),
        ("history", "0002_partitions"),
        ("stores", "0001_initial"),
    ]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
