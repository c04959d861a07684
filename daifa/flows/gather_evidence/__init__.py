"""Evidence packs: what a case needs, gathered into a dated PDF and a ZIP with the hash of every file.

Told are order, agreement, purchase, waybill trail, messages, complaints with their photos, checked parcels, test orders and the text of
the rules as they read on the day. Buyers' data are masked unless the case needs them, on photos too; what is left out is said
in the pack.
What would weaken the case because it is missing is told to the person who makes the pack, not in it.

Reading a photo takes seconds: a pack whose photos are still to be read is only written down (`ask_for_evidence`), and a job
gathers it (`gather_waiting`). Killed in the middle it is gathered again from the beginning, but what was read on photos is
kept one by one, and the pack comes whole or not at all.
"""

from daifa.flows.gather_evidence.packs import (
    CASE_KINDS,
    Gathered,
    ask_for_evidence,
    gather_evidence,
    gather_waiting,
)

__all__ = ["CASE_KINDS", "Gathered", "ask_for_evidence", "gather_evidence", "gather_waiting"]
