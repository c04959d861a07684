"""A store's life: preparing, open, closing, closed, archived, and its standing; closings step by step, and coming back.

Not here: what the platform held against it (`cases`). Listings, messages and accounts are wound up by a flow
(`flows/close_store/`), and the platform's side is played by another (`flows/platform_side.py`).
"""
