from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.catalog.process import ACTIONS, LISTING, LISTING_FILE, OPEN, PUBLICATION


class Product(models.Model):
    """The thing. Shared by all stores."""

    handle = models.CharField(max_length=160, unique=True)
    title = models.CharField(_("title"), max_length=255)
    description = models.TextField(_("description"), blank=True, default="")
    brand = models.CharField(_("brand"), max_length=120, blank=True, default="")
    category = models.CharField(_("category"), max_length=255, blank=True, default="")
    image = models.CharField(_("image"), max_length=500, blank=True, default="")
    state = models.CharField(max_length=10, default="active")  # draft, active, retired
    created_at = models.DateTimeField()


class Variant(models.Model):
    """The exact size or colour one can buy. Its SKU is ours and unique, capitals matter."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants")
    sku = models.CharField(max_length=80, unique=True)
    title = models.CharField(max_length=255, blank=True, default="")  # "Red / L"; "" when there is only one
    options = models.JSONField(default=dict)
    barcode = models.CharField(max_length=40, blank=True, default="")
    weight_g = models.IntegerField(null=True)
    created_at = models.DateTimeField()


class ListingVariant(models.Model):
    """A variant as one store sells it. `variant` is empty while nobody has said which one it is: such lines are held.

    The listing variants of one product in one store are one listing: they are published and taken down together.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="listings")
    sku = models.CharField(max_length=80)  # the channel's
    external_id = models.CharField(max_length=80, blank=True, default="")
    title = models.CharField(max_length=255, blank=True, default="")
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, null=True, related_name="listings")
    price = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    state = models.CharField(max_length=10, default="live", choices=LISTING.choices())
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "sku"], name="one_listing_per_sku")]
        indexes = [
            models.Index(fields=["store", "state"], condition=~Q(state="live"), name="listings_not_on_sale")
        ]


class Publication(models.Model):
    """What a listing is to be on its channel: the text as judged, who let it out, and what the channel answered.

    Never edited: changed words are a new one. `content` is what goes out, fixed when it was judged; `digest` says which
    words and picture a person approved, `lists` by which version of the lists they were judged.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="publications")
    action = models.CharField(max_length=8, choices=[(code, words[0]) for code, words in ACTIONS.items()])
    state = models.CharField(max_length=10, choices=PUBLICATION.choices())
    listings = ArrayField(models.BigIntegerField())  # ids of the listing variants in it
    content = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    lists = models.ForeignKey("policy.WordLists", on_delete=models.PROTECT, null=True, related_name="+")
    reasons = models.JSONField(default=list)  # [[code, params], …] of what stands or stood against it
    hits = models.JSONField(default=list)  # [[field, word, category, severity, start, end], …]
    allowed = ArrayField(models.CharField(max_length=20), default=list)  # codes of reasons a person let pass
    decided_by = models.CharField(max_length=60, blank=True, db_default="")
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=500, blank=True, db_default="")  # why it was approved or returned
    file = models.ForeignKey("catalog.ListingFile", on_delete=models.PROTECT, null=True, related_name="publications")
    answer = models.CharField(max_length=300, blank=True, db_default="")  # of the channel, or what a person said
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "product"], condition=Q(state__in=OPEN), name="one_open_publication"
            )
        ]
        indexes = [
            models.Index(fields=["product", "store", "-id"], name="publications_of_a_listing"),
            models.Index(fields=["store", "state"], condition=Q(state__in=OPEN), name="open_publications"),
        ]


class ListingFile(models.Model):
    """A file for a channel without a connection, fixed when it is made: what was downloaded can be proved unchanged."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    number = models.IntegerField()  # 1, 2, 3 … a store
    state = models.CharField(max_length=10, choices=LISTING_FILE.choices())
    layout = models.CharField(max_length=20)  # shopify, general
    name = models.CharField(max_length=120)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    listing_count = models.IntegerField()
    rows = models.IntegerField()
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    settled_by = models.CharField(max_length=60, blank=True, db_default="")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "number"], name="one_listing_file_per_number")]


class ListingConcern(models.Model):
    """Why a listing that is on sale should be looked at, as of the last look: words, papers, notices, rights."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="+")
    is_grave = models.BooleanField()  # it must not stay on sale as it is; else a person should look
    reasons = models.JSONField(default=list)  # as of Publication
    lists = models.ForeignKey("policy.WordLists", on_delete=models.PROTECT, null=True, related_name="+")
    found_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "product"], name="one_concern_a_listing")]
