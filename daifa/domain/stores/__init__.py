"""Stores on their channels, who may work them, fee rules, the list of what needs a person, this installation.

Not here: what is on sale (`catalog`), the money (`books`). Every document belongs to one store; a query without a
scope of stores is a defect.
"""
