"""The scans, partitioned by month."""

from django.db import migrations

SQL = """
CREATE TABLE shipping_trackingevent (
    parcel_id bigint NOT NULL REFERENCES shipping_parcel (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    status varchar(20) NOT NULL,
    raw_status varchar(200) NOT NULL DEFAULT '',
    place varchar(120) NOT NULL DEFAULT '',
    seen_at timestamptz NOT NULL,
    source varchar(60) NOT NULL
) PARTITION BY RANGE (at);
CREATE UNIQUE INDEX shipping_trackingevent_once ON shipping_trackingevent (parcel_id, at, status, raw_status);
CREATE TABLE shipping_trackingevent_rest PARTITION OF shipping_trackingevent DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("shipping", "0001_initial"), ("history", "0002_partitions")]
    operations = [migrations.RunSQL(SQL, "DROP TABLE shipping_trackingevent")]
