"""The connector that is a person with workbooks: stores, factories and carriers that send and take files.

Turns their rows into the records of `daifa.connectors.contract` and nothing else: no tables, no network, no decisions
about orders. Neighbours: `daifa.lib.sheets` opens the files and reads cells; flows hand the records to the domain.
"""
