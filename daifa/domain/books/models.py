import pghistory
from django.db import models
from django.utils.translation import gettext_lazy as _

from daifa.lib.sentence_field import SentenceField


class Account(models.Model):
    """Where value sits. `kind` decides its side: assets and expenses grow by debit (+), the others by credit (−)."""

    KINDS = [
        ("asset", _("asset")), ("liability", _("liability")), ("equity", _("equity")),
        ("income", _("income")), ("expense", _("expense")),
    ]  # fmt: skip

    code = models.CharField(max_length=10, unique=True)
    kind = models.CharField(max_length=10, choices=KINDS)
    name = models.CharField(max_length=80)  # English
    name_zh = models.CharField(max_length=80)

    class Meta:
        ordering = ["code"]


class Entry(models.Model):
    """A balanced, dated record of one fact; never edited. Each (fact, fact_id) posts once.

    `order_id` and `supplier_id` are dimensions by number: books stand below orders and sourcing and do not know them.
    """

    store = models.ForeignKey(
        "stores.Store", on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False
    )
    fact = models.CharField(max_length=24)  # order_paid, purchase_accepted, parcel_handed_over …
    fact_id = models.BigIntegerField()
    at = models.DateTimeField()  # when the fact happened: decides its month
    order_id = models.BigIntegerField(null=True)
    supplier_id = models.BigIntegerField(null=True)
    memo = SentenceField(max_length=200, blank=True, db_default="")
    reversal_of = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="reversed_by"
    )
    by = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fact", "fact_id"], name="posted_once")]
        indexes = [
            models.Index(fields=["store", "at"], name="entries_by_date"),
            models.Index(
                fields=["order_id"], condition=models.Q(order_id__isnull=False), name="entries_of_order"
            ),
        ]


class Posting(models.Model):
    """One leg: debit positive, credit negative. All legs of an entry arrive in one statement, numbered from 1.

    Triggers refuse a statement whose entries do not balance per currency, any later leg, and any edit.
    """

    pk = models.CompositePrimaryKey("entry_id", "line_no")
    entry = models.ForeignKey(
        Entry, on_delete=models.PROTECT, db_index=False, related_name="postings", db_constraint=False
    )
    line_no = models.SmallIntegerField()
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, db_index=False, related_name="+", db_constraint=False
    )
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=19, decimal_places=4)


class FxRate(models.Model):
    """Units of `quote` for one unit of `base` on a day. A merchant's own rate wins over a published one."""

    date = models.DateField()
    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=18, decimal_places=8)
    source = models.CharField(max_length=20)  # hand, ecb
    by = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["date", "base", "quote", "source"], name="one_rate_a_day")
        ]


class Expense(models.Model):
    """Advertising, tools and the like, entered or imported; posted on the day given."""

    KINDS = [
        ("advertising", _("advertising")), ("platform", _("platform fees")),
        ("tools", _("tools")), ("samples", _("samples and test orders")), ("other", _("other")),
    ]  # fmt: skip

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="expenses")
    kind = models.CharField(_("kind"), max_length=12, choices=KINDS)
    amount = models.DecimalField(_("amount"), max_digits=19, decimal_places=4)
    currency = models.CharField(_("currency"), max_length=3)
    date = models.DateField(_("date"))
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    key = models.CharField(max_length=80, unique=True)  # repeats of one import or click post once
    by = models.CharField(max_length=60)


class SupplierPayment(models.Model):
    """Money we paid a supplier, or another word of his that moves what we owe him: money back, a credit note."""

    KINDS = [
        ("paid", _("paid to him")),
        ("received", _("money back from him")),
        ("credited", _("credit note: charged less")),
        ("taken_back", _("credit note: takes goods back that never left")),
    ]

    kind = models.CharField(_("kind"), max_length=12, choices=KINDS, db_default="paid")
    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="supplier_payments")
    supplier_id = models.BigIntegerField()
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    currency = models.CharField(max_length=3)
    date = models.DateField()
    note = models.CharField(max_length=200, blank=True, default="")
    key = models.CharField(max_length=80, unique=True)
    by = models.CharField(max_length=60)


@pghistory.track()
class BookLock(models.Model):
    """Up to which day (inclusive, in the store's time zone) nothing is posted to its books any more.

    A trigger on entries refuses what is dated earlier or on that day; `locked_until` 9999-12-31 = for good.
    """

    store = models.OneToOneField("stores.Store", on_delete=models.PROTECT, related_name="book_lock")
    locked_until = models.DateField(_("locked up to"))
    reason = SentenceField(_("reason"), max_length=200)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
