"""Clocks are written anew every few minutes: updates stay in place, and statistics keep up."""

from django.db import migrations

SQL = """
ALTER TABLE compliance_clock SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
"""
UNDO = """
ALTER TABLE compliance_clock RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
"""


class Migration(migrations.Migration):
    dependencies = [("compliance", "0001_initial")]
    operations = [migrations.RunSQL(SQL, UNDO)]
