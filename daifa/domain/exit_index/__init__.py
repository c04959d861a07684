"""How likely a store is to be open in the coming months, from its own months, with the reasons in words. Advice only.

Not here: closing it (`closing`), nor any rule that acts; nothing in daifa asks this subject before it does something.
Store-months are read by a flow (`flows/measure_months.py`) and kept here; `rules` reads and learns, `simulator` and
`fitting` make the weights that come with daifa.
"""
