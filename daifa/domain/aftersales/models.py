from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND


class AftersaleCase(models.Model):
    """One buyer request after the purchase, from opening to outcome."""

    KINDS = [("refund", _("refund only")), ("return", _("return and refund"))]

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="aftersale_cases")
    kind = models.CharField(max_length=8, choices=KINDS)
    state = models.CharField(max_length=12, choices=AFTERSALE_CASE.choices())
    reason = models.CharField(max_length=40)
    note = models.TextField(blank=True, db_default="")
    return_number = models.CharField(max_length=60, blank=True, db_default="")
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)


class AftersaleLine(models.Model):
    """What the case is about: units of an order line, asked back and received back (in the condition `outcome`)."""

    OUTCOMES = [("resellable", _("as new")), ("damaged", _("damaged")), ("wrong_item", _("another article"))]

    case = models.ForeignKey(AftersaleCase, on_delete=models.CASCADE, related_name="lines")
    order_line = models.ForeignKey("orders.OrderLine", on_delete=models.CASCADE, related_name="+")
    quantity = models.IntegerField()
    received = models.IntegerField(db_default=0)
    outcome = models.CharField(max_length=20, blank=True, db_default="")


class Refund(models.Model):
    """Money given back. `order` is empty when the credit matched nothing (`reason` = no_original).

    Either a supplier claim answers for it later, or `no_claim_reason` says in writing why not.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, null=True, related_name="refunds")
    case = models.ForeignKey(AftersaleCase, on_delete=models.SET_NULL, null=True, related_name="refunds")
    external_ref = models.CharField(max_length=80)  # credit note number or ours; unique in the store
    state = models.CharField(max_length=10, choices=REFUND.choices())
    reason = models.CharField(max_length=40)
    no_claim_reason = models.CharField(max_length=60, blank=True, db_default="")
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    currency = models.CharField(max_length=3)
    at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "external_ref", "order"], nulls_distinct=False, name="refund_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="refund_not_negative"),
        ]


class RefundLine(models.Model):
    """The part of a refund that belongs to an order line (or to a SKU that matched none).

    `cancelled` of `quantity` units had not been shipped and were cancelled with it.
    """

    refund = models.ForeignKey(Refund, on_delete=models.CASCADE, related_name="lines")
    order_line = models.ForeignKey("orders.OrderLine", on_delete=models.CASCADE, null=True, related_name="refund_lines")
    sku = models.CharField(max_length=80, blank=True, db_default="")
    quantity = models.IntegerField(db_default=0)
    cancelled = models.IntegerField(db_default=0)
    amount = models.DecimalField(max_digits=19, decimal_places=4)
