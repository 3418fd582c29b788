"""What the processes of a run say to each other over a pipe: pickled frames, each with its length before it."""

import pickle
import struct
from collections.abc import Iterator
from typing import Any

_LENGTH = struct.Struct("!I")


def pack(frame: Any) -> bytes:
    """One frame."""
    data = pickle.dumps(frame, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


class Unpacker:
    """Frames out of bytes as they come. For pipes between our own processes only: a pickle is code."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Every frame that is whole now."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            frame = pickle.loads(bytes(self._buffer[_LENGTH.size : end]))
            del self._buffer[:end]
            yield frame
