from django.db import models
from django.utils.translation import gettext_lazy as _

from daifa.domain.imports.process import IMPORT
from daifa.lib.sentence_field import LongSentenceField


class ImportFile(models.Model):
    """A file and what became of it. rows_in = rows_used + rows_not_orders + rows_refused, always.

    `documents_done` counts documents applied so far, so that a killed import goes on behind them. The file itself
    lies in the file store under its hash (`DAIFA_HOME/files/imports/<sha256>`), kept as it came.
    """

    KINDS = [
        ("orders", _("orders")), ("products", _("products")), ("offers", _("offers")),
        ("replies", _("supplier replies")), ("tracking", _("tracking")), ("expenses", _("expenses")),
        ("violations", _("violations")),
    ]  # fmt: skip

    kind = models.CharField(max_length=10, choices=KINDS)
    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, null=True, related_name="imports")
    supplier_code = models.CharField(max_length=40, blank=True, db_default="")  # whose reply or price list
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    options = models.JSONField(default=dict)  # layout, column mapping, treat_as …
    layout = models.CharField(max_length=40, blank=True, db_default="")
    state = models.CharField(max_length=10, choices=IMPORT.choices(), db_default="received")
    sentence = LongSentenceField(blank=True, db_default="")  # why the whole file was refused
    rows_in = models.IntegerField(db_default=0)
    rows_used = models.IntegerField(db_default=0)
    rows_not_orders = models.IntegerField(db_default=0)
    rows_refused = models.IntegerField(db_default=0)
    rows_expected = models.IntegerField(null=True)  # for the progress bar
    documents_done = models.IntegerField(db_default=0)
    counts = models.JSONField(default=dict)  # {"used": {reason: rows}, "not_orders": {…}, "refused": {…}, "documents": {…}}
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["kind", "sha256"], name="same_file")]


class ImportRow(models.Model):
    """A row that was refused, or used with a remark: which, why, what to do; mended and retried from its page."""

    file = models.ForeignKey(ImportFile, on_delete=models.CASCADE, related_name="rows")
    row = models.IntegerField()
    rows = models.IntegerField(db_default=1)
    document = models.CharField(max_length=80, blank=True, db_default="")
    code = models.CharField(max_length=40)
    message = models.TextField(blank=True, db_default="")  # msgid, filled from params
    params = models.JSONField(default=dict)
    raw = models.JSONField(default=list)  # cells as they were read; shredded with the file
    state = models.CharField(max_length=10, db_default="open")  # open, retried, dismissed, note
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["file", "state", "row"], name="rows_of_file")]


class ImportShape(models.Model):
    """How a person said files of one shape are read, so that the next file of that shape needs nothing.

    A shape is the headings of a file of one kind, from one store or supplier. `options` are those of `ImportFile`.
    """

    kind = models.CharField(max_length=10, choices=ImportFile.KINDS)
    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, null=True, related_name="+")
    supplier_code = models.CharField(max_length=40, blank=True, db_default="")
    headings = models.CharField(max_length=64)  # digest of the headings, as they are found by themselves
    options = models.JSONField(default=dict)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "store", "supplier_code", "headings"], nulls_distinct=False, name="one_way_to_read_a_shape"
            )
        ]
