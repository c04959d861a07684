import pghistory
import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from daifa.domain.sourcing.process import SAMPLE


@pghistory.track()
class Supplier(models.Model):
    """Whom we buy from. `kind` decides how purchases reach him."""

    KINDS = [
        ("workbook", _("workbook (XLSX by mail or download)")),
        ("fake", _("scripted stand-in (for trying out)")),
    ]
    SOURCES = [
        ("trade", _("factory or wholesaler")),
        ("consumer_platform", _("shop on a consumer platform (Taobao, Pinduoduo, retail on 1688 …)")),
    ]
    DELIVERY = [("mail", _("by mail")), ("download", _("a person downloads it"))]
    STATES = [
        ("prospect", _("prospect")), ("trial", _("trial")), ("active", _("active")),
        ("watch", _("watched")), ("suspended", _("suspended")), ("ended", _("ended")),
    ]  # fmt: skip

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=160)
    kind = models.CharField(_("how purchases reach him"), max_length=12, choices=KINDS, default="workbook")
    source = models.CharField(_("who he is"), max_length=20, choices=SOURCES, default="trade")
    delivery = models.CharField(_("workbooks go"), max_length=10, choices=DELIVERY, default="mail")
    email = models.EmailField(_("e-mail for purchases"), blank=True, default="")
    language = models.CharField(_("language of workbooks"), max_length=10, default="zh-hans")
    currency = models.CharField(_("currency"), max_length=3)
    country = models.CharField(_("country"), max_length=2, blank=True, default="CN")
    parcel_freight = models.DecimalField(_("freight per parcel"), max_digits=12, decimal_places=4, default=0)
    handling_days = models.PositiveSmallIntegerField(_("working days to ship"), default=2)
    ships_to = ArrayField(
        models.CharField(max_length=2),
        verbose_name=_("ships to (empty: everywhere)"),
        default=list,
        blank=True,
    )
    state = models.CharField(_("state"), max_length=10, choices=STATES, default="active")
    script = models.JSONField(default=dict, blank=True)  # of the scripted stand-in
    is_sample = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


_BY_HAND = pgtrigger.Condition("NEW.source = 'hand'")


@pghistory.track(
    pghistory.InsertEvent(condition=_BY_HAND), pghistory.UpdateEvent(condition=_BY_HAND),
)  # fmt: skip
class SupplierOffer(models.Model):
    """What a supplier will sell us under his SKU. Stock is an estimate with an age; lists write many at once."""

    STATES = [
        ("live", _("live")), ("stale", _("stale")), ("unavailable", _("unavailable")), ("removed", _("removed")),
    ]  # fmt: skip

    supplier = models.ForeignKey(Supplier, on_delete=models.CASCADE, related_name="offers")
    supplier_sku = models.CharField(max_length=80)
    title = models.CharField(max_length=255, blank=True, db_default="")
    price = models.DecimalField(max_digits=19, decimal_places=4)  # per supplier unit, supplier's currency
    freight = models.DecimalField(
        max_digits=19, decimal_places=4, db_default=0
    )  # per supplier unit, on top of the parcel's
    stock = models.IntegerField(null=True)  # supplier units; empty = not told
    stock_at = models.DateTimeField(null=True)
    lead_days = models.SmallIntegerField(null=True)
    ships_to = ArrayField(models.CharField(max_length=2), db_default=[])
    state = models.CharField(max_length=12, choices=STATES, db_default="live")
    source = models.CharField(max_length=10, db_default="list")  # list, hand, sample
    read_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["supplier", "supplier_sku"], name="one_offer_per_supplier_sku")
        ]


class SkuMapping(models.Model):
    """Which supplier SKU is which variant. Versioned: an edit adds a version, lines keep the one they were routed by.

    `factor` sales units are one supplier unit. `rank` 1 is asked first, 2–3 are backups.
    """

    STATES = [
        ("proposed", _("proposed")), ("verified", _("verified")),
        ("broken", _("broken")), ("superseded", _("superseded")),
    ]  # fmt: skip

    variant = models.ForeignKey("catalog.Variant", on_delete=models.CASCADE, related_name="mappings")
    offer = models.ForeignKey(SupplierOffer, on_delete=models.PROTECT, related_name="mappings")
    version = models.IntegerField(default=1)
    supplier_sku = models.CharField(
        max_length=80
    )  # frozen here: if the offer's SKU changes, the mapping is broken
    factor = models.IntegerField(default=1)
    rank = models.SmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=STATES, default="verified")
    evidence = models.JSONField(default=dict)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "offer"],
                condition=models.Q(state__in=["proposed", "verified"]),
                name="one_live_mapping",
            ),
            models.UniqueConstraint(fields=["variant", "offer", "version"], name="mapping_versions"),
            models.CheckConstraint(condition=models.Q(factor__gt=0), name="mapping_factor_positive"),
        ]


