"""Relays: channels of the bus carried to and from Redis or Kafka, by the daemon.

::

    bridge = RedisBridge("redis://localhost:6379/0", namespace="shop")
    bridge.route("out", "jobs", stream="shop.jobs")
    bridge.route("in", "results", stream="shop.results", group="first")
    await bridge.connect()
    await bridge.health_check()            # {"healthy": True, "answer_age": 0.0002, ...}
    await bridge.close()

With Kafka, a :class:`KafkaBridge` and topics::

    bridge = KafkaBridge("localhost:9092", namespace="shop")
    bridge.route("out", "jobs", topic="shop.jobs", key="payload.customer")
    bridge.route("in", "results", topic="shop.results", group="first")

Messages do not pass this process: the daemon relays them while this object is connected. What a
route may say, and what is promised, is in ``docs/relays.md``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from neuralcore._bus.completion import Completion, run
from neuralcore._bus.completion import log as _log
from neuralcore.errors import (
    ConnectError,
    InvalidRequest,
    NeuralCoreError,
    NotSupported,
    error_for,
)

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from neuralcore.client import Client

__all__ = ["KafkaBridge", "RedisBridge"]

_RELAY = "neuralcore.messaging.relay."
_POLL_SECONDS = 0.02
_TRAINING = 300.0  # seconds


class _Bridge:
    """What is the same for each broker."""

    def __init__(
        self,
        settings: dict[str, Any],
        name: str,
        compress: bool,
        namespace: str,
        serializer: str,
        compression: str | None,
        client: Client | None,
        timeout: float,
    ) -> None:
        self.name = name
        self.timeout = timeout
        standard = "zlib" if compress else "none"
        self._form = {"serializer": serializer, "compression": compression or standard}
        self._settings = {**settings, "name": name, "namespace": namespace, "owned": True}
        self._routes: list[dict[str, Any]] = []
        self._client = client
        self._unregister: Any = None

    def _place(self) -> str:
        """Where the broker is, to be shown."""
        raise NotImplementedError

    def _usual_target(self) -> dict[str, Any]:
        """Where a message goes past the bus whose call does not say."""
        raise NotImplementedError

    # Life

    def route(self, direction: str, channel: str, **where: Any) -> None:
        """Adds a way for a channel's messages, at once if the bridge is connected.

        :param direction: "out" to the server, or "in".
        :param where: ``pubsub=``, ``stream=`` or ``topic=`` the place, and further keys of a route.
        :raises InvalidRequest: if the daemon refuses it.
        """
        given = {"direction": direction, "channel": channel, **where}
        if direction == "out":
            given = {**self._form, **given}
        if self._unregister is not None:
            self._call("route", {"name": self.name, "route": given})
        self._routes.append(given)

    def connect(self, timeout: float = 10.0) -> Completion[None]:
        """Opens the relay and waits until the server answers; tries again one that had given up.

        :raises ConnectError: if it does not within ``timeout`` seconds; the relay is closed then.
        :raises NotSupported: without a daemon, or if it lacks the role ``relay``.
        """
        return run(lambda: self._connect(timeout), f"Connecting relay {self.name!r}")

    def open(self) -> Completion[None]:
        """Opens the relay and does not wait for the server, which is tried for on and on.

        :raises NotSupported: as :meth:`connect`.
        """
        return run(self._open, f"Opening relay {self.name!r}")

    def _open(self) -> None:
        self._call("open", self._wanted())
        if self._unregister is None:
            self._unregister = self._connection().on_reconnected(self._open_again)

    def _connect(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        again = self._unregister is not None
        self._open()
        if again:  # it may have given up
            self._call("on", {"name": self.name})
        while True:
            said = self._call("health", {"name": self.name})
            if said["status"] == "connected":
                return
            if said["status"] == "failed" or time.monotonic() > deadline:
                self._close()
                raise ConnectError(
                    f"Relay {self.name!r} does not reach {self._place()}: "
                    f"{said['reason'] or said['status']}"
                )
            time.sleep(_POLL_SECONDS)

    def _wanted(self) -> dict[str, Any]:
        return {**self._settings, "routes": self._routes}

    def _open_again(self) -> None:
        """On the I/O thread: the connection, and with it the relay, was gone."""

        def log_failure(future: Future[Any]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is not None:
                _log.error("Relay %r is not open any more: %s", self.name, error)

        future = self._connection().call_async(_RELAY + "open", self._wanted())
        future.add_done_callback(log_failure)

    def close(self, *, forget: bool = False) -> Completion[None]:
        """Ends the relay.

        :param forget: give up what durable routes have not sent, for good.
        """
        return run(lambda: self._close(forget), f"Closing relay {self.name!r}")

    def _close(self, forget: bool = False) -> None:
        if self._unregister is not None:
            self._unregister()
            self._unregister = None
            self._call("close", {"name": self.name, "forget": forget})

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # Messages

    def publish(
        self,
        channel: str,
        payload: Any,
        *,
        priority: int = 100,
        meta: Mapping[str, Any] | None = None,
        to: Mapping[str, Any] | None = None,
    ) -> Completion[None]:
        """Sends one message straight to the server; done when the server has answered.

        :param channel: what the message says it is of, and where ``to`` is not given, the Pub/Sub
            channel or the topic that it goes to.
        :param payload: what JSON has a form for.
        :param to: ``{"pubsub": name}``, ``{"stream": name}`` or ``{"topic": name}``.
        :raises NeuralCoreError: if the server does not have it.
        """
        message = {"channel": channel, "payload": payload, "priority": priority, "meta": meta}

        def work() -> None:
            error = self._produce([message], to)[0]
            if error is not None:
                raise error

        return run(work, "A message past the bus")

    def produce_batch(
        self, messages: Sequence[Mapping[str, Any]], *, to: Mapping[str, Any] | None = None
    ) -> Completion[list[NeuralCoreError | None]]:
        """Sends messages straight to the server, in order; for each, None or what went wrong.

        :param messages: each ``{"channel", "payload"}``, perhaps ``"priority"`` and ``"meta"``.
        :param to: as for :meth:`publish`.
        """
        return run(lambda: self._produce(messages, to), "Messages past the bus")

    def _produce(
        self, messages: Sequence[Mapping[str, Any]], to: Mapping[str, Any] | None
    ) -> list[NeuralCoreError | None]:
        target = {**self._form, **(to or self._usual_target())}
        params = {"name": self.name, "to": target, "messages": [dict(each) for each in messages]}
        results = self._call("publish", params)["results"]
        return [
            None if each is None else error_for(each["code"], each["message"]) for each in results
        ]

    def flush(self, timeout: float = 10.0) -> Completion[bool]:
        """Waits until the relay holds no message that the server has not answered for.

        What waits in channels, because the server is slow or away, is not among them.
        """

        def work() -> bool:
            deadline = time.monotonic() + timeout
            while self._described()["backlog"]:
                if time.monotonic() > deadline:
                    return False
                time.sleep(_POLL_SECONDS)
            return True

        return run(work, "Flushing a relay")

    # What it does

    def status(self) -> str:
        """disconnected, connecting, connected, reconnecting, draining or failed. Blocks briefly."""
        if self._unregister is None:
            return "disconnected"
        status: str = self._described()["status"]
        return status

    def metrics(self) -> dict[str, Any]:
        """The relay's counts since it was opened, and its reconnects. Blocks briefly."""
        said = self._described()
        return {**said["metrics"], "reconnects": said["reconnects"], "backlog": said["backlog"]}

    def health_check(self) -> Completion[dict[str, Any]]:
        """``healthy``, ``status``, ``answer_age`` (s), within 100 ms whatever the server does."""
        return run(lambda: self._call("health", {"name": self.name}), "A health check")

    def on(self) -> Completion[dict[str, Any]]:
        """Connects again after :meth:`off`, or after it has given up."""
        return self._switch("on")

    def off(self) -> Completion[dict[str, Any]]:
        """Disconnects; what is persistent waits in the journal."""
        return self._switch("off")

    def drain(self) -> Completion[dict[str, Any]]:
        """Takes nothing in any more, sends what it has, then switches itself off."""
        return self._switch("drain")

    def redrive(self, limit: int = 1000) -> Completion[dict[str, Any]]:
        """Puts dead letters of the durable routes' channels back into them."""
        params = {"name": self.name, "limit": limit}
        return run(lambda: self._call("redrive", params), "Redriving a relay")

    def schemas(self) -> Completion[list[dict[str, Any]]]:
        """The relay's schemas: ``subject``, ``channel``, ``compatibility``, ``on``, ``versions``
        and ``writes``, the version that messages are written with.

        Which there are is said by the option ``schemas={"folder": …, "subjects": [{"subject": …,
        "channel": …}]}``; the folder is the daemon's.
        """
        params = {"name": self.name, "action": "list"}
        return run(lambda: self._list_schemas(params), "Listing schemas")

    def _list_schemas(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("schema", params)["schemas"]
        return found

    def add_schema(self, subject: str, schema: Mapping[str, Any]) -> Completion[int]:
        """Makes a JSON Schema a subject's next version; its number, also if it is the newest.

        :raises InvalidRequest: if it is no schema, or (``SCHEMA_INCOMPATIBLE``) breaks what the
            version before promised; the text names the property.
        """

        def work() -> int:
            params = {"name": self.name, "action": "add", "subject": subject}
            return int(self._call("schema", {**params, "schema": dict(schema)})["version"])

        return run(work, "Adding a schema")

    def check_schema(self, subject: str, schema: Mapping[str, Any]) -> Completion[list[str]]:
        """What :meth:`add_schema` would refuse it for; empty if it would not.

        :raises InvalidRequest: if it is no schema.
        """

        def work() -> list[str]:
            params = {"name": self.name, "action": "check", "subject": subject}
            breaks = self._call("schema", {**params, "schema": dict(schema)})["breaks"]
            return [str(each) for each in breaks]

        return run(work, "Checking a schema")

    def train_dictionary(
        self, path: str | os.PathLike[str], payloads: Iterable[Any], *, size: int = 24 * 1024
    ) -> Completion[int]:
        """Writes a dictionary for ``compression="zstd"``, learnt from payloads like those to come.

        Give its path to both ends, as ``dictionaries=[path]``. Needs the daemon, not the server.

        :param payloads: some thousands, of what JSON has a form for; at most 50,000.
        :param size: of the file, in bytes, at most; a tenth of the payloads' or less.
        :returns: the number by which messages name the dictionary.
        :raises InvalidRequest: if they are too few to learn from.
        """
        return run(lambda: self._train(Path(path), payloads, size), "Learning a dictionary")

    def _train(self, path: Path, payloads: Iterable[Any], size: int) -> int:
        samples = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in payloads]
        channels = sorted({route["channel"] for route in self._routes}) or ["messages"]
        said, (learnt,) = self._connection().call(
            _RELAY + "train", {"channels": channels, "size": size}, [samples], timeout=_TRAINING
        )
        path.write_bytes(bytes(learnt))
        number: int = said["dictionary"]
        return number

    def _switch(self, verb: str) -> Completion[dict[str, Any]]:
        return run(lambda: self._call(verb, {"name": self.name}), f"Switching a relay {verb}")

    def _described(self) -> dict[str, Any]:
        for relay in self._call("list", {})["relays"]:
            if relay["name"] == self.name:
                found: dict[str, Any] = relay
                return found
        raise ConnectError(f"Relay {self.name!r} is not open: call connect() first.")

    # The daemon

    def _connection(self) -> Any:
        if self._client is None:
            from neuralcore._default import default_client

            self._client = default_client()
        if self._client.backend != "daemon":
            raise NotSupported("Relays need the daemon, and there is none.")
        return self._client.connection

    def _call(self, verb: str, params: dict[str, Any]) -> dict[str, Any]:
        connection = self._connection()
        future = connection.call_async(_RELAY + verb, params, timeout=self.timeout)
        try:
            with connection.waiting():
                result: dict[str, Any] = future.result()[0]
        except NeuralCoreError as error:
            if error.code == "UNKNOWN_ADDRESS":
                raise NotSupported(
                    "The daemon runs without the role relay; its setting 'roles' has the roles."
                ) from error
            raise
        return result


