from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.purchasing.process import ATTEMPT, PURCHASE_ORDER, PURCHASE_RUN, REMINDER
from daifa.lib.sentence_field import SentenceField


class PurchaseRun(models.Model):
    """One workbook for one supplier and store, fixed when it is committed: exporting again gives the same bytes."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, null=True, related_name="+")  # empty: merged
    supplier = models.ForeignKey("sourcing.Supplier", on_delete=models.PROTECT, related_name="runs")
    number = models.IntegerField()  # 1, 2, 3 … per supplier
    state = models.CharField(max_length=10, choices=PURCHASE_RUN.choices())
    name = models.CharField(max_length=120)  # of the file
    content = models.BinaryField()  # the XLSX as fixed
    sha256 = models.CharField(max_length=64)
    orders = models.IntegerField()
    rows = models.IntegerField()
    times_sent = models.IntegerField(db_default=0)  # from the second on the covering mail and file name say REPEAT
    at = models.DateTimeField()
    placed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["supplier", "number"], name="run_numbers")]


class PurchaseOrder(models.Model):
    """What one supplier is asked to ship to one buyer. Money in the supplier's `currency`; the rate is frozen.

    `fx_rate` = units of the store's currency for one unit of `currency`. Unit counters are sums over its lines in the
    supplier's units. `amount` = goods + freight as ordered, `accepted_amount` what was answered so far.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="purchase_orders")
    supplier = models.ForeignKey("sourcing.Supplier", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    fulfilment_order = models.OneToOneField(
        "fulfilment.FulfilmentOrder", on_delete=models.CASCADE, related_name="purchase_order"
    )
    address = models.ForeignKey("orders.AddressVersion", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    run = models.ForeignKey(PurchaseRun, on_delete=models.PROTECT, null=True, related_name="purchase_orders")
    reference = models.CharField(max_length=24, unique=True)
    their_reference = models.CharField(max_length=60, blank=True, db_default="")
    state = models.CharField(max_length=10, choices=PURCHASE_ORDER.choices())
    currency = models.CharField(max_length=3)
    fx_rate = models.DecimalField(max_digits=18, decimal_places=8, db_default=1)
    fx_date = models.DateField(null=True)
    fx_source = models.CharField(max_length=20, blank=True, db_default="")
    goods_amount = models.DecimalField(max_digits=19, decimal_places=4)
    freight_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    units = models.IntegerField()
    accepted = models.IntegerField(db_default=0)
    rejected = models.IntegerField(db_default=0)
    cancelled = models.IntegerField(db_default=0)
    backordered = models.IntegerField(db_default=0)
    shipped = models.IntegerField(db_default=0)
    at = models.DateTimeField()
    placed_at = models.DateTimeField(null=True)
    ship_due_at = models.DateTimeField(null=True)  # the supplier's promise

    class Meta:
        indexes = [models.Index(fields=["supplier", "store", "state", "id"], name="purchases_to_place",
                                condition=Q(state__in=["ready", "submitting", "unknown", "failed"]))]  # fmt: skip


class PurchaseLine(models.Model):
    """One supplier SKU. ordered = accepted + rejected + cancelled + backordered + unanswered; shipped ≤ accepted."""

    purchase_order = models.ForeignKey(PurchaseOrder, on_delete=models.CASCADE, related_name="lines")
    line_no = models.SmallIntegerField()
    fulfilment_line = models.OneToOneField(
        "fulfilment.FulfilmentLine", on_delete=models.CASCADE, related_name="purchase_line"
    )
    order_line = models.ForeignKey("orders.OrderLine", on_delete=models.CASCADE, db_index=False, related_name="+", db_constraint=False)
    offer = models.ForeignKey("sourcing.SupplierOffer", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    mapping = models.ForeignKey("sourcing.SkuMapping", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    mapping_version = models.IntegerField()
    supplier_sku = models.CharField(max_length=80)
    factor = models.IntegerField(db_default=1)  # sales units in one supplier unit
    quantity = models.IntegerField()  # supplier units
    unit_cost = models.DecimalField(max_digits=19, decimal_places=4)
    unit_freight = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    accepted = models.IntegerField(db_default=0)
    rejected = models.IntegerField(db_default=0)
    cancelled = models.IntegerField(db_default=0)
    backordered = models.IntegerField(db_default=0)
    shipped = models.IntegerField(db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purchase_order", "line_no"], name="purchase_line_numbers"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, accepted__gte=0, rejected__gte=0, cancelled__gte=0, backordered__gte=0)
                & Q(shipped__gte=0)
                & Q(quantity__gte=F("accepted") + F("rejected") + F("cancelled") + F("backordered"))
                & Q(shipped__lte=F("accepted")),
                name="purchase_line_counters",
            ),
        ]


class PurchaseAnswer(models.Model):
    """What a supplier answered on one purchase order at one moment: the fact from which payables are posted."""

    purchase_order = models.ForeignKey(PurchaseOrder, on_delete=models.CASCADE, related_name="answers")
    source = models.CharField(max_length=60)  # "import:12", "job:ask_suppliers", "user:3"
    goods_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)  # newly accepted, their currency
    freight_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    rows = models.JSONField()  # [[purchase line, accepted +, rejected +, backordered +, shipped +, reason], …]
    at = models.DateTimeField()


class PlacementAttempt(models.Model):
    """Stored before anything is sent. Nothing is sent again while one of its attempts is unknown."""

    purchase_order = models.ForeignKey(PurchaseOrder, on_delete=models.CASCADE, null=True, related_name="attempts")
    run = models.ForeignKey(PurchaseRun, on_delete=models.CASCADE, null=True, related_name="attempts")
    key = models.CharField(max_length=60, unique=True)  # reference/attempt number, or run/send number
    request_hash = models.BinaryField(max_length=16)
    state = models.CharField(max_length=10, choices=ATTEMPT.choices())
    result = SentenceField(max_length=300, blank=True, db_default="")
    proof = models.CharField(max_length=300, blank=True, db_default="")
    at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(purchase_order__isnull=False, run=None) | Q(purchase_order=None, run__isnull=False),
                name="attempt_of_one_thing",
            ),
            models.UniqueConstraint(
                fields=["purchase_order"],
                condition=Q(state__in=["prepared", "unknown"]),
                name="one_open_attempt_per_purchase",
            ),
            models.UniqueConstraint(
                fields=["run"], condition=Q(state__in=["prepared", "unknown"]), name="one_open_attempt_per_run"
            ),
        ]


