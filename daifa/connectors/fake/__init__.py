"""A supplier for trying things out: it can be asked, and misbehaves on demand.

Its memory is a file, so that it survives our crashes as a real supplier would.
"""
