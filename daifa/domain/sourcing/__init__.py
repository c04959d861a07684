"""Suppliers, their offers, the mapping from variant to supplier SKU, agreements with them.

Not here: buying (`purchasing`), choosing (`fulfilment`). A mapping is versioned; when it breaks, lines are held.
"""
