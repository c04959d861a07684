"""What the order list filters and searches by.

Numbers and SKUs are compared byte by byte (collation "C"), so that one index serves both "is" and "begins with",
whatever the server's own collation is.
"""

from django.db import migrations

SQL = """
ALTER TABLE orders_order ALTER COLUMN number TYPE varchar(80) COLLATE "C";
ALTER TABLE orders_orderline ALTER COLUMN sku TYPE varchar(80) COLLATE "C";
CREATE INDEX order_lines_by_sku ON orders_orderline (sku, order_id);
CREATE INDEX addresses_by_name ON orders_addressversion (lower(name) text_pattern_ops) WHERE name <> '';
CREATE INDEX addresses_by_surname ON orders_addressversion (lower(substring(name from '[^ ]+$')) text_pattern_ops)
    WHERE name LIKE '% %';
-- Ended orders leave `orders_open`; here each enters once, and no move touches it before.
CREATE INDEX orders_ended ON orders_order (store_id, status, placed_at DESC, id DESC)
    WHERE status IN ('delivered', 'closed', 'cancelled');
"""
UNDO = """
DROP INDEX orders_ended, addresses_by_surname, addresses_by_name, order_lines_by_sku;
ALTER TABLE orders_orderline ALTER COLUMN sku TYPE varchar(80);
ALTER TABLE orders_order ALTER COLUMN number TYPE varchar(80);
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_storage")]
    operations = [migrations.RunSQL(SQL, UNDO)]
