"""What the shop's own data says against the rules: clocks of open orders, a store's metrics, signs of risk.

Not here: the rules themselves (`policy`), and what a platform decided about a store (`cases`).
"""
