"""Reads that cross subjects: a list searched by another subject's numbers, one order with all that hangs on it.

Nothing here writes.
"""
