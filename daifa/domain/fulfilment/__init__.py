"""Which supplier will deliver which part of an order, and why that one.

Not here: asking the supplier (`purchasing`). Decisions keep their losers with reasons.
"""
