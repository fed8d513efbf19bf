"""Python objects as bytes for the other Python end.

``marshal`` keeps exactly the types that xdist's users rely on (tuple and list, set, frozenset, bytes, complex, any
key) and is fast. What it cannot take degrades piece by piece: subclasses to their base, anything else to its ``repr``.
One odd object never costs a run.
"""

from __future__ import annotations

import marshal
from typing import Any

# The format is that of every supported CPython; both ends run the same interpreter.
FORMAT = 4
DEPTH = 200


def dumps(value: Any) -> bytes:
    try:
        return marshal.dumps(value, FORMAT)
    except (ValueError, RecursionError):
        return marshal.dumps(degrade(value), FORMAT)


def loads(data: bytes) -> Any:
    return marshal.loads(data)


def is_plain(value: Any) -> bool:
    """Whether the value survives the journey as it is."""
    try:
        marshal.dumps(value, FORMAT)
    except (ValueError, RecursionError):
        return False
    return True


def degrade(value: Any, depth: int = 0) -> Any:
    """The nearest value that ``marshal`` takes."""
    if value is None or isinstance(value, bool):
        return value
    if depth > DEPTH:
        return _repr(value)
    for scalar in (int, float, complex, str, bytes):
        if isinstance(value, scalar):
            return _base(value, scalar)
    deeper = depth + 1
    if isinstance(value, dict):
        return {degrade(key, deeper): degrade(item, deeper) for key, item in value.items()}
    for container in (list, tuple, set, frozenset):
        if isinstance(value, container):
            return container(degrade(item, deeper) for item in value)
    return _repr(value)


def _base(value: Any, scalar: type) -> Any:
    if type(value) is scalar:
        return value
    try:
        return scalar.__str__(value) if scalar is str else scalar(value)
    except Exception:
        return _repr(value)


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<unpresentable {type(value).__name__}: {type(error).__name__}>"
