"""What went out to channels."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.flows.audit.check import Check

CHECKS: list[Check] = [
    Check(
        "published_unasked",
        "18",
        "publication",
        N_("Publications that went out although something stood against them that nobody let pass"),
        """SELECT p.id, format('publication %s: %s', p.id, p.reasons->0->>0) FROM catalog_publication p
           WHERE [[p.store_id]] AND p.action = 'publish' AND p.state IN ('filed', 'sending', 'unknown', 'done', 'declined')
             AND p.reasons <> '[]'""",
    ),
]
