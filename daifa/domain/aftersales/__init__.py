"""After the purchase: cases, returns, refunds and which lines they touch.

Not here: posting them (`flows`). A refund has a claim on the supplier or a written reason why not.
"""
