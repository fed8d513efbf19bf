"""Fetch and unpack xdist's source archive, which holds the tests that :mod:`portable` runs.

The archive comes from the package index through pip, is checked against its digest and kept in a cache folder;
nothing of it is part of this project.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

VERSION = "3.8.0"
ARCHIVE = f"pytest_xdist-{VERSION}.tar.gz"
SHA256 = "7e578125ec9bc6050861aa93f2d59f1d8d085595d6551c2c90b6f4fad8d3a9f1"
CACHE_VARIABLE = "OUTPACE_XDIST_SOURCE"
ATTEMPTS = 3


class SourceUnavailable(Exception):
    """The archive is neither in the cache nor obtainable."""


def default_cache() -> Path:
    return Path(tempfile.gettempdir()) / f"outpace-xdist-source-{os.getuid()}"


def source_tree(cache: Path | None = None) -> Path:
    """The unpacked archive; fetched on first use. ``OUTPACE_XDIST_SOURCE`` names another cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    folder = Path(chosen) if chosen else cache or default_cache()
    tree = folder / f"pytest_xdist-{VERSION}"
    if (tree / "testing" / "conftest.py").is_file():
        return tree
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = folder / ARCHIVE
    if not archive.is_file():
        _download(folder)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        archive.unlink()
        raise SourceUnavailable(f"{ARCHIVE} has digest {digest}, expected {SHA256}; it was removed, try again")
    _unpack(archive, tree)
    return tree


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-binary", ":all:", "--no-deps"]
    command += ["--disable-pip-version-check", f"pytest-xdist=={VERSION}", "--dest", str(folder)]
    for attempt in range(1, ATTEMPTS + 1):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode == 0:
            return
        if attempt < ATTEMPTS:
            time.sleep(2 * attempt)
    last_lines = "\n".join(done.stdout.splitlines()[-8:])
    raise SourceUnavailable(
        f"xdist {VERSION}'s source archive could not be fetched in {ATTEMPTS} attempts. Put {ARCHIVE} into "
        f"{folder}, or point {CACHE_VARIABLE} at a folder that holds it. pip said:\n{last_lines}"
    )


def _unpack(archive: Path, tree: Path) -> None:
    """Unpack beside the final place and rename, so that a tree that exists is whole."""
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        with tarfile.open(archive) as bundle:
            if hasattr(tarfile, "data_filter"):
                bundle.extractall(scratch, filter="data")
            else:
                bundle.extractall(scratch)
        shutil.rmtree(tree, ignore_errors=True)
        (Path(scratch) / tree.name).rename(tree)
