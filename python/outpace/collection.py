"""The payload of a collection: node ids in order, groups and limits beside them, and what speaks against a fork."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from .timeouts import to_milliseconds


def encode(
    ids: Sequence[str],
    groups: Sequence[str | None] = (),
    unsafe_to_fork: Sequence[str] = (),
    limits: Mapping[int, float] = MappingProxyType({}),
) -> bytes:
    milliseconds = [(index, to_milliseconds(seconds)) for index, seconds in limits.items()]
    content = {"unsafe_to_fork": list(unsafe_to_fork), "groups": list(groups), "limits": milliseconds}
    head = json.dumps(content).encode()
    encoded = [nodeid.encode("utf-8", "surrogatepass") for nodeid in ids]
    return b"".join(
        (
            struct.pack("<I", len(head)),
            head,
            struct.pack(f"<I{len(encoded)}I", len(encoded), *map(len, encoded)),
            *encoded,
        )
    )


def decode_ids(payload: bytes) -> list[str]:
    (head,) = struct.unpack_from("<I", payload)
    start = 4 + head
    (count,) = struct.unpack_from("<I", payload, start)
    lengths = struct.unpack_from(f"<{count}I", payload, start + 4)
    position = start + 4 + 4 * count
    ids = []
    for length in lengths:
        ids.append(payload[position : position + length].decode("utf-8", "surrogatepass"))
        position += length
    return ids
