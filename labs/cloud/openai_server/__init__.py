"""An OpenAI-compatible model server as vLLM is one, timed by the serving engine; and Triton's generate endpoints.

    python -m labs.cloud.openai_server --model llama-3-8b --hardware g5.2xlarge --port 8000

    server = ModelServer(Launch("meta-llama/Meta-Llama-3-8B-Instruct", hardware="g5.2xlarge"))
    listener = open_listener(server)

The times are the engine's, the texts a stand-in's (`labs.cloud.standin`). Instances of the local cloud's EC2 serve the same.
"""

from labs.cloud.openai_server.launch import Failed, Launch
from labs.cloud.openai_server.server import ModelServer

__all__ = ["Failed", "Launch", "ModelServer"]
