"""A room full of people: the kit they install from without a network, the server they share, readiness codes, pace, polls.

Teaching only; nobody who works alone needs it.
"""
