"""LLMeter's own run against the address in the environment, for `labs.bench.peer`: started with the Python of the environment that has LLMeter.

It imports nothing of the course's, since that environment has none of it. Standard output gets one line of JSON: a list of
`{"ttft_s", "tpot_s", "error", "retries"}`.
"""

import asyncio
import json
import sys
from importlib import import_module
from typing import Any


async def main(model: str, clients: int, requests_each: int) -> None:
    """So many clients, so many requests each, all of them ConverseStream."""
    stream = import_module("llmeter.endpoints").BedrockConverseStream
    endpoint: Any = stream(model_id=model, region="us-east-1")
    payloads = [endpoint.create_payload(f"#{n} hello there", max_tokens=50) for n in range(requests_each)]
    runner = import_module("llmeter.runner").Runner(endpoint, clients=clients, n_requests=requests_each)
    found = await runner.run(payload=payloads)
    rows = [
        {
            "ttft_s": each.time_to_first_token,
            "tpot_s": each.time_per_output_token,
            "error": each.error,
            "retries": each.retries,
        }
        for each in found.responses
    ]
    print(json.dumps(rows))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
