"""The Python side of ``crates/outpace-protocol/vectors.json``: it writes and reads the bytes the Rust side does."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from outpace import collection
from outpace.wire import CHUNK, HEADER, MAGIC, MAX_PAYLOAD, VERSION, Decoder, Frame, Kind, WireError, frame
from outpace.worker import costs, reporting

VECTORS = Path(__file__).resolve().parents[2] / "crates" / "outpace-protocol" / "vectors.json"


class Vector(NamedTuple):
    name: str
    kind: int
    data: bytes
    fields: dict[str, Any]

    @property
    def payload(self) -> bytes:
        return self.data[HEADER.size :]


def load() -> list[Vector]:
    stored = json.loads(VECTORS.read_text(encoding="utf-8"))
    return [Vector(each["name"], each["kind"], bytes.fromhex(each["hex"]), each["fields"]) for each in stored]


ALL = load()
BY_NAME = {vector.name: vector for vector in ALL}


def layout(head: str, *names: str, blob: str = "") -> Callable[[dict[str, Any]], bytes]:
    """The payload of fixed fields, and bytes behind them."""

    def pack(fields: dict[str, Any]) -> bytes:
        return struct.pack(head, *(fields[name] for name in names)) + bytes.fromhex(fields[blob] if blob else "")

    return pack


def items_behind(head: str) -> Callable[[dict[str, Any]], bytes]:
    return lambda fields: struct.pack(f"<I{len(fields['items'])}I", fields[head], *fields["items"])


def w_result(fields: dict[str, Any]) -> bytes:
    head = reporting._RESULT.pack(fields["item"], fields["finished"], fields["failures"], fields["duration"])
    return head + bytes.fromhex(fields["blob"])


BINARY: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "WORKER": layout("<I", "worker", blob="input"),
    "COLLECTED": layout("<I", "worker", blob="payload"),
    "READY": layout("<I", "worker", blob="info"),
    "RESULT": layout("<IIId", "worker", "item", "finished", "duration", blob="blob"),
    "EVENT": layout("<I", "worker", blob="blob"),
    "BYE": layout("<I", "worker", blob="blob"),
    "W_COLLECTED": lambda fields: collection.encode(
        fields["node_ids"],
        fields["groups"],
        fields["unsafe_to_fork"],
        {index: milliseconds / 1000 for index, milliseconds in fields["limits"]},
        fields["marks"],
        isolate=json.loads(fields["isolate"]),
    ),
    "W_READY": layout("<i", "pid", blob="info"),
    "W_RESULT": w_result,
    "W_COSTS": lambda fields: costs.FRAME.pack(
        fields["item"], fields["skipped"], fields["growth"], *fields["wall"], *fields["cpu"]
    ),
    "W_ASK": layout("<II", "position", "running"),
    "W_EVENT": layout("", blob="blob"),
    "W_BYE": layout("", blob="blob"),
    "W_ACTING": layout("<i", "pid"),
    "W_STATUS": lambda fields: fields["text"].encode(),
    "W_EXPOSE": lambda fields: fields["text"].encode(),
    "INIT": layout("<I", "lane", blob="input"),
    "FORK": layout("<II", "worker", "lane", blob="input"),
    "GRANT": items_behind("position"),
    "REFERENCE": layout("", blob="payload"),
    "ISOLATE": lambda fields: fields["text"].encode(),
}
EMPTY = {
    "DONE",
    "W_BELL",
    "W_AHEAD",
    "W_WANT_TERMINAL",
    "W_LEAVE_TERMINAL",
    "NOTHING",
    "SHUTDOWN",
    "RUN",
    "EXIT",
    "HOLD",
    "GO",
}

each_vector = pytest.mark.parametrize("vector", ALL, ids=lambda vector: vector.name)


def test_every_kind_has_a_vector_and_the_same_number() -> None:
    numbers = {name: number for name, number in vars(Kind).items() if name.isupper()}
    assert numbers == {vector.name: vector.kind for vector in ALL}


def test_no_number_is_used_twice() -> None:
    assert len({vector.kind for vector in ALL}) == len(ALL)


@each_vector
def test_a_frame_is_written_alike(vector: Vector) -> None:
    assert frame(vector.kind, vector.payload) == vector.data


@each_vector
def test_fields_are_written_and_read_alike(vector: Vector) -> None:
    if vector.name in EMPTY:
        assert (vector.payload, vector.fields) == (b"", {})
    elif vector.name in BINARY:
        assert BINARY[vector.name](vector.fields) == vector.payload
    else:
        assert json.loads(vector.payload) == vector.fields


@pytest.mark.parametrize("piece", [1, 3, 7, 8, 64, CHUNK])
def test_the_stream_is_read_alike_in_any_pieces(piece: int) -> None:
    stream = b"".join(vector.data for vector in ALL)
    decoder = Decoder()
    frames = [each for at in range(0, len(stream), piece) for each in decoder.feed(stream[at : at + piece])]
    assert frames == [Frame(vector.kind, vector.payload) for vector in ALL]


def test_node_ids_and_marks_are_read_alike() -> None:
    vector = BY_NAME["W_COLLECTED"]
    assert collection.decode_ids(vector.payload) == vector.fields["node_ids"]
    assert collection.decode_marks(vector.payload) == vector.fields["marks"]


def test_results_and_grants_are_read_alike() -> None:
    from outpace.controller import session

    vector = BY_NAME["RESULT"]
    fields = vector.fields
    read = session._RESULT.unpack_from(vector.payload)
    assert read == (fields["worker"], fields["item"], fields["finished"], fields["duration"])
    assert vector.payload[session._RESULT.size :] == bytes.fromhex(fields["blob"])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"GET / HT", "not an outpace frame"),
        (HEADER.pack(0, MAGIC, VERSION + 1, Kind.STOP), f"protocol version {VERSION + 1}, expected {VERSION}"),
        (HEADER.pack(MAX_PAYLOAD + 1, MAGIC, VERSION, Kind.STOP), "over the limit"),
    ],
)
def test_foreign_bytes_are_refused(header: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        Decoder().feed(header)
