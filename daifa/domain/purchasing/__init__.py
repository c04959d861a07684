"""What we ask suppliers to ship: purchase orders, stored placement attempts, workbook runs, their answers.

Not here: parcels (`shipping`). A purchase never happens twice: an attempt is stored before the call, `unknown` is a state.
"""
