"""The keys of computed items, written out a second time in plain arithmetic over the register: no `labs.economics`, no `labs.serving`.

Each oracle takes a family's situation and says what the key must be.
"""

import math
from collections.abc import Callable
from typing import Any

from labs import facts
from labs.facts import catalogue

n = facts.number
GIB = 1024**3
HOURS = 730


def price(model: str, tokens_in: float, tokens_out: float, tier: str = "") -> float:
    """Dollars for so many tokens."""
    base = f"bedrock.price.{model}.{tier}"
    return (tokens_in * n(f"{base}input_per_million") + tokens_out * n(f"{base}output_per_million")) / 1e6


def hosted(instance: str) -> float:
    """Dollars an hour on SageMaker AI."""
    return n(f"sagemaker.price.{instance.replace('.', '-')}")


def rented(instance: str) -> float:
    """Dollars an hour on EC2."""
    return n(f"ec2.price.{instance.replace('.', '-')}")


def token_bill(c: Any) -> float:
    requests = c.per_minute * 60 * c.hours * c.days
    return price(c.model.id, requests * c.input_tokens, requests * c.output_tokens)


def prompt_cache_bill(c: Any) -> float:
    requests = c.thousands * 1000
    cached = requests * c.prefix * n(f"bedrock.price.{c.model.id}.cache_read_per_million") / 1e6
    return price(c.model.id, requests * c.fresh, requests * c.output_tokens) + cached


def batch_share_bill(c: Any) -> float:
    requests = c.thousands * 1000
    tokens_in, tokens_out = requests * c.input_tokens, requests * c.output_tokens
    now = price(c.model.id, tokens_in, tokens_out) * (1 - c.waits)
    return now + price(c.model.id, tokens_in, tokens_out, "batch_") * c.waits


def cascade_bill(c: Any) -> float:
    tokens_in, tokens_out = c.thousands * 1000 * c.input_tokens, c.thousands * 1000 * c.output_tokens
    return price(c.small.id, tokens_in, tokens_out) + c.passed_on * price(c.large.id, tokens_in, tokens_out)


def jobs_by_cost(c: Any) -> list[float]:
    return [
        price(j.model.id, j.thousands * 1000 * j.input_tokens, j.thousands * 1000 * j.output_tokens) for j in c.jobs
    ]


def endpoint_month(c: Any) -> float:
    return c.zones * c.in_each * HOURS * hosted(c.instance)


def break_even_requests(c: Any) -> float:
    return c.zones * HOURS * hosted(c.instance) / price(c.model.id, c.input_tokens, c.output_tokens) / 1e6


def break_even_tokens(c: Any) -> float:
    monthly_requests = c.per_minute * 60 * HOURS
    each = c.zones * HOURS * hosted(c.instance) / monthly_requests
    return (c.input_tokens + c.output_tokens) * each / price(c.model.id, c.input_tokens, c.output_tokens)


def price_at_part_load(c: Any) -> float:
    return hosted(c.instance) / (c.tokens_per_s * c.load * 3600) * 1e6


def cluster_month(c: Any) -> float:
    machines = c.zones * c.in_each * HOURS * rented(c.instance) + HOURS * n("eks.price.control_plane_per_hour")
    return machines + c.engineer_hours * c.engineer_usd


def import_windows(c: Any) -> float:
    window = n("bedrock.import.billing_window_s") / 60
    minutes = math.ceil(c.minutes / window) * window * c.per_day * c.days
    return minutes * n(f"bedrock.import.cmu_{c.model}") * n("bedrock.import.price_per_cmu_minute")


def commitment_total(c: Any) -> float:
    return c.units * c.months * HOURS * c.quote


def function_that_waits(c: Any) -> float:
    jobs = c.thousands * 1000
    run = jobs * c.wait_s * c.memory_mb / 1024 * n("lambda.price.per_gb_s_arm")
    return run + jobs / 1e6 * n("lambda.price.per_million_requests")


def queue_bill_parts(c: Any) -> list[float]:
    millions = c.thousands / 1000
    run = c.thousands * 1000 * c.wait_s * c.memory_mb / 1024 * n("lambda.price.per_gb_s_arm")
    writes, reads = 2 * millions * c.item_kib, millions * c.polls * math.ceil(c.item_kib / 4)
    return [
        millions * (1 + c.polls) * n("apigateway.price.http_per_million"),
        millions * 3 * n("sqs.price.per_million_requests"),
        run + millions * n("lambda.price.per_million_requests"),
        writes * n("dynamodb.price.per_million_writes") + reads * n("dynamodb.price.per_million_reads"),
    ]


