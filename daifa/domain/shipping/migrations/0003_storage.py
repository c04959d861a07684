"""Rows that move often leave room on their page, so that an update stays in place."""

from django.db import migrations

SQL = """
ALTER TABLE shipping_parcel SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE shipping_dispatchnotice SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
"""
UNDO = """
ALTER TABLE shipping_parcel RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
ALTER TABLE shipping_dispatchnotice RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
"""


class Migration(migrations.Migration):
    dependencies = [("shipping", "0002_partitions")]
    operations = [migrations.RunSQL(SQL, UNDO)]
