"""SQUID, the queue pattern as a production reference: a template, a door, workers, a client, a web page, and the commands that use them.

SQUID (Simple Queue UI Design) is this course's own name for asynchronous request-response in front of a model.

    lab deploy squid --target bedrock-on-demand
    lab squid submit "Explain a dead-letter queue in one sentence."
    lab squid web                       # ask, follow, cancel, and compare two stacks
    lab teardown --all

Where the reasons stand: `functions/claims.py` (why no job is answered twice), `functions/worker.py` (retries, poison, tenants), `functions/door.py`
(what a caller may do), `functions/push.py` (partial answers, and why nothing depends on them), `functions/asynchronous.py` and
`functions/batches.py` (targets that answer later), `functions/slots.py` (leases), `sizing.py` (workers from a token quota).
"""
