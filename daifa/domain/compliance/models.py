import pghistory
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.compliance import announced
from daifa.domain.compliance.process import PLAN_STEP, RISK
from daifa.domain.compliance.rules import MODES
from daifa.domain.compliance.signals import LEVELS, SIGNALS, STEPS

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
    """How a store ships, as it told the channel: for all it sells, or for one variant. `hours` promised to buyers.

    On presale `ships_on` is the day by which it goes out, and `hours` the time from when it was said until then.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="dispatch_modes")
    variant = models.ForeignKey("catalog.Variant", on_delete=models.CASCADE, null=True, related_name="+")
    mode = models.CharField(_("way of dispatch"), max_length=8, choices=MODES)
    hours = models.PositiveSmallIntegerField(_("hours promised to buyers"), null=True)
    origin = models.CharField(_("province the parcels leave from"), max_length=60, blank=True, default="")
    ships_on = models.DateField(_("on presale: ships by"), null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "variant"], nulls_distinct=False, name="one_mode_each")]


class Announcement(models.Model):
    """An exception of a platform as a person entered it: see `announced.Announced`. Entered and withdrawn, never edited.

    Of a whole channel, or of one store (granted on its report). `kinds`, `countries`, `regions`: with spaces between.
    """

    channel = models.CharField(max_length=40)
    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, null=True, related_name="+")
    title = models.CharField(max_length=200)
    source = models.CharField(max_length=500)  # address of the notice, or its number
    announced_on = models.DateField(null=True)
    kinds = models.CharField(max_length=300)
    effect = models.CharField(max_length=8, choices=announced.EFFECTS)
    first = models.DateField()
    last = models.DateField()
    hours = models.PositiveSmallIntegerField(null=True)
    until = models.DateField(null=True)
    countries = models.CharField(max_length=200, blank=True, db_default="")
    regions = models.CharField(max_length=500, blank=True, db_default="")
    side = models.CharField(max_length=12, choices=announced.SIDES, db_default="either")
    goes_by = models.CharField(max_length=6, choices=announced.GOES_BY, db_default="start")
    leaves_out = models.CharField(max_length=6, blank=True, choices=announced.LEAVES_OUT, db_default="")
    rule = models.CharField(max_length=60, blank=True, db_default="")  # of the rule book, that allows it
    at = models.DateTimeField()
    by = models.CharField(max_length=60)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=60, blank=True, db_default="")


class AgreedDispatch(models.Model):
    """A buyer's consent to a later dispatch of an order, with its proof. A new one takes the place of the one before."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="agreed_dispatches")
    until = models.DateTimeField()
    agreed_at = models.DateTimeField()
    proof = models.CharField(max_length=200)  # where it stands: chat, mail, the platform's own form …
    said = models.TextField(blank=True, db_default="")  # the buyer's words
    at = models.DateTimeField()
    by = models.CharField(max_length=60)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=60, blank=True, db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order"], condition=Q(withdrawn_at=None), name="one_agreed_dispatch")]


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


