"""What the fixtures give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from outpace.marks import settings_of

from .worker import NAME


class Addresses(Mapping[str, str]):
    """A clone is made when its address is first asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.databases = settings_of(config).databases

    def __getitem__(self, name: str) -> str:
        if name not in self.databases:
            raise KeyError(f"there is no [tool.outpace.databases.{name}] in {settings_of(self.config).path}")
        url: str = self.config.pluginmanager.getplugin(NAME).url(name)
        return url

    def __iter__(self) -> Iterator[str]:
        return iter(self.databases)

    def __len__(self) -> int:
        return len(self.databases)


def only(urls: Mapping[str, str]) -> str:
    if len(urls) != 1:
        which = f"has {len(urls)} tables: use outpace_database_urls[NAME]" if urls else "has no table"
        raise pytest.UsageError(f"outpace_database_url: [tool.outpace.databases] {which}")
    return next(iter(urls.values()))
