from django.db import models
from django.db.models import F, Q

from daifa.domain.fulfilment.process import FULFILMENT_ORDER


class FulfilmentOrder(models.Model):
    """The part of an order that one supplier will deliver. One purchase order answers it."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="fulfilment_orders")
    supplier = models.ForeignKey("sourcing.Supplier", on_delete=models.PROTECT, db_index=False, related_name="+")
    address = models.ForeignKey("orders.AddressVersion", on_delete=models.PROTECT, db_index=False, related_name="+")
    state = models.CharField(max_length=10, choices=FULFILMENT_ORDER.choices())
    at = models.DateTimeField()


class FulfilmentLine(models.Model):
    """So many sales units of an order line from one offer. What was agreed is frozen here: offer, mapping, SKU, cost.

    Live units = quantity − superseded − cancelled; Σ over sale lines = the order line's `allocated`. A refused or short
    quantity counts as superseded once it has been given back for routing again; the new line names its `predecessor`.
    """

    KINDS = [("sale", "sale"), ("replacement", "replacement")]

    fulfilment_order = models.ForeignKey(FulfilmentOrder, on_delete=models.CASCADE, related_name="lines")
    order_line = models.ForeignKey("orders.OrderLine", on_delete=models.CASCADE, related_name="fulfilment_lines")
    offer = models.ForeignKey("sourcing.SupplierOffer", on_delete=models.PROTECT, db_index=False, related_name="+")
    mapping = models.ForeignKey("sourcing.SkuMapping", on_delete=models.PROTECT, db_index=False, related_name="+")
    mapping_version = models.IntegerField()
    supplier_sku = models.CharField(max_length=80)
    factor = models.IntegerField(db_default=1)
    kind = models.CharField(max_length=12, choices=KINDS, db_default="sale")
    quantity = models.IntegerField()
    superseded = models.IntegerField(db_default=0)
    cancelled = models.IntegerField(db_default=0)
    unit_cost = models.DecimalField(max_digits=19, decimal_places=4)  # per supplier unit, supplier's currency
    unit_freight = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    predecessor = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, db_index=False, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gt=0, superseded__gte=0, cancelled__gte=0)
                & Q(quantity__gte=F("superseded") + F("cancelled")),
                name="fulfilment_line_counters",
            )
        ]


class RoutingDecision(models.Model):
    """Why these suppliers: per line the candidates, the winner, and each loser's reason. Only ever added."""

    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="routing_decisions")
    rule_version = models.SmallIntegerField()
    decision = models.JSONField()  # [{"line": id, "quantity": n, "winner": offer id or null, "hold": reason, "losers": [[offer, reason, …]]}]
    at = models.DateTimeField()
