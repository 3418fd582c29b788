"""The dated register: every price, limit, quota and model status that the course states, each with its source.

    from labs import facts
    facts.format("sqs.message.max_bytes")     # '1 MiB'
    facts.number("apigateway.http.timeout_s") # 30.0
    facts.get("sqs.message.max_bytes").as_of  # '2026-11'
    [fact.id for fact in facts.where("dynamodb.")]

A figure stands here and nowhere else: prose, keys, charts and code refer to it by id. Figures that follow from others by
arithmetic are not stored; `labs.economics` computes them. What models, hardware and targets exist is in
`labs.facts.catalogue`; what is commonly taught, and how far it is true, in `labs.facts.claims`.
"""

from labs.facts.register import UnknownFact, all, format, get, number, text, value, where
from labs.facts.schema import Conflict, Fact, Source

__all__ = ["Conflict", "Fact", "Source", "UnknownFact", "all", "format", "get", "number", "text", "value", "where"]
