import pghistory
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.compliance.rules import MODES

STATES = [("running", _("running")), ("overdue", _("overdue"))]


class Clock(models.Model):
    """A deadline that runs on an order, a parcel or an aftersale case. Computed anew from the rows; never edited.

    One row for each (thing, rule) while it runs. `stake` is what missing it costs, in `currency`; None = nothing that
    the rules put a figure on. `acts` False: its rule only informs. `why`: codes of `rules.WHYS`, with commas between.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, db_index=False, related_name="+", db_constraint=False)
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, db_index=False, related_name="clocks", db_constraint=False)
    thing_kind = models.CharField(max_length=6)  # order, parcel, case
    thing = models.BigIntegerField()
    rule = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    stake = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=7, choices=STATES)
    acts = models.BooleanField()
    why = models.CharField(max_length=120, blank=True, db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "thing_kind", "thing", "rule"], name="one_clock_per_rule")]
        indexes = [models.Index(fields=["store", "due_at", "id"], name="clocks_by_due")]


@pghistory.track()
class DispatchMode(models.Model):
    """How a store ships, as it told the channel: for all it sells, or for one variant. `hours` promised to buyers."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="dispatch_modes")
    variant = models.ForeignKey("catalog.Variant", on_delete=models.CASCADE, null=True, related_name="+")
    mode = models.CharField(_("way of dispatch"), max_length=8, choices=MODES)
    hours = models.PositiveSmallIntegerField(_("hours promised to buyers"), null=True)
    origin = models.CharField(_("province the parcels leave from"), max_length=60, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "variant"], nulls_distinct=False, name="one_mode_each")]


class Finding(models.Model):
    """Something that is wrong with a parcel and counts against the store. `params` fill its sentence, no personal data."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, db_index=False, related_name="+")
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="findings")
    parcel = models.ForeignKey("shipping.Parcel", on_delete=models.CASCADE, related_name="findings")
    kind = models.CharField(max_length=24)  # of rules.FINDINGS
    params = models.JSONField(default=dict)
    stake = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.CharField(max_length=3)
    found_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "parcel"], condition=Q(gone_at=None), name="one_open_finding")]
        indexes = [models.Index(fields=["store", "kind", "id"], condition=Q(gone_at=None), name="open_findings")]


class MetricDay(models.Model):
    """How a store stood against one line of the rule book on one day: the last reckoning of that day."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, db_index=False, related_name="+")
    metric = models.CharField(max_length=60)
    rule = models.CharField(max_length=60, blank=True)  # "" = a figure without a line
    day = models.DateField()
    value = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    events = models.IntegerField(null=True)
    base = models.IntegerField(null=True)
    line = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    level = models.SmallIntegerField(db_default=0)  # 0, 70, 85, 100: percent of the way to the line
    is_sure = models.BooleanField(db_default=False)
    breaks_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "metric", "rule", "day"], name="one_figure_a_day")]
        indexes = [models.Index(fields=["day", "store"], name="metrics_by_day")]


