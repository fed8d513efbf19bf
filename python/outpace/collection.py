"""The payload of a collection: node ids in order, and a head: groups, limits, marks, what speaks against a fork."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from .timeouts import to_milliseconds


def encode(
    ids: Sequence[str],
    groups: Sequence[str | None] = (),
    unsafe_to_fork: Sequence[str] = (),
    limits: Mapping[int, float] = MappingProxyType({}),
    marks: Mapping[str, Any] | None = None,
    *,
    isolate: Mapping[str, Any] | None = None,
) -> bytes:
    milliseconds = [(index, to_milliseconds(seconds)) for index, seconds in limits.items()]
    fields: dict[str, Any] = {"unsafe_to_fork": list(unsafe_to_fork), "groups": list(groups), "limits": milliseconds}
    if marks:
        fields["marks"] = marks
    if isolate is not None:
        # As text: the coordinator only passes it on, and its paths may be no Unicode.
        fields["isolate"] = json.dumps(isolate)
    head = json.dumps(fields).encode()
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


def decode_marks(payload: bytes) -> dict[str, Any]:
    """Serial tests and resources; empty when no test is marked."""
    (length,) = struct.unpack_from("<I", payload)
    marks: dict[str, Any] = json.loads(payload[4 : 4 + length]).get("marks", {})
    return marks
