"""What buyers bought: orders, lines with counted quantities, versions of the address, holds with reasons.

Not here: who delivers it (`fulfilment`). Statuses are derived from counters by the database.
"""
