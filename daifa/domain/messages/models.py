import pghistory
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.messages.process import KINDS, MESSAGE


@pghistory.track()
class MessageTemplate(models.Model):
    """Words prepared for a fact, in one language, for all stores or one of them."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, null=True, blank=True, related_name="templates")
    kind = models.CharField(_("kind"), max_length=20, choices=[(k, w[0]) for k, w in KINDS.items()])
    language = models.CharField(_("language"), max_length=10)
    subject = models.CharField(_("subject"), max_length=200)
    body = models.TextField(_("text"))
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "kind", "language"], nulls_distinct=False, name="one_template_each")
        ]


class Message(models.Model):
    """One message to one buyer, at most once per (kind, thing, version). What was sent is kept as it was sent.

    `thing` is the order for order_received and review, the parcel otherwise; `version` the waybill number's.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False)
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=20)
    thing = models.BigIntegerField()
    version = models.SmallIntegerField(db_default=1)
    state = models.CharField(max_length=10, choices=MESSAGE.choices())
    reason = models.CharField(max_length=200, blank=True, db_default="")  # why suppressed or failed
    subject = models.CharField(max_length=200, blank=True, db_default="")
    body = models.TextField(blank=True, db_default="")
    at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "thing", "version"], name="told_once")]
        indexes = [models.Index(fields=["id"], condition=Q(state__in=["queued", "sending", "unknown"]), name="messages_open")]