def kv_bytes(shape: Any) -> int:
    """Of one token, in two bytes."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * 2


def kv_cache_size(c: Any) -> float:
    return c.sequences * (c.prompt + c.answer) * kv_bytes(c.model.shape) / GIB


def gpu_bytes(instance: str) -> float:
    """Of all accelerators, as EC2 lists them."""
    entry = catalogue.instance(instance)
    chip = catalogue.accelerator(entry.accelerator)
    return float(entry.count * (chip.usable_memory or chip.memory).base)


BYTES = {"bf16": 2, "fp8": 1, "int4": 0.53125}


def weights(model: Any, dtype: str) -> float:
    """Bytes, of the parameters that the stem gives."""
    return float(round(model.shape.parameters / 1e9, 1) * 1e9 * BYTES[dtype])


def sequences_that_fit(c: Any) -> float:
    left = 0.9 * gpu_bytes(c.instance) - weights(c.model, c.dtype)
    return left // (c.tokens * kv_bytes(c.model.shape))


def instance_that_fits(c: Any) -> float:
    need = weights(c.model, c.dtype) + c.sequences * c.tokens * kv_bytes(c.model.shape)
    return min(hosted(id) for id in c.types if 0.9 * gpu_bytes(id) >= need)


def weights_footprint(c: Any) -> list[float]:
    return [weights(model, dtype) / 1e9 for model, dtype in c.rows]


def one_reader_speed(c: Any) -> float:
    entry = catalogue.instance(c.instance)
    bandwidth = entry.count * catalogue.accelerator(entry.accelerator).bandwidth.base
    return float(bandwidth / weights(c.model, c.dtype))


def instances_for_peak(c: Any) -> float:
    return math.ceil(c.per_minute * c.seconds / 60 / c.at_once) + 1


def instances_for_throughput(c: Any) -> float:
    return math.ceil(c.per_s * c.output_tokens / (c.full * c.load) - 1e-9)


def scale_out_backlog(c: Any) -> float:
    return (c.after - c.before) * (c.periods + c.start_min)


def quota_steady_rate(c: Any) -> float:
    return c.quota / (c.fresh + n(c.rate) * c.output_tokens)


def quota_burst(c: Any) -> float:
    return min(c.calls, c.quota // (c.input_tokens + c.max_tokens))


def quota_output_limit(c: Any) -> float:
    return c.quota // c.workers - c.input_tokens


def quota_minute_and_day(c: Any) -> float:
    return min(c.per_minute, c.per_minute * 60 * c.hours / 1440) / (c.input_tokens + c.output_tokens)


def visibility_timeout(c: Any) -> float:
    return n("sqs.visibility.lambda_multiple") * c.timeout_s + c.window_s


def workers_for_a_quota(c: Any) -> float:
    return c.quota * c.call_s // (60 * (c.input_tokens + c.max_tokens))


def backlog_drain(c: Any) -> float:
    return c.waiting / (c.workers * 60 / c.call_s - c.arrivals)


def dead_letter_time(c: Any) -> float:
    return c.receives * c.visibility_s / 60


def longest_wait(c: Any) -> float:
    return round(60 * c.minutes * (c.arrivals - c.answered) / c.answered)


ORACLES: dict[str, Callable[[Any], float | list[float]]] = {
    oracle.__name__.replace("_", "-"): oracle
    for oracle in (
        token_bill,
        prompt_cache_bill,
        batch_share_bill,
        cascade_bill,
        jobs_by_cost,
        endpoint_month,
        break_even_requests,
        break_even_tokens,
        price_at_part_load,
        cluster_month,
        import_windows,
        commitment_total,
        function_that_waits,
        queue_bill_parts,
        kv_cache_size,
        sequences_that_fit,
        instance_that_fits,
        weights_footprint,
        one_reader_speed,
        instances_for_peak,
        instances_for_throughput,
        scale_out_backlog,
        quota_steady_rate,
        quota_burst,
        quota_output_limit,
        quota_minute_and_day,
        visibility_timeout,
        workers_for_a_quota,
        backlog_drain,
        dead_letter_time,
        longest_wait,
    )
}
"""family: what its key must be. `quota-which-changes` is held by a test of its own."""
