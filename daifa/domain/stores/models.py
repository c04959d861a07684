import uuid

import pghistory
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


@pghistory.track()
class Store(models.Model):
    """One shop on one channel. Orders, purchases, parcels, messages, entries and imports belong to it."""

    KINDS = [("own_site", _("own site")), ("manual", _("manual (files)")), ("marketplace", _("marketplace"))]
    RECOGNITION = [("handed_over", _("when the parcel is handed over")), ("delivered", _("when it is delivered"))]

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    channel = models.CharField(_("channel"), max_length=40, default="manual")  # manual, xiaohongshu, shopify …
    kind = models.CharField(_("kind"), max_length=12, choices=KINDS, default="manual")
    currency = models.CharField(_("currency"), max_length=3)
    timezone = models.CharField(_("time zone"), max_length=40, default="UTC")
    language = models.CharField(_("language of its buyers"), max_length=10, default="en")
    country = models.CharField(_("country"), max_length=2, blank=True, default="")
    reply_to = models.EmailField(_("reply address shown to buyers"), blank=True, default="")
    dispatch_hours = models.PositiveSmallIntegerField(_("hours to dispatch"), default=48)
    transit_days = models.PositiveSmallIntegerField(_("days in transit before a parcel counts as late"), default=14)
    lost_days = models.PositiveSmallIntegerField(_("days without a scan before a parcel counts as lost"), default=30)
    margin_floor = models.DecimalField(_("lowest margin, % of the line"), max_digits=6, decimal_places=2, default=0)
    stock_buffer = models.PositiveIntegerField(_("units a supplier must have left over"), default=0)
    revenue_at = models.CharField(_("revenue counts"), max_length=12, choices=RECOGNITION, default="handed_over")
    messages_allowed = models.BooleanField(_("the channel lets us write to buyers"), default=True)
    review_invitations = models.BooleanField(_("invite buyers to review"), default=False)
    message_cap = models.PositiveSmallIntegerField(_("messages on one order at most"), default=8)
    is_sample = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@pghistory.track()
class StoreAccess(models.Model):
    """Who works which store, as what."""

    ROLES = [
        ("owner", _("owner")), ("operator", _("operator")),
        ("bookkeeper", _("bookkeeper")), ("viewer", _("viewer")),
    ]  # fmt: skip

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="store_access")
    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="access")
    role = models.CharField(_("role"), max_length=12, choices=ROLES)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "store"], name="one_role_per_store")]


@pghistory.track()
class FeeRule(models.Model):
    """What the channel and the payment provider keep of each order: percent of the total plus a fixed amount."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="fee_rules")
    name = models.CharField(_("name"), max_length=80)
    percent = models.DecimalField(_("percent of the order's total"), max_digits=7, decimal_places=4, default=0)
    fixed = models.DecimalField(_("fixed amount an order"), max_digits=12, decimal_places=4, default=0)
    valid_from = models.DateField(_("valid from"))
    refunded_on_refund = models.BooleanField(_("percent given back on refunds"), default=False)

    class Meta:
        ordering = ["store", "valid_from", "id"]


class ChannelAccount(models.Model):
    """The keys with which we act for a store or read a supplier; `secret` is encrypted (`lib.secret`)."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="accounts")
    connector = models.CharField(max_length=40)
    settings = models.JSONField(default=dict)
    secret = models.BinaryField(default=b"")


class Task(models.Model):
    """Something only a person can settle. Kept once per (store, kind, thing) while it is open."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="tasks", null=True)
    kind = models.CharField(max_length=40)  # order_changed, attempt_unknown, reply_row, parcel_lost …
    thing_kind = models.CharField(max_length=20, blank=True, db_default="")  # order, purchase_order, parcel …
    thing = models.BigIntegerField(db_default=0)
    params = models.JSONField(default=dict)  # fills the sentence of the kind; no personal data
    stake = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True, db_default="")
    due_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=60, blank=True, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "thing_kind", "thing"], condition=models.Q(closed_at=None), name="one_open_task"
            )
        ]
        indexes = [models.Index(fields=["store", "due_at"], condition=models.Q(closed_at=None), name="open_tasks")]


class Installation(models.Model):
    """This copy of daifa: one row. A restored copy is quarantined until a person releases it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    uuid = models.UUIDField(default=uuid.uuid4)
    code = models.CharField(max_length=4)  # begins our purchase references, so that two copies never share one
    created_at = models.DateTimeField()
    quarantined_at = models.DateTimeField(null=True)
    backup_taken_at = models.DateTimeField(null=True)  # of the backup this copy came from
    read_back_at = models.DateTimeField(null=True)  # when suppliers had been asked by our references
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=60, blank=True, default="")
    lease_holder = models.CharField(max_length=80, blank=True, default="")
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_installation")]