@pghistory.track()
class Agreement(models.Model):
    """The supplier agreed to ship for a store (or for all own stores). Without one, nothing is routed to him.

    What was agreed decides which stores he may serve: `rules.may_serve`. An agreement for a store on a marketplace
    names that store.
    """

    PAYERS = [("supplier", _("the supplier")), ("us", _("we")), ("buyer", _("the buyer"))]

    supplier = models.ForeignKey(Supplier, on_delete=models.CASCADE, related_name="agreements")
    store = models.ForeignKey(
        "stores.Store", on_delete=models.CASCADE, null=True, blank=True, related_name="agreements"
    )
    is_authorised = models.BooleanField(_("authorised to ship for us"), default=False, db_default=False)
    neutral_packing = models.BooleanField(_("neutral packing"), default=True)
    no_cards = models.BooleanField(_("no cards or leaflets in the parcel"), default=False, db_default=False)
    platform_waybill = models.BooleanField(
        _("ships with the platform's own e-waybill"), default=False, db_default=False
    )
    stock_secured = models.BooleanField(_("the goods are bought or reserved for us"), default=False, db_default=False)
    ships_from = models.CharField(_("ships from"), max_length=120, blank=True, default="", db_default="")
    returns_to = models.CharField(_("return address"), max_length=300, blank=True, default="", db_default="")
    returns_paid_by = models.CharField(
        _("who pays for returns"), max_length=10, choices=PAYERS, blank=True, default="", db_default=""
    )
    claim_days = models.PositiveSmallIntegerField(_("days in which a claim can be made"), null=True, blank=True)
    entrusted_on = models.DateField(_("entrustment of personal data signed on"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True, default="")
    valid_from = models.DateField(_("valid from"))
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    remind_days = models.PositiveSmallIntegerField(_("remind so many days before it ends"), default=30, db_default=30)
    recorded_by = models.CharField(max_length=60)
    recorded_at = models.DateTimeField()


class AgreementDocument(models.Model):
    """A paper of an agreement: the signed contract, the entrustment. Its bytes lie in the file store under their hash."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="documents")
    name = models.CharField(max_length=160)
    media_type = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64)
    size = models.IntegerField()
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agreement", "sha256"], name="document_once_per_agreement")]


class Sample(models.Model):
    """Goods ordered from a supplier to our own address, as a buyer would get them: is he one to send buyers' orders to?

    `cost` is what was paid for goods and freight together; it stands in the books as a sample. Photos of the parcel are
    parcel checks of shipping that name the sample.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")  # whose books bear it
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="samples")
    variant = models.ForeignKey("catalog.Variant", on_delete=models.SET_NULL, null=True, related_name="+")
    offer = models.ForeignKey(SupplierOffer, on_delete=models.SET_NULL, null=True, related_name="+")
    supplier_sku = models.CharField(max_length=80, blank=True, db_default="")
    title = models.CharField(max_length=255, blank=True, db_default="")
    quantity = models.IntegerField(db_default=1)
    state = models.CharField(max_length=10, choices=SAMPLE.choices())
    send_to = models.CharField(max_length=300)  # our own address
    note = models.CharField(max_length=500, blank=True, db_default="")
    cost = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.CharField(max_length=3)
    carrier = models.CharField(max_length=40, blank=True, db_default="")
    number = models.CharField(max_length=60, blank=True, db_default="")  # of its waybill
    verdict = models.CharField(max_length=500, blank=True, db_default="")  # why it passed or failed
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    ordered_at = models.DateTimeField(null=True)
    shipped_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(null=True)
    judged_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="sample_quantity_positive"),
            models.CheckConstraint(condition=models.Q(cost__isnull=True) | models.Q(cost__gte=0), name="sample_cost_not_negative"),
        ]
        indexes = [models.Index(fields=["store", "id"], name="samples_of_store")]
