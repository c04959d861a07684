"""What was erased."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.flows.audit.check import Check

CHECKS: list[Check] = [
    Check(
        "erased_again",
        "16",
        "order",
        N_("Orders whose buyers were erased and stand there again"),
        """SELECT DISTINCT o.id, format('order %s', o.number) FROM privacy_erasure e
           CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(e.orders -> 'contact', '[]')) AS x (id)
           JOIN orders_order o ON o.id = x.id::bigint JOIN orders_addressversion a ON a.order_id = o.id
           WHERE [[o.store_id]] AND (a.name NOT LIKE 'erased:%' OR a.line1 <> '' OR a.phone <> '' OR a.email <> ''
                                     OR a.raw <> '' OR a.token <> '' OR length(a.digest) <> 32)""",
    ),
]
