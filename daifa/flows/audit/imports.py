"""Files that were imported."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.flows.audit.check import Check

CHECKS: list[Check] = [
    Check(
        "import_rows",
        "13",
        "import",
        N_("Imports whose rows do not add up: rows of the file = rows in = used + not orders + refused"),
        """SELECT f.id, format('%s: %s in the file, %s in, %s used, %s not orders, %s refused', f.name, f.rows_expected,
                               f.rows_in, f.rows_used, f.rows_not_orders, f.rows_refused)
           FROM imports_importfile f
           WHERE (f.store_id IS NULL OR [[f.store_id]]) AND f.state = 'done'
             AND (f.rows_in <> f.rows_used + f.rows_not_orders + f.rows_refused OR f.rows_in <> f.rows_expected)""",
    ),
]
