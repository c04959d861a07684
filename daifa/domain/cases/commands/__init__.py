"""Everything that may be done with cases: a module each for violations, appeals, the deposit, complaints, rights, licences, evidence.

Many at once where many arrive at once. Whoever does one thing gets `Refused` with the sentence.
"""

from daifa.domain.cases.commands.appeals import (
    answer_appeal,
    edit_appeal,
    open_appeal,
    send_appeal,
    why_not_appeal,
    withdraw_appeal,
)
from daifa.domain.cases.commands.complaints import (
    NewComplaint,
    answer_complaint,
    close_complaints,
    escalate_complaint,
    note_findings,
    open_complaints,
    settle_complaint,
)
from daifa.domain.cases.commands.deadlines import recount_deadlines, watch_cases
from daifa.domain.cases.commands.deposit import NewMove, move_deposit, require_deposit
from daifa.domain.cases.commands.evidence import (
    MOST_TRIES,
    Reading,
    ask_pack,
    ask_pack_again,
    attach_files,
    begin_pack,
    count_photos,
    decide_pictures,
    finish_pack,
    give_up_pack,
    note_readings,
)
from daifa.domain.cases.commands.infringements import (
    NewInfringement,
    open_infringement,
    record_right,
    step_infringement,
)
from daifa.domain.cases.commands.qualifications import (
    add_qualification,
    decide_needs,
    forget_needs,
    say_need,
    withdraw_qualification,
)
from daifa.domain.cases.commands.taking import Taken
from daifa.domain.cases.commands.violations import (
    NewConsequence,
    NewViolation,
    accept_violations,
    add_consequences,
    add_violations,
    correct_points,
    lift_violations,
    name_orders,
    set_appeal_deadline,
)

__all__ = [
    "MOST_TRIES",
    "NewComplaint",
    "NewConsequence",
    "NewInfringement",
    "NewMove",
    "NewViolation",
    "Reading",
    "Taken",
    "accept_violations",
    "add_consequences",
    "add_qualification",
    "add_violations",
    "answer_appeal",
    "answer_complaint",
    "ask_pack",
    "ask_pack_again",
    "attach_files",
    "begin_pack",
    "close_complaints",
    "correct_points",
    "count_photos",
    "decide_needs",
    "decide_pictures",
    "edit_appeal",
    "escalate_complaint",
    "finish_pack",
    "forget_needs",
    "give_up_pack",
    "lift_violations",
    "move_deposit",
    "name_orders",
    "note_findings",
    "note_readings",
    "open_appeal",
    "open_complaints",
    "open_infringement",
    "record_right",
    "recount_deadlines",
    "require_deposit",
    "say_need",
    "send_appeal",
    "set_appeal_deadline",
    "settle_complaint",
    "step_infringement",
    "watch_cases",
    "why_not_appeal",
    "withdraw_appeal",
    "withdraw_qualification",
]
