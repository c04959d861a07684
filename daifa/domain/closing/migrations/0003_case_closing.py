import django.db.models.deletion
from django.db import migrations, models

# Open cases of before: the closing of their kind that goes on in their store.
FILL = """
    UPDATE closing_platformcase p SET closing_id = c.id FROM closing_closing c
    WHERE p.ended_at IS NULL AND c.store_id = p.store_id AND c.state IN ('threatened', 'running')
      AND (c.scenario = CASE p.kind WHEN 'violation' THEN 'forced' WHEN 'category' THEN 'rule_change' WHEN 'dormancy' THEN 'no_traffic' END
           OR p.kind = 'request' AND c.applied_at IS NOT NULL)
"""


class Migration(migrations.Migration):
    dependencies = [("closing", "0002_standing_traffic_past")]

    operations = [
        migrations.AddField(
            model_name="platformcase",
            name="closing",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="platform_cases", to="closing.closing"
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
