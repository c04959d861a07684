"""The steps of closings as they are declared: each check, action and day exists, none rests on a later one."""

import re

from daifa.domain.closing import rules, steps
from daifa.domain.closing.queries import BLOCKERS
from daifa.flows.close_store.actions import DO, UNDO


def test_steps_are_well_declared():
    for scenario, declared in steps.SCENARIOS.items():
        codes = [step.code for step in declared]
        assert len(codes) == len(set(codes)), scenario
        for place, step in enumerate(declared):
            assert all(re.search(r"[\u4e00-\u9fff]", words[1]) for words in (step.title, step.what)), step.code
            assert set(step.check) <= set(BLOCKERS), step.code
            assert (not step.do or step.do in DO) and (not step.undo or step.undo in UNDO), step.code
            assert not step.due or step.due in rules.DAY_NAMES, step.code
            assert step.who in ("merchant", "daifa", "platform")
            assert set(step.evidence) <= {"note", "reference", "file", "amount"}
            inside = [other for other in step.after if other in codes]
            assert all(codes.index(other) < place for other in inside), f"{scenario}: {step.code} rests on a later step"
    assert {step.do for step in steps.BY_CODE.values() if step.do} == set(DO)
    assert {step.undo for step in steps.BY_CODE.values() if step.undo} == set(UNDO)
