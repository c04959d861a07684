"""What reactions still owe: it is no breach yet."""

from __future__ import annotations


def owed(*reactions: str) -> str:
    """Things for which one of these reactions is still to come, or was set aside with a reason."""
    names = ", ".join(f"'{name}'" for name in reactions)
    return f"SELECT unnest(things) FROM history_pendingreaction WHERE reaction IN ({names})"


OWED_PARCELS = owed("post_handed_over", "post_delivered")
OWED_ORDERS = f"""
    {owed("post_orders", "post_cancelled")}
    UNION SELECT p.order_id FROM purchasing_purchaseanswer a JOIN purchasing_purchaseorder p ON p.id = a.purchase_order_id
          WHERE a.id IN ({owed("post_purchases")})
    UNION SELECT p.order_id FROM shipping_parcel p WHERE p.id IN ({OWED_PARCELS})
    UNION SELECT r.order_id FROM aftersales_refund r WHERE r.order_id IS NOT NULL AND r.id IN ({owed("post_refunds")})
"""