class ReportedFigure(models.Model):
    """What a platform shows of a store, as a person or a file said it. Added and withdrawn, never edited.

    `value` in the unit of its metric (percent in points of 100); `part` of `base` where the platform shows both. A window
    of `window_days` days (None: not said) that ended with `ended_on`. `seen_in`: where it stands on the platform.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, db_index=False, related_name="+")
    metric = models.CharField(max_length=60)
    window_days = models.SmallIntegerField(null=True)
    ended_on = models.DateField()
    value = models.DecimalField(max_digits=12, decimal_places=4)
    part = models.IntegerField(null=True)
    base = models.IntegerField(null=True)
    seen_in = models.CharField(max_length=200, blank=True, db_default="")
    source = models.CharField(max_length=200)  # page, cli, api, or file:NAME
    at = models.DateTimeField()
    by = models.CharField(max_length=60)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=60, blank=True, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "metric", "window_days", "ended_on"], condition=Q(withdrawn_at=None), nulls_distinct=False,
                name="one_reported_figure",
            )
        ]
        indexes = [models.Index(fields=["store", "-ended_on", "-id"], name="figures_by_day")]


# --- Signs of selling without a source, and the plans against them -------------------------------------------------------


class Risk(models.Model):
    """A sign, counted from own data, that makes a store look as if it had no source; with what answers it.

    `count` orders of `base` looked at; `line`: from where on it is serious, in the unit of its kind. Reckoned anew each
    time; a person may explain it or begin a remedy, and it opens again when it grows after that.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24, choices=[(one.kind, one.words[0]) for one in SIGNALS])
    state = models.CharField(max_length=10, choices=RISK.choices())
    level = models.CharField(max_length=4, choices=LEVELS)
    count = models.IntegerField()
    base = models.IntegerField()
    line = models.DecimalField(max_digits=9, decimal_places=4)
    params = models.JSONField(default=dict)  # fill its sentence; no personal data
    rule = models.CharField(max_length=60, blank=True, db_default="")  # of the rule book, where the line comes from one
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)  # when it was explained, or a remedy begun
    settled_count = models.IntegerField(db_default=0)
    note = models.CharField(max_length=500, blank=True, db_default="")
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "kind"], condition=Q(gone_at=None), name="one_risk_each")]


class RiskOrder(models.Model):
    """An order behind a risk and what was seen on it: a parcel, a photo, a case, a purchase. Written anew each time."""

    risk = models.ForeignKey(Risk, on_delete=models.CASCADE, related_name="orders")
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, null=True, related_name="+")
    supplier = models.ForeignKey("sourcing.Supplier", on_delete=models.CASCADE, null=True, related_name="+")
    thing_kind = models.CharField(max_length=20, blank=True, db_default="")
    thing = models.BigIntegerField(db_default=0)
    seen = models.CharField(max_length=200, blank=True, db_default="")
    at = models.DateTimeField()


class PlanStep(models.Model):
    """A step on the way out of selling without a source: with orders coming in, or with none yet."""

    SITUATIONS = [("orders", _("orders are coming in")), ("no_orders", _("no orders yet"))]

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    situation = models.CharField(max_length=10, choices=SITUATIONS)
    kind = models.CharField(max_length=20, choices=[(kind, words[0]) for kind, words in STEPS.items()])
    state = models.CharField(max_length=8, choices=PLAN_STEP.choices())
    supplier = models.ForeignKey("sourcing.Supplier", on_delete=models.CASCADE, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True, db_default="")
    due_on = models.DateField(null=True)
    at = models.DateTimeField()
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "kind", "supplier"], condition=~Q(state="dropped"), nulls_distinct=False, name="one_step_each"
            )
        ]


class AffiliateCheck(models.Model):
    """May this store's account earn commission by links? As a person looked it up on that day."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    followers = models.IntegerField()
    is_adult = models.BooleanField()  # of age, with the real name confirmed
    is_clean = models.BooleanField()  # no violation on record
    at = models.DateTimeField()
    by = models.CharField(max_length=60)


class AffiliateLink(models.Model):
    """A link by which others' goods earn us commission: nothing to ship, no after-sales, no money advanced."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=160)
    url = models.URLField(max_length=500)
    percent = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    ended_at = models.DateTimeField(null=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "url"], name="affiliate_link_once")]


class AffiliatePost(models.Model):
    """A post or video that carries a link."""

    link = models.ForeignKey(AffiliateLink, on_delete=models.CASCADE, related_name="posts")
    url = models.URLField(max_length=500)
    title = models.CharField(max_length=200, blank=True, db_default="")
    posted_on = models.DateField()
    by = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["link", "url"], name="affiliate_post_once")]


class AffiliateEarning(models.Model):
    """Commission of one link on one day, as the platform's statement has it; in the books as income the channel owes."""

    link = models.ForeignKey(AffiliateLink, on_delete=models.CASCADE, related_name="earnings")
    day = models.DateField()
    orders = models.IntegerField(db_default=0)
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    currency = models.CharField(max_length=3)
    by = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["link", "day"], name="affiliate_earning_once")]
