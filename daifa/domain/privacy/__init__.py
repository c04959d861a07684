"""Whose data lies where, how long, who may see it; holds that forbid erasing, and erasures that were done.

Not here: buyers themselves (`customers`). Searching and shredding across subjects is a flow.
"""
