"""What happened, when, by whom: batches, transitions, and the reactions still to come.

Not here: what follows from a fact (`daifa.flows.reactions`), nor edits of settings (database history by pghistory).
Every subject above moves its rows through `history.commands.move`.
"""
