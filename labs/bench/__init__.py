"""Measure any target honestly: offered load on a schedule, a lean client, a clock that starts when a request was due.

One line a request is the record (`records`); statistics, reports and comparisons are made from records and from nothing else.
"""
