"""Entries of the books stay final, but their memos may lose a buyer's name: words become ***, nothing else changes."""

from django.db import migrations

SQL = r"""
CREATE OR REPLACE FUNCTION daifa_books_are_never_edited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('daifa.removing_sample', true) = 'yes' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'books_entry' AND current_setting('daifa.erasing', true) = 'yes' THEN
        RETURN NULL;  -- each row is looked at by memos_lose_words
    END IF;
    RAISE EXCEPTION 'Entries are never edited or deleted: reverse them.' USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION daifa_memos_lose_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'memo' IS DISTINCT FROM to_jsonb(OLD) - 'memo' OR NOT OLD.memo LIKE
        replace(replace(replace(replace(NEW.memo, '\', '\\'), '%', '\%'), '_', '\_'), '***', '%') THEN
        RAISE EXCEPTION 'Of an entry only words of the memo may be taken out.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER memos_lose_words BEFORE UPDATE ON books_entry FOR EACH ROW EXECUTE FUNCTION daifa_memos_lose_words();
"""

UNDO = """
DROP TRIGGER memos_lose_words ON books_entry;
DROP FUNCTION daifa_memos_lose_words();
CREATE OR REPLACE FUNCTION daifa_books_are_never_edited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('daifa.removing_sample', true) = 'yes' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'Entries are never edited or deleted: reverse them.' USING ERRCODE = 'check_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("privacy", "0001_initial"), ("books", "0002_ledger")]

    operations = [migrations.RunSQL(SQL, UNDO)]
