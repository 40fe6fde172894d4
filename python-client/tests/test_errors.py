from __future__ import annotations

import pickle

import pytest

from neuralcore import errors
from neuralcore.errors import CODES, NeuralCoreError, error_for


@pytest.mark.parametrize("code", CODES)
def test_every_code_makes_its_error_by_name_and_by_number(code: str) -> None:
    number, cls = CODES[code]
    for key in (code, number):
        error = error_for(key, "what happened", hint="do this", retry_after=2)
        assert type(error) is cls
        assert error.code == code
        assert str(error).startswith("what happened do this")
        assert error.details["retry_after"] == 2


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.InvalidRequest, ValueError),
        (errors.NotFound, KeyError),
        (errors.RequestTimeout, TimeoutError),
        (errors.AccessDenied, PermissionError),
        (errors.ConnectError, ConnectionError),
        (errors.ConnectionLost, errors.ConnectError),
        (errors.VersionMismatch, ConnectionError),
        (errors.DaemonStartError, ConnectionError),
        (errors.QueueFull, RuntimeError),
        (errors.LimitExceeded, RuntimeError),
        (errors.Unavailable, RuntimeError),
        (errors.ProtocolError, RuntimeError),
        (errors.InternalError, RuntimeError),
        (errors.NotSupported, NotImplementedError),
    ],
)
def test_each_error_is_a_builtin_too(cls: type[NeuralCoreError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="told plainly"):
        raise cls("told plainly")
    assert issubclass(cls, NeuralCoreError)


def test_a_code_of_a_newer_daemon_is_kept() -> None:
    error = error_for("SOMETHING_NEW", "odd")
    assert type(error) is errors.InternalError
    assert error.code == "SOMETHING_NEW"
    assert error_for(999, "odd").code == "999"


def test_unavailable_says_when_to_try_again() -> None:
    error = error_for("MODEL_NOT_READY", "loading", retry_after=0.5)
    assert isinstance(error, errors.Unavailable)
    assert error.retry_after == 0.5
    assert errors.Unavailable("x").retry_after is None


def test_errors_survive_pickling() -> None:
    error = errors.DaemonStartError("no", hint="h", command=["java", "-jar"], log_tail="boom")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.command, copy.log_tail) == (type(error), ["java", "-jar"], "boom")
    assert str(copy) == str(error)
    assert "java -jar" in str(error)
    assert "boom" in str(error)


def test_the_tree_in_the_docstring_names_every_class() -> None:
    assert errors.__doc__
    for name in errors.__all__:
        if name != "error_for":
            assert name in errors.__doc__
