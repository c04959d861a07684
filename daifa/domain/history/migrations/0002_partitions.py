"""The transition table, partitioned by month, and the function with which months are added."""

from django.db import migrations

SQL = """
CREATE TABLE history_transition (
    batch_id bigint NOT NULL,
    kind smallint NOT NULL,
    thing bigint NOT NULL,
    state_from varchar(20) NOT NULL,
    state_to varchar(20) NOT NULL,
    at timestamptz NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX history_transition_thing ON history_transition (thing, kind);
CREATE TABLE history_transition_rest PARTITION OF history_transition DEFAULT;

-- Adds the month of `day` to `parent` unless it is there, or rows of it already lie in the default partition.
CREATE FUNCTION daifa_add_month(parent text, day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', day)::date;
    child text := parent || to_char(first, '_YYYYMM');
    there boolean;
BEGIN
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE at >= %L AND at < %L)',
                   parent || '_rest', first::timestamptz, (first + interval '1 month')::timestamptz) INTO there;
    IF there THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                   child, parent, first::timestamptz, (first + interval '1 month')::timestamptz);
    RETURN true;
END $$;

ALTER TABLE history_pendingreaction SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
"""

UNDO = """
DROP TABLE history_transition;
DROP FUNCTION daifa_add_month(text, date);
"""


class Migration(migrations.Migration):
    dependencies = [("history", "0001_initial")]
    operations = [migrations.RunSQL(SQL, UNDO)]
