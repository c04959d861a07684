"""The double-entry ledger: accounts, entries, postings, exchange rates, expenses and supplier payments, reports.

Not here: which fact posts what (`daifa.flows.post_to_books` and `docs/rules/posting.md`). Entries are never edited;
a mistake is reversed.
"""
