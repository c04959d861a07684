"""Finding a parcel by a number, or by the beginning of one, in force or replaced."""

from django.db import migrations

SQL = """
ALTER TABLE shipping_parcel ALTER COLUMN number TYPE varchar(60) COLLATE "C";
ALTER TABLE shipping_waybillnumber ALTER COLUMN number TYPE varchar(60) COLLATE "C";
-- Few: what is in force stands on the parcel itself.
CREATE INDEX replaced_numbers ON shipping_waybillnumber (number) WHERE NOT is_active;
-- Lists, newest first.
CREATE INDEX parcels_newest ON shipping_parcel (store_id, announced_at DESC, id DESC);
CREATE INDEX parcels_late ON shipping_parcel (store_id, announced_at DESC, id DESC) WHERE is_late AND delivered_at IS NULL;
"""
UNDO = """
DROP INDEX parcels_late, parcels_newest, replaced_numbers;
ALTER TABLE shipping_waybillnumber ALTER COLUMN number TYPE varchar(60);
ALTER TABLE shipping_parcel ALTER COLUMN number TYPE varchar(60);
"""


class Migration(migrations.Migration):
    dependencies = [("shipping", "0003_storage")]
    operations = [migrations.RunSQL(SQL, UNDO)]
