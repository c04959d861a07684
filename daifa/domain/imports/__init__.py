"""Files people and factories hand in: what was in them, how far we got, which rows were refused and why.

Not here: reading files (`daifa.lib.sheets`), understanding them (`daifa.connectors.manual`), acting on them (`flows`).
"""
