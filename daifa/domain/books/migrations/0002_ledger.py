"""The guards of the ledger, and its chart of accounts.

Balance is checked per statement with a transition table: a deferred trigger per row costs ten times as much. Legs are
numbered from 1 within the statement, so that a later leg for an old entry meets the primary key or this check.
"""

from django.db import migrations

SQL = """
CREATE FUNCTION daifa_postings_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
    SELECT entry_id, currency, sum(amount) AS off INTO bad
        FROM fresh GROUP BY entry_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'Entry % does not balance: % % too much.', bad.entry_id, bad.off, bad.currency
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT entry_id INTO bad FROM fresh GROUP BY entry_id
        HAVING min(line_no) <> 1 OR max(line_no) <> count(*) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'The legs of entry % must arrive together, numbered from 1.', bad.entry_id
            USING ERRCODE = 'check_violation';
    END IF;
    -- Once a statement instead of a foreign key's check a row: half of all checks of the loop would be these two.
    SELECT f.entry_id INTO bad FROM fresh f
        WHERE NOT EXISTS (SELECT 1 FROM books_entry e WHERE e.id = f.entry_id)
           OR NOT EXISTS (SELECT 1 FROM books_account a WHERE a.id = f.account_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'A leg names entry %, which is not there, or an account that is not there.', bad.entry_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER postings_balance AFTER INSERT ON books_posting
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION daifa_postings_balance();

-- Only taking the sample shop out again may delete, and says so for its transaction.
CREATE FUNCTION daifa_books_are_never_edited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('daifa.removing_sample', true) = 'yes' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'Entries are never edited or deleted: reverse them.' USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER postings_are_final BEFORE UPDATE OR DELETE ON books_posting
    FOR EACH STATEMENT EXECUTE FUNCTION daifa_books_are_never_edited();
CREATE TRIGGER entries_are_final BEFORE UPDATE OR DELETE ON books_entry
    FOR EACH STATEMENT EXECUTE FUNCTION daifa_books_are_never_edited();
"""

UNDO = """
DROP TRIGGER postings_balance ON books_posting;
DROP TRIGGER postings_are_final ON books_posting;
DROP TRIGGER entries_are_final ON books_entry;
DROP FUNCTION daifa_postings_balance();
DROP FUNCTION daifa_books_are_never_edited();
"""

ACCOUNTS = [
    ("1000", "asset", "Bank", "银行存款"),
    ("1100", "asset", "Receivable from the channel", "应收平台款"),
    ("1300", "asset", "Goods bought, not yet handed over", "在途采购商品"),
    ("2000", "liability", "Payable to suppliers", "应付供应商款"),
    ("2100", "liability", "Deferred income", "预收货款（递延收入）"),
    ("3000", "equity", "Equity", "所有者权益"),
    ("4000", "income", "Sales of goods", "商品销售收入"),
    ("4100", "income", "Freight charged to buyers", "运费收入"),
    ("4200", "income", "Discounts and other income", "优惠及其他收入"),
    ("4900", "income", "Refunds to buyers", "退款（收入抵减）"),
    ("5000", "expense", "Cost of goods sold", "商品成本"),
    ("5100", "expense", "Freight paid to suppliers", "代发运费"),
    ("6000", "expense", "Advertising", "广告费"),
    ("6100", "expense", "Platform and payment fees", "平台及支付手续费"),
    ("6200", "expense", "Tools", "工具软件费"),
    ("6900", "expense", "Other costs", "其他费用"),
    ("7000", "expense", "Exchange differences", "汇兑损益"),
    ("9000", "equity", "Currency exchange", "货币兑换（过渡）"),
]


def add_accounts(apps, schema_editor):
    Account = apps.get_model("books", "Account")
    Account.objects.bulk_create(
        [Account(code=code, kind=kind, name=name, name_zh=name_zh) for code, kind, name, name_zh in ACCOUNTS]
    )


class Migration(migrations.Migration):
    dependencies = [("books", "0001_initial")]
    operations = [migrations.RunSQL(SQL, UNDO), migrations.RunPython(add_accounts, migrations.RunPython.noop)]
