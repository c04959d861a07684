"""Products and variants, and as what each is listed in a store.

Not here: who sells them to us (`sourcing`). A listing's SKU names exactly one variant or none; nothing is guessed.
"""