class RedisBridge(_Bridge):
    """One relay of the daemon to a Redis server. Thread-safe.

    Methods return at once what can be awaited, or asked for its ``result()``; without a running
    event loop they do their work before they return.

    The relay ends with this process, or with :meth:`close`. Another process that connects a bridge
    of the same name and the same settings shares it. What a durable route has not sent yet stays
    in the journal, and goes on when the bridge is connected again.

    :param url: ``redis://[user[:password]@]host[:port][/database]``, ``rediss://`` with TLS.
    :param name: of the relay; durable routes' places in the journal carry it.
    :param compress: pack with zlib what is sent by routes, and by :meth:`publish`: what ATLAS's own
        bus reads.
    :param compression: "none", "zlib", "lz4" or "zstd" instead.
    :param namespace: of the routes' channels: ``MessageBus.namespace``.
    :param serializer: "ncb" (MessagePack, as ATLAS's own bus writes it) or "json".
    :param client: the client to use; by default the process's own, which may start a daemon.
    :param timeout: seconds that a call of the daemon may take.
    :param options: further keys of a relay, such as ``batch_size`` or ``reconnect_max``.
    """

    def __init__(
        self,
        url: str,
        name: str = "redis",
        compress: bool = False,
        *,
        namespace: str = "default",
        serializer: str = "ncb",
        compression: str | None = None,
        client: Client | None = None,
        timeout: float = 10.0,
        **options: Any,
    ) -> None:
        settings = {**_split(url), **options}
        super().__init__(
            settings, name, compress, namespace, serializer, compression, client, timeout
        )

    def _place(self) -> str:
        return str(self._settings["url"])

    def _usual_target(self) -> dict[str, Any]:
        return {"pubsub": "{channel}"}


