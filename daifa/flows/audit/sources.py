"""Addresses of a marketplace's buyers went to whom they may; photos, signs and plans are what their history says."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.domain.compliance.process import PLAN_STEP, RISK
from daifa.domain.shipping.process import PARCEL_CHECK
from daifa.domain.sourcing.process import SAMPLE
from daifa.flows.audit.check import Check
from daifa.flows.audit.histories import OF_STORE, history

CHECKS: list[Check] = [
    *(history(process, OF_STORE) for process in (PARCEL_CHECK, SAMPLE, RISK, PLAN_STEP)),
    Check(
        "commission",
        "9",
        "affiliate_earning",
        N_("Commission that was recorded and is not in the books: enter the day's figure again"),
        """SELECT e.id, format('%s of %s: %s %s', l.name, e.day, e.amount, e.currency)
           FROM compliance_affiliateearning e JOIN compliance_affiliatelink l ON l.id = e.link_id
           WHERE [[l.store_id]] AND e.amount > 0 AND NOT EXISTS (
               SELECT FROM books_entry b WHERE b.fact = 'commission_earned' AND b.fact_id = e.id
               AND NOT EXISTS (SELECT FROM books_entry r WHERE r.reversal_of_id = b.id))""",
    ),
    Check(
        "samples",
        "9",
        "sample",
        N_(
            "Samples that were paid and are not in the books with what they cost, or that passed without a clean photo"
        ),
        """SELECT s.id, format('sample %s of store %s: %s', s.id, s.store_id, s.state) FROM sourcing_sample s
           WHERE [[s.store_id]] AND (
               (coalesce(s.cost, 0) > 0 AND NOT EXISTS (SELECT FROM books_expense x WHERE x.key = 'sample:' || s.id
                AND x.store_id = s.store_id AND x.amount = s.cost AND x.currency = s.currency AND x.kind = 'samples'))
            OR (s.state = 'passed' AND NOT EXISTS (SELECT FROM shipping_parcelcheck c WHERE c.sample_id = s.id)))""",
    ),
    Check(
        "told_without_agreement",
        "17",
        "purchase_order",
        N_(
            "Purchases that handed an address of a marketplace's buyer to a supplier without a signed entrustment"
        ),
        """SELECT p.id, format('purchase %s to %s', p.reference, s.code) FROM purchasing_purchaseorder p
           JOIN stores_store t ON t.id = p.store_id JOIN sourcing_supplier s ON s.id = p.supplier_id
           WHERE [[p.store_id]] AND t.kind = 'marketplace' AND p.placed_at IS NOT NULL
             AND NOT EXISTS (SELECT FROM sourcing_agreement a WHERE a.supplier_id = p.supplier_id
                             AND a.store_id = p.store_id AND a.entrusted_on <= p.placed_at::date + 1)""",
    ),
    Check(
        "signs",
        "13",
        "risk",
        N_("Signs that are gone and still counted, or counted with nothing behind them"),
        """SELECT r.id, format('%s of store %s: %s', r.kind, r.store_id, r.state) FROM compliance_risk r
           WHERE [[r.store_id]] AND ((r.state = 'gone') <> (r.gone_at IS NOT NULL) OR (
               r.gone_at IS NULL AND NOT EXISTS (SELECT FROM compliance_riskorder o WHERE o.risk_id = r.id)))""",
    ),
]
