"""Reads the book as a proofreader does: figures that should come from the register, reading level, links, spelling.

    python -m proofreading            (from book/_ext; `make prose` runs it)

A finding of `figures` is a fault and ends with status 1; the rest is a report.
"""
