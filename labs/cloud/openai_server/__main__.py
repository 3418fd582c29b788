"""`python -m labs.cloud.openai_server --model llama-3-8b --hardware g5.2xlarge --port 8000`: one model server, in the foreground."""

import argparse
import json
import os
import signal
import sys
import threading

from labs.cloud.listener import AddressTaken, open_listener
from labs.cloud.openai_server import Failed, Launch, ModelServer
from labs.cloud.server import SWITCH_INTERVAL_S
from labs.cloud.standin import text_source
from labs.errors import NOT_READY, USAGE


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m labs.cloud.openai_server", description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--hardware", required=True, help="an accelerator (l4) or an instance type (g5.2xlarge)")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free one")
    parser.add_argument("--kind", choices=("vllm", "triton"), default="vllm")
    parser.add_argument("--served-model-name")
    parser.add_argument("--tensor-parallel-size", type=int)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--quantization")
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--max-num-seqs", type=int)
    parser.add_argument("--max-num-batched-tokens", type=int)
    parser.add_argument("--gpu-memory-utilization", type=float)
    parser.add_argument("--kv-cache-dtype", default="auto")
    parser.add_argument("--api-key")
    parser.add_argument("--loading", type=float, default=0.0, metavar="SECONDS", help="how long /health says 503")
    given = parser.parse_args()
    launch = Launch(
        given.model,
        given.hardware,
        given.kind,
        given.served_model_name,
        given.tensor_parallel_size,
        given.dtype,
        given.quantization,
        given.max_model_len,
        given.max_num_seqs,
        given.max_num_batched_tokens,
        given.gpu_memory_utilization,
        given.kv_cache_dtype,
        given.api_key,
    )
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        server = ModelServer(launch, loading_s=given.loading)
        listener = open_listener(server, given.host, given.port, name="model-server")
    except Failed as failed:
        print(failed, file=sys.stderr)
        sys.exit(USAGE)
    except (AddressTaken, ValueError) as taken:
        print(f"The model server cannot listen there: {taken}; choose another --port.", file=sys.stderr)
        sys.exit(NOT_READY)
    said = {
        "url": listener.url,
        "pid": os.getpid(),
        "model": launch.name,
        "max_model_len": server.planned.max_model_len,
        "notes": list(server.planned.deployment.notes),
        "texts": text_source(),
        "provenance": "predicted by the serving model",
    }
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    print(json.dumps(said), flush=True)
    stop.wait()
    listener.close()


if __name__ == "__main__":
    main()
