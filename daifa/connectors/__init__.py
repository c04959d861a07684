"""Platforms, each in a folder of its own.

A connector speaks one platform's words and knows no tables; the domain knows no platform; `daifa.flows` introduces
them through the records and protocols of `contract.py`.
"""