class KafkaBridge(_Bridge):
    """One relay of the daemon to a Kafka cluster; everything else is as of a :class:`RedisBridge`.

    :param bootstrap_servers: ``"host:port"``, several with commas between, or a list of them.
    :param name: of the relay; durable routes' places in the journal carry it.
    :param compress: pack each message with zlib, by routes and by :meth:`publish`.
    :param compression: "none", "zlib", "lz4" or "zstd" instead. Kafka packs many messages at once:
        ``properties={"compression.type": "zstd"}``.
    :param namespace: of the routes' channels: ``MessageBus.namespace``.
    :param serializer: "ncb" (MessagePack, as ATLAS's own bus writes it) or "json".
    :param client: the client to use; by default the process's own, which may start a daemon.
    :param timeout: seconds that a call of the daemon may take.
    :param options: further keys of a relay, such as ``prefix``, ``sasl``, ``user``, ``tls_ca``, or
        ``properties``, a dict of properties of Kafka's own clients.
    """

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        name: str = "kafka",
        compress: bool = False,
        *,
        namespace: str = "default",
        serializer: str = "ncb",
        compression: str | None = None,
        client: Client | None = None,
        timeout: float = 10.0,
        **options: Any,
    ) -> None:
        servers = bootstrap_servers
        if not isinstance(servers, str):
            servers = ",".join(servers)
        settings = {**options, "bootstrap_servers": servers}
        super().__init__(
            settings, name, compress, namespace, serializer, compression, client, timeout
        )

    def _place(self) -> str:
        return str(self._settings["bootstrap_servers"])

    def _usual_target(self) -> dict[str, Any]:
        return {"topic": "{channel}"}


def _split(url: str) -> dict[str, Any]:
    """A URL without what must not be shown, and that by itself."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise InvalidRequest("A RedisBridge's url must be redis[s]://host[:port][/database].")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{host}:{parts.port or 6379}"
    split = {"url": urlunsplit((parts.scheme, place, parts.path, "", ""))}
    if parts.username:
        split["user"] = unquote(parts.username)
    if parts.password:
        split["password"] = unquote(parts.password)
    return split
