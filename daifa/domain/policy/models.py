from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class RuleFile(models.Model):
    """One file of rules as it was read, kept by its content: a book that is unchanged in it points to the same row."""

    name = models.CharField(max_length=60)  # its stem is the channel
    digest = models.CharField(max_length=64)  # SHA-256 of the content
    content = models.TextField()
    is_own = models.BooleanField(default=False)  # put in by the owner, instead of or beside those that ship

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "digest", "is_own"], name="one_text_of_a_rule_file")]


class RuleBook(models.Model):
    """A version of the whole book. It counts from `takes_effect_on` until a younger one does; the first from ever.

    A withdrawn one never counted or counts no more. Rows are never changed but for that and for the day.
    """

    digest = models.CharField(max_length=64)  # of all its files
    files = models.ManyToManyField(RuleFile, related_name="books")
    rule_count = models.IntegerField()
    takes_effect_on = models.DateField(null=True)  # empty = the first book
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    withdrawn_by = models.CharField(max_length=60, blank=True, db_default="")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]


class RuleOverride(models.Model):
    """The owner's word about a rule, kept apart from the files: fields that read otherwise, or that it was checked.

    `changes` empty = confirmed as it stands. Never edited: a new word is a new row, an old one is withdrawn.
    """

    rule_id = models.CharField(_("rule"), max_length=60)
    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    changes = models.JSONField(default=dict)  # field → text as in a file; JSON null = empty
    reason = models.CharField(_("reason"), max_length=500)
    valid_from = models.DateField(_("valid from"))
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    withdrawn_by = models.CharField(max_length=60, blank=True, db_default="")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")), name="override_ends_after_it_begins"
            ),
        ]
        indexes = [models.Index(fields=["rule_id"], condition=Q(withdrawn_at=None), name="overrides_that_count")]


class OwnWord(models.Model):
    """A word the owner adds to the lists, or one of the lists she may use (`severity` "allow"): with her reason."""

    SEVERITIES = [
        ("block", _("must be changed before publishing")), ("review", _("a person must look")), ("hint", _("hint only")),
        ("allow", _("may be used")),
    ]  # fmt: skip

    term = models.CharField(_("word"), max_length=80)
    severity = models.CharField(_("severity"), max_length=8, choices=SEVERITIES)
    reason = models.CharField(_("reason"), max_length=500)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    withdrawn_by = models.CharField(max_length=60, blank=True, db_default="")
    withdrawn_at = models.DateTimeField(null=True)


class TextApproval(models.Model):
    """A person looked at exactly these words and lets them be published; changed words ask again."""

    digest = models.CharField(max_length=64, unique=True)  # `words.digest_of` of the texts
    reason = models.CharField(_("reason"), max_length=500)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()


class TextFinding(models.Model):
    """A restricted word found in what we publish or send, as of the last look. Holds places, not the text."""

    KINDS = [
        ("product", _("product")), ("listing", _("listing")), ("template", _("message template")),
        ("order_note", _("note of an order")), ("agreement_note", _("note of an agreement")),
    ]  # fmt: skip

    kind = models.CharField(max_length=16, choices=KINDS)
    thing = models.BigIntegerField()
    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, null=True, related_name="+")
    name = models.CharField(max_length=255)  # how the thing is called: SKU, title, number
    field = models.CharField(max_length=20)
    term = models.CharField(max_length=80)
    category = models.CharField(max_length=24)
    severity = models.CharField(max_length=8)
    start = models.IntegerField()
    end = models.IntegerField()
    found_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["kind", "thing"], name="findings_of_a_thing")]


class WordLists(models.Model):
    """A version of the lists of words, goods and brands with the owner's own words, as texts are judged by it.

    Written when the lists are found to read otherwise than before, never changed; `entries` can be compared.
    """

    digest = models.CharField(max_length=64)
    dates = models.JSONField(default=dict)  # list → the date in its file
    entries = models.JSONField(default=list)  # [[word, category, severity], …] in order
    goods_count = models.IntegerField()
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
