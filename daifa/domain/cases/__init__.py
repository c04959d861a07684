"""What a platform, a buyer or a rights holder holds against a store, until its outcome: violations, appeals, complaints.

Also the deposit that answers for them, and the evidence. Not here: refunds (`aftersales`), ending a store (`closing`).
"""
