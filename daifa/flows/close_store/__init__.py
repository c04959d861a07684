"""Close a store in good order: how it begins, its steps, what the clock does, what proves it, how a store comes back.

The steps are declared in `domain/closing/steps.py`; `actions` knows how to do them. Every step runs in one transaction:
where something refuses, nothing of the step has happened. What leaves the building (messages) is only queued here.
"""

from daifa.flows.close_store.beginning import avert, start, withdraw
from daifa.flows.close_store.by_the_clock import (
    follow_appeals,
    keep_standings,
    quiet_stores,
    sweep,
)
from daifa.flows.close_store.coming_back import export_readmission, readmit
from daifa.flows.close_store.do_steps import ask_step, do_asked, do_step, leave_out, undo_step
from daifa.flows.close_store.proofs import file_of
from daifa.flows.close_store.step import Given, title, titles
from daifa.flows.close_store.still_open import blocker_words, open_now, pre_check
from daifa.flows.close_store.violations import (
    OWN_NUMBER,
    Letter,
    name_violation,
    rule_on,
    send_appeals,
    write_down,
)

__all__ = [
    "OWN_NUMBER",
    "Given",
    "Letter",
    "ask_step",
    "avert",
    "blocker_words",
    "do_asked",
    "do_step",
    "export_readmission",
    "file_of",
    "follow_appeals",
    "keep_standings",
    "leave_out",
    "name_violation",
    "open_now",
    "pre_check",
    "quiet_stores",
    "readmit",
    "rule_on",
    "send_appeals",
    "start",
    "sweep",
    "title",
    "titles",
    "undo_step",
    "withdraw",
    "write_down",
]
