from django.db import models


class Customer(models.Model):
    """A buyer in one store, under the channel's own reference. Name and mail only where the channel gave them."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="customers")
    ref = models.CharField(max_length=120)
    name = models.CharField(max_length=160, blank=True, db_default="")
    email = models.CharField(max_length=254, blank=True, db_default="")
    country = models.CharField(max_length=2, blank=True, db_default="")
    first_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "ref"], name="one_customer_per_ref")]


class Consent(models.Model):
    """What a customer allowed, with its proof. Withdrawn, it stays on record."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=20)  # review, marketing
    granted_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    proof = models.CharField(max_length=255)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "purpose"], condition=models.Q(withdrawn_at=None), name="one_live_consent"
            )
        ]
