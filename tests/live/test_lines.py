"""Bytes become lines, however the kernel cuts them."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from outpace.controller.live import LONGEST, Stream

MARK = b"\0outpace:token:"


def mark(label: str) -> bytes:
    return MARK + label.encode() + b"\n" + b"\0"


def lines(chunks: list[bytes]) -> list[tuple[str, bytes]]:
    """What a reader of the terminal sees: lines with labels."""
    node: Any = None
    stream = Stream(node, -1, MARK, is_error=False)
    pieces = [piece for chunk in chunks for piece in stream.feed(chunk)]
    pieces += stream.end()
    return [(label, line) for label, data in pieces for line in data.rstrip(b"\n").split(b"\n")]


@pytest.mark.parametrize("seed", range(200))
def test_any_cut_gives_the_same_lines(seed: int) -> None:
    dice = random.Random(seed)
    expected: list[tuple[str, bytes]] = []
    text = b""
    for number in range(dice.randint(1, 12)):
        label = f"gw{number} test_ä[{number}]"
        text += mark(label)
        count = dice.randint(0, 3)
        for at in range(count):
            line = bytes(dice.choice(b"ab\0o:u") for _ in range(dice.randint(1, 12)))
            expected.append((label, line))
            text += line + (b"\n" if at < count - 1 or dice.random() < 0.5 else b"")
    cuts = sorted(dice.randint(0, len(text)) for _ in range(dice.randint(0, 20)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)])]
    assert lines(chunks) == expected


def test_a_long_line_is_not_kept() -> None:
    node: Any = None
    stream = Stream(node, -1, MARK, is_error=False)
    text = os.urandom(LONGEST).replace(b"\n", b"x").replace(b"\0", b"x")
    shown = b""
    for _ in range(20):
        shown += b"".join(data for _, data in stream.feed(text))
        assert len(stream._rest) <= LONGEST + len(MARK) + 4
    assert shown + b"".join(data for _, data in stream.end()) == text * 20
