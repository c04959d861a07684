"""Rows that move often leave room on their page, so that an update stays in place."""

from django.db import migrations

SQL = """
ALTER TABLE buyer_messages_message SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
"""
UNDO = """
ALTER TABLE buyer_messages_message RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
"""


class Migration(migrations.Migration):
    dependencies = [("buyer_messages", "0001_initial")]
    operations = [migrations.RunSQL(SQL, UNDO)]
