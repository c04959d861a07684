"""Scans of one moment at two places are two scans: the place tells them apart."""

from django.db import migrations

SQL = """
DROP INDEX shipping_trackingevent_once;
CREATE UNIQUE INDEX shipping_trackingevent_once ON shipping_trackingevent (parcel_id, at, status, raw_status, place);
"""
BACK = """
DROP INDEX shipping_trackingevent_once;
DELETE FROM shipping_trackingevent e USING shipping_trackingevent k
WHERE k.parcel_id = e.parcel_id AND k.at = e.at AND k.status = e.status AND k.raw_status = e.raw_status AND k.place < e.place;
CREATE UNIQUE INDEX shipping_trackingevent_once ON shipping_trackingevent (parcel_id, at, status, raw_status);
"""


class Migration(migrations.Migration):
    dependencies = [("shipping", "0006_samples")]
    operations = [migrations.RunSQL(SQL, BACK)]
