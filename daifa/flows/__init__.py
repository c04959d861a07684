"""Stories that cross subjects or leave the building. Read `reactions.py` first: when this happened, do that."""
