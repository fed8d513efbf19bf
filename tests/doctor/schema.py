"""As much of JSON Schema as ``docs/doctor.schema.json`` uses."""

from __future__ import annotations

from typing import Any

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
_KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "required", "properties", "additionalProperties",
    "items", "minItems", "maxItems", "enum", "const", "oneOf",
}  # fmt: skip


def errors(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$") -> list[str]:
    """What speaks against the value; empty when it fits."""
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema:
        return errors(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    if "oneOf" in schema:
        tried = [errors(value, each, root, at) for each in schema["oneOf"]]
        if sum(not each for each in tried) == 1:
            return []
        return [f"{at}: none or several of oneOf", *(text for each in tried for text in each)]
    if "const" in schema and value != schema["const"]:
        return [f"{at}: {value!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r}"]
    names = schema.get("type", list(_TYPES))
    if not any(isinstance(value, _TYPES[name]) for name in ([names] if isinstance(names, str) else names)):
        return [f"{at}: {type(value).__name__} in place of {names}"]
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return [f"{at}: {len(value)} items"]
        inner = schema.get("items", {})
        return [text for place, each in enumerate(value) for text in errors(each, inner, root, f"{at}[{place}]")]
    if isinstance(value, dict):
        found = [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, each in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            if inner is False:
                found.append(f"{at}.{name} is unknown")
            else:
                found.extend(errors(each, inner, root, f"{at}.{name}"))
        return found
    return []
