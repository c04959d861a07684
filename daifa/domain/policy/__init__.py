"""The rule book: what platforms and laws demand, as data with source, date and confidence, and the owner's overrides.

Not here: counting anything (`compliance`), or what happened to a store (`cases`). Rules decide; nobody's data is read.
"""
