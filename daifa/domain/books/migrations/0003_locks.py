"""Up to which day a store's books are locked, and the trigger that keeps them so.

One look a statement: where no store is locked it reads one empty page.
"""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


SQL = """
CREATE FUNCTION daifa_books_are_locked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
    IF NOT EXISTS (SELECT FROM books_booklock) THEN
        RETURN NULL;
    END IF;
    SELECT s.code, l.locked_until INTO bad
        FROM fresh f JOIN books_booklock l ON l.store_id = f.store_id JOIN stores_store s ON s.id = f.store_id
        WHERE (f.at AT TIME ZONE s.timezone)::date <= l.locked_until LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'The books of store % are locked up to %: nothing is posted there.', bad.code, bad.locked_until
            USING ERRCODE = 'check_violation', CONSTRAINT = 'books_locked';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER entries_meet_no_lock AFTER INSERT ON books_entry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION daifa_books_are_locked();
"""

UNDO = """
DROP TRIGGER entries_meet_no_lock ON books_entry;
DROP FUNCTION daifa_books_are_locked();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('books', '0002_ledger'),
        ('pghistory', '0007_auto_20250421_0444'),
        ('stores', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='BookLock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('locked_until', models.DateField(verbose_name='locked up to')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('by', models.CharField(max_length=60)),
                ('at', models.DateTimeField()),
                ('store', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='book_lock', to='stores.store')),
            ],
        ),
        migrations.CreateModel(
            name='BookLockEvent',
            fields=[
                ('pgh_id', models.AutoField(primary_key=True, serialize=False)),
                ('pgh_created_at', models.DateTimeField(auto_now_add=True)),
                ('pgh_label', models.TextField(help_text='The event label.')),
                ('id', models.BigIntegerField()),
                ('locked_until', models.DateField(verbose_name='locked up to')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('by', models.CharField(max_length=60)),
                ('at', models.DateTimeField()),
                ('pgh_context', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pghistory.context')),
                ('pgh_obj', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='events', to='books.booklock')),
                ('store', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='stores.store')),
            ],
            options={
                'abstract': False,
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='booklock',
            trigger=pgtrigger.compiler.Trigger(name='insert_insert', sql=pgtrigger.compiler.UpsertTriggerSql(func='INSERT INTO "books_booklockevent" ("at", "by", "id", "locked_until", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "store_id") VALUES (NEW."at", NEW."by", NEW."id", NEW."locked_until", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."reason", NEW."store_id"); RETURN NULL;', hash='1353a326ed8d39f1c6e81e9d032519544655bc3b', operation='INSERT', pgid='pgtrigger_insert_insert_bca67', table='books_booklock', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='booklock',
            trigger=pgtrigger.compiler.Trigger(name='update_update', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD.* IS DISTINCT FROM NEW.*)', func='INSERT INTO "books_booklockevent" ("at", "by", "id", "locked_until", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reason", "store_id") VALUES (NEW."at", NEW."by", NEW."id", NEW."locked_until", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."reason", NEW."store_id"); RETURN NULL;', hash='0465636d7cc3ca23b85d36db057031f4aa0cb36d', operation='UPDATE', pgid='pgtrigger_update_update_3d502', table='books_booklock', when='AFTER')),
        ),
        migrations.RunSQL(SQL, UNDO),
    ]
