from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from daifa.lib.sentence_field import LongSentenceField, SentenceField


class Batch(models.Model):
    """Who, when and why, once for everything that one command did."""

    by = models.CharField(max_length=60)  # "user:3", "job:route_lines", "import:12"
    at = models.DateTimeField()
    reason = SentenceField(max_length=300, blank=True, db_default="")


class Transition(models.Model):
    """One thing moved from one state to another. Narrow, partitioned by month of `at`, archived but never pruned.

    `kind` is the number of the process (`lib.process.Process.kind`); an empty `state_from` is a birth.
    """

    pk = models.CompositePrimaryKey("batch_id", "kind", "thing", "state_to")
    batch = models.ForeignKey(Batch, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    kind = models.SmallIntegerField()
    thing = models.BigIntegerField()
    state_from = models.CharField(max_length=20)
    state_to = models.CharField(max_length=20)
    at = models.DateTimeField()

    class Meta:
        managed = False  # created by SQL in the first migration: Django knows no partitions
        db_table = "history_transition"


class PendingReaction(models.Model):
    """Things to which a reaction is still owed. One row per fact and batch; deleted in the transaction that reacts.

    `parked` waits for a person with `reason`; `suppressed` was no longer wanted when its turn came.
    """

    STATES = [("pending", _("pending")), ("parked", _("parked")), ("suppressed", _("suppressed"))]

    reaction = models.CharField(max_length=40)
    things = ArrayField(models.BigIntegerField())
    at = models.DateTimeField()  # when the fact happened
    not_before = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(db_default=0)
    state = models.CharField(max_length=10, choices=STATES, db_default="pending")
    reason = LongSentenceField(blank=True, db_default="")

    class Meta:
        indexes = [models.Index(fields=["state", "id"], name="pending_by_state")]
