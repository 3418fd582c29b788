"""What can be asked: one module per family of API. An endpoint is a small description that travels to the worker processes and is opened there."""

from labs.bench.endpoints.base import Endpoint

__all__ = ["Endpoint"]
