from django.db import models
from django.utils.translation import gettext_lazy as _


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
    """A variant as one store sells it. `variant` is empty while nobody has said which one it is: such lines are held."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="listings")
    sku = models.CharField(max_length=80)  # the channel's
    external_id = models.CharField(max_length=80, blank=True, default="")
    title = models.CharField(max_length=255, blank=True, default="")
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, null=True, related_name="listings")
    price = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    state = models.CharField(max_length=10, default="live")  # draft, live, paused, delisted, closed
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "sku"], name="one_listing_per_sku")]
