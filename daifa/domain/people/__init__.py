"""The people who work here: users, their language, one-time login links.

Not here: who may work which store (`stores`). Everything that is done names a person or a job as `by`.
"""
