"""Purchases that should have been shipped: those that are placed, by their due time. Closed ones leave it."""

from django.db import migrations

SQL = "CREATE INDEX purchases_due ON purchasing_purchaseorder (ship_due_at) WHERE state = 'placed';"
UNDO = "DROP INDEX purchases_due;"


class Migration(migrations.Migration):
    dependencies = [("purchasing", "0003_search")]
    operations = [migrations.RunSQL(SQL, UNDO)]
