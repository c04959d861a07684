from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

STATUSES = [
    ("new", _("new")), ("on_hold", _("on hold")), ("confirmed", _("confirmed")),
    ("part_purchased", _("partly purchased")), ("purchased", _("purchased")),
    ("part_shipped", _("partly shipped")), ("shipped", _("shipped")),
    ("part_delivered", _("partly delivered")), ("delivered", _("delivered")),
    ("cancelled", _("cancelled")), ("closed", _("closed")),
]  # fmt: skip

_WANTED = F("units") - F("cancelled")


class Order(models.Model):
    """What one buyer bought at once. Amounts in `currency`; units are sales units of goods and sample lines.

    Counters are sums over the lines, changed in the same transaction. `status` is computed by the database from them.
    `is_history`: it was dispatched or closed before daifa saw it: kept, never routed, never posted.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="orders", db_index=False)
    number = models.CharField(max_length=80)
    customer = models.ForeignKey("customers.Customer", on_delete=models.SET_NULL, null=True, related_name="orders")
    placed_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2, db_default="")
    goods_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    shipping_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    other_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)  # discounts −, fees, manual
    total_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    refunded_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    ship_by_at = models.DateTimeField(null=True)
    content_hash = models.BinaryField(max_length=16)  # of what the channel said, to know a repeat from a change
    is_history = models.BooleanField(db_default=False)
    note = models.CharField(max_length=500, blank=True, db_default="")
    source = models.CharField(max_length=60)  # "import:12"
    address_version = models.SmallIntegerField(db_default=0)  # newest; 0 = no ship-to known
    units = models.IntegerField(db_default=0)
    cancelled = models.IntegerField(db_default=0)
    allocated = models.IntegerField(db_default=0)
    purchased = models.IntegerField(db_default=0)
    accepted = models.IntegerField(db_default=0)
    shipped = models.IntegerField(db_default=0)
    delivered = models.IntegerField(db_default=0)
    returned = models.IntegerField(db_default=0)
    open_holds = models.SmallIntegerField(db_default=0)
    status = models.GeneratedField(
        expression=Case(
            When(is_history=True, then=Value("closed")),
            When(units=0, then=Value("closed")),
            When(cancelled__gte=F("units"), then=Value("cancelled")),
            When(delivered__gte=_WANTED, then=Value("delivered")),
            When(open_holds__gt=0, then=Value("on_hold")),
            When(delivered__gt=0, then=Value("part_delivered")),
            When(shipped__gte=_WANTED, then=Value("shipped")),
            When(shipped__gt=0, then=Value("part_shipped")),
            When(purchased__gte=_WANTED, then=Value("purchased")),
            When(purchased__gt=0, then=Value("part_purchased")),
            When(allocated__gt=0, then=Value("confirmed")),
            default=Value("new"),
        ),
        output_field=models.CharField(max_length=16, choices=STATUSES),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "number"], name="one_order_per_number"),
            models.CheckConstraint(
                condition=Q(cancelled__gte=0, allocated__gte=0, open_holds__gte=0)
                & Q(units__gte=F("cancelled") + F("allocated")),
                name="order_counters",
            ),
        ]
        indexes = [
            models.Index(fields=["store", "-placed_at", "-id"], name="orders_newest"),
            models.Index(
                fields=["store", "status", "-placed_at"],
                condition=~Q(status__in=["delivered", "closed", "cancelled"]),
                name="orders_open",
            ),
        ]


class OrderLine(models.Model):
    """One line. `kind` other than goods and sample is money only. Counters in sales units: ordered = cancelled + allocated + open."""

    KINDS = [
        ("goods", _("goods")), ("sample", _("sample")), ("shipping", _("shipping")), ("discount", _("discount")),
        ("fee", _("fee")), ("manual", _("manual")), ("gift_card", _("gift card")), ("tax", _("tax")),
    ]  # fmt: skip

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    line_no = models.SmallIntegerField()
    external_id = models.CharField(max_length=60, blank=True, db_default="")
    kind = models.CharField(max_length=10, choices=KINDS, db_default="goods")
    sku = models.CharField(max_length=80)
    title = models.CharField(max_length=255, blank=True, db_default="")
    listing = models.ForeignKey(
        "catalog.ListingVariant", on_delete=models.SET_NULL, null=True, db_index=False, related_name="+"
    )
    variant = models.ForeignKey("catalog.Variant", on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    quantity = models.IntegerField()
    unit_price = models.DecimalField(max_digits=19, decimal_places=4)
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    cancelled = models.IntegerField(db_default=0)
    allocated = models.IntegerField(db_default=0)
    purchased = models.IntegerField(db_default=0)
    accepted = models.IntegerField(db_default=0)
    shipped = models.IntegerField(db_default=0)
    delivered = models.IntegerField(db_default=0)
    returned = models.IntegerField(db_default=0)
    refunded = models.IntegerField(db_default=0)  # units
    refunded_amount = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "line_no"], name="order_line_numbers"),
            models.CheckConstraint(
                condition=Q(cancelled__gte=0, allocated__gte=0, purchased__gte=0, accepted__gte=0, shipped__gte=0)
                & Q(delivered__gte=0, returned__gte=0, refunded__gte=0)
                & Q(quantity__gte=F("cancelled") + F("allocated"))
                & Q(delivered__lte=F("shipped"))
                & Q(shipped__lte=F("allocated"))
                & Q(refunded__lte=F("quantity")),
                name="line_counters",
            ),
        ]


class AddressVersion(models.Model):
    """Where the order goes, as known at some moment. Versions are added, never edited; `digest` outlives shredding."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="addresses")
    version = models.SmallIntegerField()
    name = models.CharField(max_length=160, db_default="")
    line1 = models.CharField(max_length=255, db_default="")
    line2 = models.CharField(max_length=255, db_default="")
    city = models.CharField(max_length=120, db_default="")
    region = models.CharField(max_length=120, db_default="")
    postcode = models.CharField(max_length=30, db_default="")
    country = models.CharField(max_length=2, db_default="")
    phone = models.CharField(max_length=40, db_default="")
    email = models.CharField(max_length=254, db_default="")
    raw = models.TextField(db_default="")
    token = models.CharField(max_length=255, db_default="")
    digest = models.BinaryField(max_length=32)  # keyed hash over all fields
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "version"], name="address_versions")]


class Hold(models.Model):
    """Why an order or one of its lines does not go on, until released. Reasons: `daifa.domain.orders.process.HOLDS`."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="holds")
    line = models.ForeignKey(OrderLine, on_delete=models.CASCADE, null=True, related_name="holds")
    reason = models.CharField(max_length=30)
    params = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=60, blank=True, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order", "line", "reason"],
                condition=Q(released_at=None),
                nulls_distinct=False,
                name="one_open_hold",
            )
        ]
        indexes = [models.Index(fields=["reason", "order"], condition=Q(released_at=None), name="open_holds")]
