from django.db import models
from django.db.models import Q

from daifa.domain.shipping.process import DISPATCH_NOTICE, PARCEL


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
    """One scan. Only ever added; partitioned by month of `at`."""

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
