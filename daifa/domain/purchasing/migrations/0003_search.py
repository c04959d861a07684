"""The list of refused and cancelled purchase orders: few among many, so a small index of their own."""

from django.db import migrations

SQL = """
CREATE INDEX purchases_refused ON purchasing_purchaseorder (store_id, id) WHERE state IN ('refused', 'cancelled');
"""
UNDO = "DROP INDEX purchases_refused;"


class Migration(migrations.Migration):
    dependencies = [("purchasing", "0002_storage")]
    operations = [migrations.RunSQL(SQL, UNDO)]
