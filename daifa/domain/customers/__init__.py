"""Buyers as far as we may know them, and what they consented to.

Not here: where an order goes (`orders.AddressVersion`).
"""
