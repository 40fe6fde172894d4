"""Who may publish and subscribe."""

from __future__ import annotations

import time

import pytest

from compat.conftest import Got
from neuralcore.compat.atlas_ncb import SecurityConfig

KEY = {"api_key": "secret-key"}


def secured(**more) -> SecurityConfig:
    return SecurityConfig(enabled=True, channel_roles={"admin": {"operator"}}, **more)


def test_without_it_all_may(make):
    SecurityConfig().verify(None, "c")
    assert SecurityConfig().identify({"sub": "me", "api_key": "k"}, "c") == "me"
    assert SecurityConfig().identify({"api_key": "k"}, "c") == "unknown"


@pytest.mark.parametrize("auth", [None, {}, {"api_key": "other"}, {"sub": "me"}])
def test_a_caller_that_is_not_known_is_refused(auth):
    with pytest.raises(PermissionError):
        secured(api_keys={"secret-key"}).verify(auth, "c")


def test_a_key_opens_channels_without_roles():
    secured(api_keys={"secret-key"}).verify(KEY, "c")


def test_roles_are_those_of_the_key_and_not_what_the_caller_says():
    claims = {**KEY, "roles": ["operator"]}
    with pytest.raises(PermissionError, match="wants a role of"):
        secured(api_keys={"secret-key"}).verify(claims, "admin")
    secured(api_keys={"secret-key": ["operator"]}).verify(KEY, "admin")
    secured(api_keys={"secret-key"}, trust_caller_roles=True).verify(claims, "admin")


def test_an_error_names_no_secret():
    with pytest.raises(PermissionError) as refused:
        secured(api_keys={"secret-key"}).verify(KEY, "admin")
    assert "secret-key" not in str(refused.value)


async def test_publishing_and_subscribing_are_checked_and_no_secret_is_in_the_meta(make, got):
    bus = make(security=secured(api_keys={"secret-key": {"operator"}, "guest-key": ()}))
    for name in ("c", "admin"):
        bus.create_channel(name)
    await bus.start()
    with pytest.raises(PermissionError):
        await bus.publish("c", 1)
    with pytest.raises(PermissionError):
        await bus.register_subscriber("c", "s", got)
    with pytest.raises(PermissionError):
        await bus.publish("admin", 1, auth={"api_key": "guest-key"})
    await bus.register_subscriber("admin", "s", got, auth=KEY)
    await bus.publish("admin", 1, auth=KEY)
    await got.wait(1)
    assert got.messages[0].meta["published_by"].startswith("key-")
    assert "secret-key" not in str(got.messages[0].to_dict())


async def test_dead_letters_pass_whatever_the_rules(make):
    security = secured(api_keys={"secret-key"})
    security.channel_roles = {"letters": {"undertaker"}}
    bus = make(security=security)
    bus.create_channel("c")
    bus._channel_cfg["c"].dead_letter_channel = "letters"
    await bus.start()
    letters = Got()
    security.enabled = False
    await bus.register_subscriber("letters", "s", letters)
    security.enabled = True

    async def fail(message):
        raise RuntimeError("boom")

    await bus.register_subscriber("c", "s", fail, auth=KEY)
    await bus.publish("c", 1, auth=KEY)
    await letters.wait(1)


def test_tokens_are_checked():
    jwt = pytest.importorskip("jwt")
    secret = "a secret of at least 32 characters"
    security = secured(jwt_secret=secret, jwt_audience="bus", jwt_issuer="me")

    def token(**claims):
        said = {"sub": "bob", "aud": "bus", "iss": "me", "exp": time.time() + 60, **claims}
        said = {name: value for name, value in said.items() if value is not None}
        return {"jwt": jwt.encode(said, secret, algorithm="HS256")}

    assert security.identify(token(), "c") == "bob"
    security.verify(token(roles=["operator"]), "admin")
    with pytest.raises(PermissionError, match="wants a role"):
        security.verify(token(), "admin")
    for wrong in ({"exp": 1}, {"exp": None}, {"aud": "other"}, {"iss": "you"}):
        with pytest.raises(PermissionError, match="not valid"):
            security.verify(token(**wrong), "c")
    unsigned = {"jwt": jwt.encode({"exp": time.time() + 60}, "", algorithm="none")}
    with pytest.raises(PermissionError, match="not valid"):
        security.verify(unsigned, "c")
    with pytest.raises(PermissionError, match="jwt_secret is not set"):
        secured().verify(token(), "c")


def test_it_is_configured_with_the_channels(make):
    bus = make()
    bus.apply_config(
        {
            "security": {
                "enabled": True,
                "api_keys": {"k": ["operator"]},
                "channel_roles": {"admin": ["operator"], "open": None},
                "jwt_secret": "s",
                "jwt_algorithms": ["HS512"],
                "jwt_audience": "a",
                "jwt_issuer": "i",
                "trust_caller_roles": False,
            }
        }
    )
    bus._security.verify({"api_key": "k"}, "admin")
    assert bus._security.jwt_algorithms == ["HS512"]
    bus.apply_config({"security": {"api_keys": ["other"]}})
    assert bus._security.enabled
    with pytest.raises(PermissionError):
        bus._security.verify({"api_key": "k"}, "open")
