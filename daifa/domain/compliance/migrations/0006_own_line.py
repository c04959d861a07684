"""Stores that no platform watches were held against a line that bore WooCommerce's name: it has its own now."""

from django.db import migrations

STATEMENTS = (
    """UPDATE compliance_metricday m SET rule = 'own-health-default' FROM stores_store s
       WHERE s.id = m.store_id AND m.rule = 'woo-health-own' AND lower(s.channel) <> 'woocommerce'""",
    """INSERT INTO policy_ruleoverride (rule_id, store_id, changes, reason, valid_from, valid_until, by, at)
       SELECT 'own-health-default', NULL, changes, reason, valid_from, valid_until, by, at FROM policy_ruleoverride
       WHERE rule_id = 'woo-health-own' AND store_id IS NULL AND withdrawn_at IS NULL ORDER BY id""",
    """UPDATE policy_ruleoverride o SET rule_id = 'own-health-default' FROM stores_store s
       WHERE s.id = o.store_id AND o.rule_id = 'woo-health-own' AND lower(s.channel) <> 'woocommerce'""",
)


class Migration(migrations.Migration):
    dependencies = [
        ("compliance", "0005_announcements"),
        ("policy", "0003_word_lists"),
        ("stores", "0001_initial"),
    ]

    operations = [migrations.RunSQL(list(STATEMENTS), migrations.RunSQL.noop)]
