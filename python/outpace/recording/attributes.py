"""The attributes of modules and classes that tests share: which of them changed, and what they were.

Of a list, dict, set or object of the project's, the members too, two levels down. User code is never called: values are
compared by identity, and only plain ones by what they are.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple, cast

from . import versions
from .places import Project

Key = tuple[str, str]

MISSING = object()

_SCALARS = frozenset({int, float, str, bytes, bool, type(None), complex})
_MOST_MEMBERS = 300
_DEPTH = 2
_HEAP_TYPE = 1 << 9
_STANDARD = frozenset(
    {
        "builtins", "datetime", "getpass", "http.client", "io", "json", "os", "os.path", "pathlib", "platform",
        "random", "shutil", "socket", "subprocess", "tempfile", "threading", "time", "urllib.request", "uuid",
    }
)  # fmt: skip
# What the recorder itself has replaced.
_IGNORED = frozenset({"stat"})


class Shot(NamedTuple):
    """A value and, of a mutable one, its members."""

    value: Any
    members: Any


def shoot(value: Any, owns: Callable[[type], bool], depth: int = _DEPTH) -> Shot:
    kind = type(value)
    members: Any = None
    if kind in _SCALARS or depth == 0:
        pass
    elif kind is dict or kind is list or kind is set:
        if len(value) > _MOST_MEMBERS:
            members = None
        elif kind is dict:
            members = {key: shoot(each, owns, depth - 1) for key, each in value.items()}
        else:
            members = [shoot(each, owns, depth - 1) for each in value] if kind is list else set(value)
    elif kind is bytearray:
        members = bytes(value)
    elif isinstance(value, functools._lru_cache_wrapper):
        members = value.cache_info().currsize
    elif owns(kind) and type(getattr(value, "__dict__", None)) is dict:
        members = {key: shoot(each, owns, depth - 1) for key, each in vars(value).items()}
    return Shot(value, members)


def differs(shot: Shot, now: Any) -> bool:
    value, members = shot
    if now is not value:
        return not (type(now) is type(value) and type(now) in _SCALARS and now == value)
    if members is None:
        return False
    kind = type(now)
    if kind is dict or (kind is not list and kind is not set and isinstance(members, dict)):
        current = now if kind is dict else vars(now)
        return len(current) != len(members) or any(
            key not in members or differs(members[key], each) for key, each in list(current.items())
        )
    if kind is list:
        return len(now) != len(members) or any(differs(before, each) for before, each in zip(members, now))
    if kind is set:
        return bool(now != members)
    if kind is bytearray:
        return bool(now != members)
    return bool(now.cache_info().currsize != members)


def _containers(shot: Shot) -> Iterator[tuple[Any, Any]]:
    """Of a mutable value, and of those in it: the container, and a copy of what it held."""
    value, members = shot
    if isinstance(members, dict):
        yield value if type(value) is dict else vars(value), {key: each.value for key, each in members.items()}
        inner = list(members.values())
    elif isinstance(members, list):
        yield value, [each.value for each in members]
        inner = members
    else:
        if members is not None:
            yield value, members
        return
    for each in inner:
        yield from _containers(each)


def put_back(shot: Shot) -> Any:
    """Give a mutable value the members it had; the value."""
    value, members = shot
    if isinstance(value, functools._lru_cache_wrapper):
        value.cache_clear()
    elif isinstance(members, dict):
        target = value if type(value) is dict else vars(value)
        kept = {key: put_back(each) for key, each in members.items()}
        target.clear()
        target.update(kept)
    elif isinstance(members, list):
        value[:] = [put_back(each) for each in members]
    elif isinstance(members, set):
        value.clear()
        value.update(members)
    elif type(value) is bytearray:
        value[:] = members
    return value


class Known(NamedTuple):
    """An attribute as it was last seen."""

    owner: Any
    attribute: str
    shot: Shot


class Owner:
    """A module or class, and what its attributes were when they were last looked at."""

    def __init__(self, target: Any, prefix: str, owns: Callable[[type], bool], depth: int) -> None:
        self.target = target
        self.prefix = prefix
        self._owns = owns
        self._depth = depth
        self.shots: dict[str, Shot] = {}
        # Everything in it that can change, and what was in it: two lists, compared in one go.
        self.live: list[Any] = []
        self.copies: list[Any] = []
        self.caches: list[tuple[Any, int]] = []
        for attribute, value in list(vars(target).items()):
            if _counts(attribute, value):
                self.shots[attribute] = shoot(value, owns, depth)
        self._remember()

    def _remember(self) -> None:
        self.live, self.copies, self.caches = [], [], []
        for shot in self.shots.values():
            for value, copy in _containers(shot):
                if isinstance(value, functools._lru_cache_wrapper):
                    self.caches.append((value, copy))
                else:
                    self.live.append(value)
                    self.copies.append(copy)

    def has_same_members(self) -> bool:
        try:
            return self.live == self.copies and all(cache.cache_info().currsize == size for cache, size in self.caches)
        except Exception:
            return False

    def changes(self) -> list[str]:
        """The attributes that are other ones, new or gone."""
        found, present = [], set()
        for attribute, value in list(vars(self.target).items()):
            if not _counts(attribute, value):
                continue
            present.add(attribute)
            known = self.shots.get(attribute)
            if known is None or differs(known, value):
                self.shots[attribute] = shoot(value, self._owns, self._depth)
                found.append(attribute)
        for attribute in self.shots.keys() - present:
            if self.shots[attribute].value is not MISSING:
                self.shots[attribute] = Shot(MISSING, None)
                found.append(attribute)
        self._remember()
        return found


class Survey:
    """All owners at once: to ask one after the other takes many times as long.

    Nearly always they have the same objects, and nothing is new in those that change. Lists compare by identity first.
    """

    def __init__(self, owners: list[Owner]) -> None:
        self._owners = owners
        self._values = [list(vars(owner.target).values()) for owner in owners]
        self._live = [owner.live for owner in owners]
        self._copies = [owner.copies for owner in owners]
        self._caches = [cache for owner in owners for cache in owner.caches]
        tell = _versions()
        dicts = [_dict_of(owner.target) for owner in owners]
        self._versions = None if tell is None or None in dicts else tell(cast("list[dict[str, Any]]", dicts))

    def changed(self) -> list[Owner]:
        """Those that may have changed."""
        places = range(len(self._owners)) if self._versions is None else self._versions.written()
        found = dict.fromkeys(place for place in places if not self._has_same_values(place))
        if not self._has_same_members():
            found.update(
                dict.fromkeys(place for place, owner in enumerate(self._owners) if not owner.has_same_members())
            )
        return [self._owners[place] for place in sorted(found)]

    def _has_same_values(self, place: int) -> bool:
        try:
            return list(vars(self._owners[place].target).values()) == self._values[place]
        except Exception:
            # Of something that was put in place of another one.
            return False

    def _has_same_members(self) -> bool:
        try:
            return self._live == self._copies and all(
                cache.cache_info().currsize == size for cache, size in self._caches
            )
        except Exception:
            return False


_versions = functools.lru_cache(maxsize=None)(versions.find)


def _dict_of(target: Any) -> dict[str, Any] | None:
    """What is behind ``vars``: of a class that is a view."""
    content: Any = vars(target)
    dicts = [content] if type(content) is dict else [each for each in gc.get_referents(content) if type(each) is dict]
    return dicts[0] if dicts else None


class Attributes:
    """Of modules and classes."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._modules: dict[str, ModuleType] = {}
        self._known = 0
        self._owners: dict[str, Owner] = {}
        # None where there are owners that it does not know.
        self._survey: Survey | None = None
        # As each attribute was when it was first seen.
        self.first: dict[Key, Known] = {}

    def owns(self, kind: type) -> bool:
        return kind.__module__ in self._modules and kind.__module__ not in _STANDARD

    def look(self) -> None:
        """At modules that are new: they are taken as they are."""
        if len(sys.modules) == self._known:
            return
        self._known = len(sys.modules)
        for name, module in list(sys.modules.items()):
            if name not in self._modules and type(module) is ModuleType and self._is_watched(name, module):
                self._modules[name] = module
                self._take(name, module)

    def changes(self) -> list[Key]:
        """Since the last call, in the modules that are known."""
        changed = list(self._owners.values()) if self._survey is None else self._survey.changed()
        if not changed and self._survey is not None:
            return []
        found: list[Key] = []
        for owner in changed:
            found.extend(("attribute", f"{owner.prefix}.{attribute}") for attribute in owner.changes())
            if owner.prefix in self._modules:
                self._take(owner.prefix, self._modules[owner.prefix])
        self._survey = Survey(list(self._owners.values()))
        return found

    def _is_watched(self, name: str, module: ModuleType) -> bool:
        return name in _STANDARD or self._project.owns(getattr(module, "__file__", None) or "")

    def _take(self, name: str, module: ModuleType) -> None:
        for target, prefix in _owners(name, module):
            if prefix not in self._owners:
                depth = 0 if name in _STANDARD else _DEPTH
                owner = self._owners[prefix] = Owner(target, prefix, self.owns, depth)
                self._survey = None
                for attribute, shot in owner.shots.items():
                    key = ("attribute", f"{prefix}.{attribute}")
                    self.first.setdefault(key, Known(target, attribute, shot))


def _owners(name: str, module: ModuleType) -> Iterator[tuple[Any, str]]:
    """The module, and the classes defined in it."""
    yield module, name
    for attribute, value in list(vars(module).items()):
        if isinstance(value, type) and value.__module__ == name and value.__name__ == attribute:
            if name in _STANDARD and (attribute.startswith("_") or not _can_change(value)):
                continue
            yield value, f"{name}.{attribute}"


def _can_change(kind: type) -> bool:
    """Classes of C cannot, and nobody changes exceptions."""
    return bool(kind.__flags__ & _HEAP_TYPE) and not issubclass(kind, BaseException)


def _counts(attribute: str, value: Any) -> bool:
    if attribute.startswith(("__", "@", "_abc_")) or attribute in _IGNORED:
        return False
    return not isinstance(value, ModuleType)


def restore(known: Known) -> None:
    owner, attribute, shot = known
    if shot.value is MISSING:
        with contextlib.suppress(AttributeError):
            delattr(owner, attribute)
        return
    value = put_back(shot)
    if vars(owner).get(attribute, MISSING) is not value:
        with contextlib.suppress(AttributeError, TypeError):
            setattr(owner, attribute, value)