class Reminder(models.Model):
    """One letter that asks a supplier for what he has not shipped of one store's purchases. Kept as it was: evidence.

    No word of a buyer is in it: our references, units and times.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    supplier = models.ForeignKey("sourcing.Supplier", on_delete=models.PROTECT, related_name="reminders")
    state = models.CharField(max_length=10, choices=REMINDER.choices())
    step = models.CharField(max_length=8)  # the most pressing of its lines: of rules.STEPS
    email = models.EmailField(blank=True, db_default="")  # where it goes; "" = a person passes it on
    subject = models.CharField(max_length=160)
    text = models.TextField()
    due_at = models.DateTimeField(null=True)  # the soonest of its orders' times for dispatch
    stake = models.DecimalField(max_digits=19, decimal_places=4, null=True)  # in the store's currency
    at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True, db_default="")  # of the mail server, or who passed it on

    class Meta:
        indexes = [models.Index(fields=["supplier", "-id"], name="reminders_of_supplier")]


class ReminderLine(models.Model):
    """A purchase named in a reminder, as it stood."""

    reminder = models.ForeignKey(Reminder, on_delete=models.CASCADE, related_name="lines")
    purchase_order = models.ForeignKey(PurchaseOrder, on_delete=models.CASCADE, related_name="reminder_lines")
    step = models.CharField(max_length=8)
    units = models.IntegerField()  # supplier units that were missing
    due_at = models.DateTimeField(null=True)
    stake = models.DecimalField(max_digits=19, decimal_places=4, null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reminder", "purchase_order"], name="purchase_once_a_reminder")]


class Chasing(models.Model):
    """How a supplier is reminded, where it is not the usual way: by mail, half a day before the time runs out."""

    WAYS = [
        ("mail", _("by mail, without a person")),
        ("person", _("a person passes the text on")),
        ("off", _("he is not reminded")),
    ]

    supplier = models.OneToOneField("sourcing.Supplier", on_delete=models.CASCADE, related_name="chasing")
    way = models.CharField(_("how he is reminded"), max_length=8, choices=WAYS, default="mail")
    hours_before = models.PositiveSmallIntegerField(_("hours before an order's time for dispatch runs out"), default=12)
