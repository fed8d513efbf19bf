"""A tiny web framework: decorators for routes, parameters converted by their annotations, JSON in and out.

A handler is an ``async def``. Its parameters come from the path, then from the query string; ``body`` is the decoded
JSON body. What cannot be converted is answered with 422 before the handler runs. HTTP/1.1, one request a connection.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import typing
from collections.abc import Awaitable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from http import HTTPStatus
from typing import Any, Callable
from urllib.parse import parse_qsl, urlsplit

Handler = Callable[..., Awaitable[Any]]
MAX_BODY = 64 * 1024


class HTTPError(Exception):
    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Response:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        payload = b"" if self.status == 204 else json.dumps(self.body, default=_jsonable).encode()
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if payload:
            lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(payload)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


def _jsonable(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


class Route:
    def __init__(self, method: str, path: str, handler: Handler, status: int) -> None:
        self.method = method
        self.status = status
        self._handler = handler
        self._pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path) + r"\Z")
        self._parameters = inspect.signature(handler).parameters
        self._types = typing.get_type_hints(handler)

    def match(self, path: str) -> dict[str, str] | None:
        found = self._pattern.match(path)
        return found.groupdict() if found else None

    async def __call__(self, values: Mapping[str, str], body: Any) -> Any:
        arguments: dict[str, Any] = {}
        for name, parameter in self._parameters.items():
            if name == "body":
                arguments[name] = body
            elif name in values:
                try:
                    arguments[name] = self._types.get(name, str)(values[name])
                except ValueError:
                    raise HTTPError(422, f"{name}: {values[name]!r} is not valid") from None
            elif parameter.default is inspect.Parameter.empty:
                raise HTTPError(422, f"{name} is required")
        return await self._handler(**arguments)


class App:
    """Call it with a method, a target and a body; or let a :class:`Server` do so."""

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._guards: list[Callable[[], None]] = []

    def route(self, method: str, path: str, status: int = 200) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self._routes.append(Route(method, path, handler, status))
            return handler

        return register

    def guard(self, check: Callable[[], None]) -> None:
        """Run ``check`` before every request; it refuses by raising :class:`HTTPError`."""
        self._guards.append(check)

    async def __call__(self, method: str, target: str, body: bytes = b"") -> Response:
        try:
            for check in self._guards:
                check()
            return await self._dispatch(method, target, body)
        except HTTPError as error:
            return Response(error.status, {"detail": str(error)}, error.headers)

    async def _dispatch(self, method: str, target: str, body: bytes) -> Response:
        parts = urlsplit(target)
        matching = [(route, found) for route in self._routes if (found := route.match(parts.path)) is not None]
        if not matching:
            raise HTTPError(404, f"no such page: {parts.path}")
        for route, found in matching:
            if route.method == method:
                try:
                    decoded = json.loads(body) if body else None
                except ValueError:
                    raise HTTPError(400, "the body is not JSON") from None
                answer = await route({**dict(parse_qsl(parts.query)), **found}, decoded)
                return answer if isinstance(answer, Response) else Response(route.status, answer)
        raise HTTPError(405, f"{method} is not allowed", {"Allow": ", ".join(sorted(r.method for r, _ in matching))})


class Server:
    """``async with Server(app) as server:`` listens on ``server.port`` until the block ends."""

    def __init__(self, app: App, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self._app = app
        self._server: asyncio.AbstractServer | None = None

    async def __aenter__(self) -> Server:
        server = await asyncio.start_server(self._serve, self.host, self.port)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write((await self._answer(reader)).encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> Response:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        request = head[0].split(" ")
        if len(request) != 3:
            return Response(400, {"detail": "not an HTTP request"})
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        length = headers.get("content-length", "0")
        if not length.isdigit():
            return Response(400, {"detail": "bad content length"})
        if int(length) > MAX_BODY:
            return Response(413, {"detail": f"more than {MAX_BODY} bytes"})
        return await self._app(request[0], request[1], await reader.readexactly(int(length)))
