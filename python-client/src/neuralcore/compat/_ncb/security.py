"""Who may publish and subscribe, as far as this process asks."""

from __future__ import annotations

import hashlib
import hmac
import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

Auth = Mapping[str, Any]


@dataclass
class SecurityConfig:
    """Checks the ``auth`` of a call: an API key or a JWT, and the roles that a channel wants.

    This holds for callers of this object. What holds against other processes are the daemon's own
    rules, which go by the connection.

    Roles come from here or from the signed token. In ATLAS whoever had a key named its own roles;
    ``trust_caller_roles`` brings that back.

    :ivar api_keys: the keys, or a mapping of each to its roles.
    :ivar jwt_secret: for tokens; needs PyJWT. They must have ``exp``.
    :ivar channel_roles: channel to roles, one of which is needed; other channels need none.
    :ivar trust_caller_roles: whether ``auth["roles"]`` and ``auth["sub"]`` of a key's holder count.
    """

    enabled: bool = False
    api_keys: Collection[str] | Mapping[str, Collection[str]] = field(default_factory=set)
    jwt_secret: str | None = None
    jwt_audience: str | None = None
    jwt_issuer: str | None = None
    jwt_algorithms: list[str] = field(default_factory=lambda: ["HS256"])
    channel_roles: dict[str, set[str]] = field(default_factory=dict)
    trust_caller_roles: bool = False

    def verify(self, auth: Auth | None, channel: str) -> None:
        """
        :raises PermissionError: if the caller may not use the channel.
        """
        self.identify(auth, channel)

    def identify(self, auth: Auth | None, channel: str) -> str:
        """Who is calling, in words that hold no secret; "unknown" if nobody asks.

        :raises PermissionError: as :meth:`verify`.
        """
        if not self.enabled:
            return str((auth or {}).get("sub") or "unknown")
        if not auth:
            raise PermissionError(f"Channel {channel!r} wants auth, and none was given.")
        if auth.get("api_key"):
            name, roles = self._of_key(str(auth["api_key"]), auth)
        elif auth.get("jwt"):
            name, roles = self._of_token(str(auth["jwt"]))
        else:
            raise PermissionError("auth holds neither 'api_key' nor 'jwt'.")
        wanted = self.channel_roles.get(channel)
        if wanted and roles.isdisjoint(wanted):
            raise PermissionError(
                f"Channel {channel!r} wants a role of {sorted(wanted)}; {name} has {sorted(roles)}."
            )
        return name

    def _of_key(self, key: str, auth: Auth) -> tuple[str, set[str]]:
        for known in self.api_keys:
            if hmac.compare_digest(known.encode(), key.encode()):
                break
        else:
            raise PermissionError("The API key is not known.")
        name = f"key-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        roles = set(self.api_keys[known]) if isinstance(self.api_keys, Mapping) else set()
        if self.trust_caller_roles:
            roles |= set(auth.get("roles") or ())
            name = str(auth.get("sub") or name)
        return name, roles

    def _of_token(self, token: str) -> tuple[str, set[str]]:
        if not self.jwt_secret:
            raise PermissionError("A JWT was given, and jwt_secret is not set.")
        try:
            jwt: Any = importlib.import_module("jwt")
        except ImportError:
            raise PermissionError("A JWT was given; checking it needs PyJWT.") from None
        try:
            claims = jwt.decode(
                token,
                self.jwt_secret,
                algorithms=self.jwt_algorithms,
                audience=self.jwt_audience,
                issuer=self.jwt_issuer,
                options={"require": ["exp"]},
            )
        except jwt.PyJWTError as error:
            raise PermissionError(f"The JWT is not valid: {error}") from error
        return str(claims.get("sub") or "jwt"), set(claims.get("roles") or ())

    def update(self, settings: Mapping[str, Any]) -> None:
        """Takes over what a configuration names.

        :raises ValueError: if a value is of the wrong kind; then nothing is taken over.
        """
        taken: dict[str, Any] = {}
        for name, value in settings.items():
            if name in ("enabled", "trust_caller_roles"):
                taken[name] = bool(value)
            elif name == "api_keys":
                taken[name] = _keys(value)
            elif name in ("jwt_secret", "jwt_audience", "jwt_issuer"):
                taken[name] = None if value is None else str(value)
            elif name == "jwt_algorithms":
                taken[name] = [str(algorithm) for algorithm in _items(name, value)]
            elif name == "channel_roles":
                if not isinstance(value, Mapping):
                    raise ValueError("security.channel_roles must map channels to roles.")
                taken[name] = {
                    str(channel): set(map(str, _items(f"{name}.{channel}", roles or ())))
                    for channel, roles in value.items()
                }
        for name, value in taken.items():
            setattr(self, name, value)


def _keys(value: Any) -> set[str] | dict[str, set[str]]:
    if isinstance(value, Mapping):
        return {str(k): set(map(str, _items(f"api_keys.{k}", v or ()))) for k, v in value.items()}
    return set(map(str, _items("api_keys", value)))


def _items(name: str, value: Any) -> Collection[Any]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    raise ValueError(f"security.{name} must be a list.")
