"""Finding a customer by the beginning of the channel's reference or of the name."""

from django.db import migrations

SQL = """
ALTER TABLE customers_customer ALTER COLUMN ref TYPE varchar(120) COLLATE "C";
CREATE INDEX customers_by_name ON customers_customer (lower(name) text_pattern_ops) WHERE name <> '';
"""
UNDO = """
DROP INDEX customers_by_name;
ALTER TABLE customers_customer ALTER COLUMN ref TYPE varchar(120);
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial")]
    operations = [migrations.RunSQL(SQL, UNDO)]
