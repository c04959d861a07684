from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.shipping.process import DISPATCH_NOTICE, PARCEL, PARCEL_CHECK
from daifa.lib.sentence_field import SentenceField


class Parcel(models.Model):
    """One box with one waybill, for one order. `number` is the newest active waybill number.

    The same number on another order is another parcel with `is_shared_number` set: several buyers' goods in one box,
    or a reused number; a finding says which.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="parcels")
    supplier = models.ForeignKey("sourcing.Supplier", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    carrier = models.CharField(max_length=40, blank=True, db_default="")
    number = models.CharField(max_length=60)
    state = models.CharField(max_length=20, choices=PARCEL.choices())
    units = models.IntegerField(db_default=0)  # supplier units
    announced_at = models.DateTimeField()
    handed_over_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    last_event_at = models.DateTimeField(null=True)
    late_at = models.DateTimeField(null=True)  # from when on it counts as late
    is_late = models.BooleanField(db_default=False)
    is_shared_number = models.BooleanField(db_default=False)

    class Meta:
        indexes = [
            models.Index(fields=["number"], name="parcels_by_number"),
            models.Index(fields=["late_at"], condition=Q(delivered_at=None, is_late=False), name="parcels_becoming_late"),
        ]


class ParcelLine(models.Model):
    """So many units of a purchase line in a parcel; a line may be in many parcels and a parcel holds many lines."""

    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="lines")
    purchase_line = models.ForeignKey("purchasing.PurchaseLine", on_delete=models.CASCADE, related_name="parcel_lines")
    order_line = models.ForeignKey("orders.OrderLine", on_delete=models.CASCADE, db_index=False, related_name="+", db_constraint=False)
    quantity = models.IntegerField()  # supplier units
    order_quantity = models.IntegerField()  # sales units

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0, order_quantity__gt=0), name="parcel_line_positive")]


class WaybillNumber(models.Model):
    """A version of a parcel's number. A replacement keeps the old one and sends one correction."""

    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="numbers")
    version = models.SmallIntegerField(db_default=1)
    number = models.CharField(max_length=60)
    carrier = models.CharField(max_length=40, blank=True, db_default="")
    confidence = models.SmallIntegerField(db_default=100)  # of the carrier: 100 told, less guessed from the number
    source = models.CharField(max_length=60)
    is_active = models.BooleanField(db_default=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["parcel", "version"], name="waybill_versions")]


class TrackingEvent(models.Model):
    """One scan. Only ever added; partitioned by month of `at`. The same moment at another place is another scan."""

    pk = models.CompositePrimaryKey("parcel_id", "at", "status")
    parcel = models.ForeignKey(Parcel, on_delete=models.DO_NOTHING, db_index=False, related_name="events")
    at = models.DateTimeField()
    status = models.CharField(max_length=20)
    raw_status = models.CharField(max_length=200)
    place = models.CharField(max_length=120)
    seen_at = models.DateTimeField()
    source = models.CharField(max_length=60)

    class Meta:
        managed = False  # created by SQL: Django knows no partitions
        db_table = "shipping_trackingevent"


class DispatchNotice(models.Model):
    """What the channel is to be told about a parcel: once when it is handed over, once for each new number."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, related_name="notices")
    version = models.SmallIntegerField(db_default=1)  # of the waybill number
    state = models.CharField(max_length=10, choices=DISPATCH_NOTICE.choices())
    answer = models.CharField(max_length=300, blank=True, db_default="")
    at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["parcel", "version"], name="one_notice_per_number")]
        indexes = [models.Index(fields=["store", "id"], condition=Q(state="queued"), name="notices_to_send")]


class PlatformWaybill(models.Model):
    """A waybill number that the store's own platform issued for an order: the supplier prints it, we recognise it."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="platform_waybills")
    number = models.CharField(max_length=60)
    source = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "number"], name="platform_waybill_once")]


class ParcelCheck(models.Model):
    """A photo of a parcel or of what lay in it, read and judged: is there something that should not be there?

    Of the text only the traces are kept; the photo lies in the file store under its hash. `about` says where it came from.
    """

    ABOUTS = [
        ("complaint", _("a buyer's complaint")), ("test_order", _("a test order of ours")), ("sample", _("a supplier's sample")),
    ]  # fmt: skip

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, null=True, related_name="parcel_checks")
    supplier = models.ForeignKey("sourcing.Supplier", on_delete=models.PROTECT, null=True, related_name="+")
    sample = models.ForeignKey("sourcing.Sample", on_delete=models.CASCADE, null=True, related_name="parcel_checks")
    about = models.CharField(max_length=12, choices=ABOUTS)
    state = models.CharField(max_length=12, choices=PARCEL_CHECK.choices())
    name = models.CharField(max_length=160)
    media_type = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)
    size = models.IntegerField()
    width = models.IntegerField()
    height = models.IntegerField()
    note = models.CharField(max_length=500, blank=True, db_default="")
    traces = models.JSONField(default=list)  # [[kind, platform, term, excerpt], …]
    lines = models.IntegerField(db_default=0)  # of text read
    reason = SentenceField(max_length=300, blank=True, db_default="")  # of a verdict by hand, or why it was not read
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "order", "sample", "sha256"], nulls_distinct=False, name="photo_once_per_order")
        ]
        indexes = [models.Index(fields=["id"], condition=Q(state="received"), name="photos_to_read")]
