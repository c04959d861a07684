import pghistory
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.exit_index.rules import ReviewLines

_LINES = ReviewLines()


class StoreMonth(models.Model):
    """What a store did in a calendar month of its time zone; `month` is its first day. Amounts in `currency`.

    Measured anew each day until `is_final`, a fortnight after its end. `late` of the `due` orders did not leave in time.
    `points` and the number with which the channel's gravest step comes are null where nobody keeps any.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    month = models.DateField()
    currency = models.CharField(max_length=3)
    orders = models.IntegerField()
    sales = models.DecimalField(max_digits=19, decimal_places=4)
    net = models.DecimalField(max_digits=19, decimal_places=4)
    outgo = models.DecimalField(max_digits=19, decimal_places=4)
    due = models.IntegerField()
    late = models.IntegerField()
    refunded = models.IntegerField()
    points = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    points_full = models.DecimalField(max_digits=7, decimal_places=2, null=True)
    cash = models.DecimalField(max_digits=19, decimal_places=4)
    active_days = models.SmallIntegerField()
    days = models.SmallIntegerField()  # so far, in a month that goes on
    is_complete = models.BooleanField()
    is_final = models.BooleanField()
    measured_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "month"], name="store_month_once"),
            models.CheckConstraint(
                condition=Q(late__gte=0, late__lte=F("due"), active_days__gte=0, active_days__lte=F("days"), orders__gte=0),
                name="store_month_counts",
            ),
        ]


class Learned(models.Model):
    """The shipped weights as the merchant's own closings have moved them; the newest of the shipped version counts."""

    version = models.CharField(max_length=20)
    uses = models.CharField(max_length=8)  # prior, own
    store_months = models.IntegerField()
    closings = models.IntegerField()
    expected = models.FloatField()  # closings the shipped weights had expected
    mean = models.JSONField()
    spread = models.JSONField()
    at = models.DateTimeField()


class BaseRate(models.Model):
    """How many of a hundred typical stores close within a year, as an owner said; the newest counts, null = as shipped."""

    yearly = models.FloatField(null=True)  # a share: 0.12
    source = models.CharField(max_length=200)  # on what it rests
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(yearly=None) | Q(yearly__gt=0, yearly__lt=1), name="base_rate_is_a_share")
        ]


class Said(models.Model):
    """What the index said of a store when a month was complete, and with which weights: never reckoned anew."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    month = models.DateField()
    version = models.CharField(max_length=40)  # of the weights, base rate and own closings included
    chances = models.JSONField()  # [[months, open, low, high], …]
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "month"], name="said_once")]


@pghistory.track()
class ReviewLine(models.Model):
    """From when on a store counts as quiet or dormant, where it is not as shipped."""

    store = models.OneToOneField("stores.Store", on_delete=models.CASCADE, related_name="+")
    dormant_days = models.PositiveSmallIntegerField(_("days without an order until it is dormant"), default=_LINES.dormant_days)
    quiet_orders = models.PositiveSmallIntegerField(_("orders a month at which it is quiet"), default=_LINES.quiet_orders)
    quiet_active_days = models.PositiveSmallIntegerField(
        _("active days a month at which it is quiet"), default=_LINES.quiet_active_days
    )


class StoreReview(models.Model):
    """The verdict on a store after a month: young, active, quiet, dormant; `reasons` as (code, value)."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    month = models.DateField()
    verdict = models.CharField(max_length=10)
    reasons = models.JSONField(default=list)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "month"], name="store_review_once")]
