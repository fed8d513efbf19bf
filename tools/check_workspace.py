"""Checks what no compiler checks: layers, file sizes, licences and duplicates of the dependencies.

``python tools/check_workspace.py`` prints each violation and exits 1 if there is one. It changes nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

# What each crate may use of ours; dependencies point downwards only.
LAYERS: dict[str, frozenset[str]] = {
    "outpace-doctor": frozenset({"outpace-model"}),
    "outpace-model": frozenset(),
    "outpace-protocol": frozenset({"outpace-model"}),
    "outpace-history": frozenset({"outpace-model"}),
    "outpace-schedule": frozenset({"outpace-model"}),
    "outpace-supervise": frozenset({"outpace-model", "outpace-protocol", "outpace-schedule"}),
    "outpace-os": frozenset({"outpace-model"}),
    "outpace-compare": frozenset(),
    "outpace-setup": frozenset(),
    "outpace-watch": frozenset(),
    "outpace-warm": frozenset({"outpace-os"}),
    "outpace": frozenset(
        {
            "outpace-compare",
            "outpace-doctor",
            "outpace-history",
            "outpace-os",
            "outpace-runner",
            "outpace-setup",
            "outpace-warm",
            "outpace-watch",
        }
    ),
    "outpace-runner": frozenset(
        {"outpace-history", "outpace-model", "outpace-os", "outpace-protocol", "outpace-supervise"}
    ),
}
# Pure crates: nothing that could do I/O or read a clock.
PURE = {
    "outpace-compare",
    "outpace-doctor",
    "outpace-model",
    "outpace-protocol",
    "outpace-schedule",
    "outpace-setup",
    "outpace-supervise",
    "outpace-watch",
}
PURE_MAY_USE = {"serde", "serde_json", "similar", "thiserror", "toml_edit"}
UNSAFE = {"outpace-os"}

LICENCES = {"MIT", "Apache-2.0", "Unicode-3.0", "BSD-3-Clause", "Zlib", "Unlicense", "BSL-1.0", "CC0-1.0", "ISC"}
# Two versions of a crate are tolerated only with a reason.
DUPLICATES: dict[str, str] = {"hashbrown": "one of them is of SQLite for WebAssembly, and never built"}
MOST_LINES = 800


def metadata() -> dict[str, Any]:
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)  # type: ignore[no-any-return]


def layers(packages: list[dict[str, Any]]) -> Iterator[str]:
    for package in packages:
        name = package["name"]
        if package["source"] is not None:
            continue
        if name not in LAYERS:
            yield f"{name}: a crate without a layer; add it to LAYERS"
            continue
        used = {each["name"] for each in package["dependencies"] if each["kind"] is None}
        for upward in sorted(each for each in used if each.startswith("outpace") and each not in LAYERS[name]):
            yield f"{name} may not use {upward}"
        if name in PURE:
            for impure in sorted(each for each in used if not each.startswith("outpace") and each not in PURE_MAY_USE):
                yield f"{name} is pure and may not use {impure}"


def sources() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "*.rs", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True)
    return (ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file())


def sizes() -> Iterator[str]:
    for path in sources():
        count = path.read_text(encoding="utf-8").count("\n")
        if count > MOST_LINES:
            yield f"{path.relative_to(ROOT)}: {count} lines, at most {MOST_LINES}"


def unsafe_code() -> Iterator[str]:
    for path in sources():
        if path.suffix == ".rs" and path.relative_to(ROOT).parts[1] not in UNSAFE and "unsafe {" in path.read_text():
            yield f"{path.relative_to(ROOT)}: unsafe code outside {', '.join(sorted(UNSAFE))}"


def licences(packages: list[dict[str, Any]]) -> Iterator[str]:
    for package in packages:
        text = package["license"] or ""
        choices = [set(choice.strip("() ").split(" AND ")) for choice in text.replace("/", " OR ").split(" OR ")]
        if not any(
            {part.removesuffix(" WITH LLVM-exception").strip("() ") for part in each} <= LICENCES for each in choices
        ):
            yield f"{package['name']} {package['version']}: licence {text or 'unknown'}"


def duplicates(packages: list[dict[str, Any]]) -> Iterator[str]:
    versions: dict[str, list[str]] = defaultdict(list)
    for package in packages:
        versions[package["name"]].append(package["version"])
    for name, found in sorted(versions.items()):
        if len(found) > 1 and name not in DUPLICATES:
            yield f"{name}: versions {', '.join(sorted(found))}"


def main() -> int:
    packages = metadata()["packages"]
    violations = [
        *layers(packages),
        *sizes(),
        *unsafe_code(),
        *licences(packages),
        *duplicates(packages),
    ]
    for violation in violations:
        print(violation, file=sys.stderr)
    print(f"workspace: {len(packages)} packages, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
