from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from daifa.domain.privacy.places import CLASSES


def _classes() -> list[tuple[str, str]]:
    return [(code, words[0]) for code, words in CLASSES.items()]


class Retention(models.Model):
    """How long a class of buyers' data is kept, as an owner said. The newest answer for a store and country counts.

    Days run from the end of an order. Before `at_least` nothing is erased, not even for a buyer who asks; after
    `at_most` it is erased by itself (empty: only when somebody asks). Without an answer nothing is erased.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, null=True, related_name="retentions")  # null: all
    country = models.CharField(max_length=2, blank=True, db_default="")  # of the buyer; "" = every other
    data = models.CharField(max_length=10, choices=_classes())
    at_least = models.IntegerField(db_default=0)
    at_most = models.IntegerField(null=True)
    source = models.CharField(max_length=200)  # on what the answer rests: a rule's id, a contract, an adviser
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(at_least__gte=0) & (Q(at_most=None) | Q(at_most__gte=models.F("at_least"))),
                name="retention_days",
            )
        ]
        indexes = [models.Index(fields=["data", "store", "country", "-id"], name="retention_newest")]


class LegalHold(models.Model):
    """An order whose data a person wants kept, for a dispute nobody else here knows of. Released, it stays on record."""

    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=200)  # no personal data
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=60, blank=True, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order"], condition=Q(released_at=None), name="one_legal_hold_per_order")
        ]


class Erasure(models.Model):
    """One erasure that was done: whose orders and customers by number, people by keyed hash, what stayed and why.

    A copy stands in `erasures.jsonl` outside the database, so that restoring an older backup can do it again.
    """

    KINDS = [("person", "a person asked"), ("store", "the store ended"), ("retention", "its time was over")]

    uuid = models.UUIDField(unique=True)
    kind = models.CharField(max_length=10, choices=KINDS)
    store = models.ForeignKey("stores.Store", on_delete=models.SET_NULL, null=True, related_name="+")
    token = models.CharField(max_length=24)  # stands in the place of the names
    orders = models.JSONField(default=dict)  # {class of data: [order ids]}
    customers = ArrayField(models.BigIntegerField(), default=list)
    people = ArrayField(models.CharField(max_length=64), default=list)  # keyed hashes of mail, phone, name and number
    counts = models.JSONField(default=dict)  # {place: rows or files}
    stays = models.JSONField(default=list)  # [[place, code, params, until], …]
    by = models.CharField(max_length=60)
    at = models.DateTimeField()


class BackupTaken(models.Model):
    """A backup that was written from here: it holds what was here at its time, and nobody can edit it."""

    place = models.CharField(max_length=500)  # where it was written; it may have been moved since
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    by = models.CharField(max_length=60)
    taken_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)  # when a person said that every copy of it is deleted
    gone_by = models.CharField(max_length=60, blank=True, db_default="")


class UploadSieve(models.Model):
    """Which words stand in an upload, hashed with this installation's key: it tells that a word is certainly not in it.

    So a person is looked for in the few uploads that can hold him. Empty bits = the file's words cannot be told, it is
    always read. Counts only while `key` and the file's size are still the same; goes when the file is changed.
    """

    sha256 = models.CharField(max_length=64, unique=True)  # the file's name in the store
    size = models.BigIntegerField()
    key = models.BinaryField()  # a digest of the key the words were hashed with
    bits = models.BinaryField()
    at = models.DateTimeField()
