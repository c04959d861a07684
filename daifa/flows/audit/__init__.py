"""The auditor: recomputes from rows and ledger what must always hold, and names whatever does not.

Each check is one set-based statement over one snapshot of the database; it returns the rows that break the rule. The
numbers in front are those of the invariants in `docs/rules/invariants.md`. Nothing is written. A module holds the checks
of one subject; `auditor.CHECKS` is the one list of all.

A reaction that is still owed excuses what it has not done yet: the audit can run beside a living shop.
"""

from daifa.flows.audit.auditor import CHECKS, Breach, audit, codes
from daifa.flows.audit.check import Check, find
from daifa.flows.audit.tables import GUARDS, TRIGGERS

__all__ = ["CHECKS", "GUARDS", "TRIGGERS", "Breach", "Check", "audit", "codes", "find"]
