"""How likely a store is to be open in the coming months, from its own months, with the reasons in words. Advice only.

Not here: closing it (`closing`). Store-months are read by a flow and kept here; the model is fitted in `rules`.
"""
