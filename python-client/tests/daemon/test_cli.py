"""The command line, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


def neuralcore(*arguments, stdin="", **environment):
    return subprocess.run(
        [sys.executable, "-m", "neuralcore.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_without_a_command_it_helps():
    done = neuralcore()
    assert done.returncode == 2
    assert "status" in done.stdout
    assert neuralcore("--version").stdout.startswith("neuralcore 0.")


@pytest.mark.parametrize("verb", ["status", "info", "embed", "models"])
def test_every_command_has_an_example(verb):
    done = neuralcore(verb, "--help")
    assert done.returncode == 0
    assert f"neuralcore {verb}" in done.stdout.partition("Example:")[2]


def test_status(neuralcore_daemon, tmp_path):
    done = neuralcore("status", "--json", "--url", neuralcore_daemon.url)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pid"] == neuralcore_daemon.daemon.pid
    assert neuralcore_daemon.url in neuralcore("status", "--url", neuralcore_daemon.url).stdout
    nobody = f"unix:{tmp_path}/no.sock"
    done = neuralcore("status", "--json", "--url", nobody)
    assert (done.returncode, json.loads(done.stdout)["running"]) == (3, False)
    done = neuralcore("status", NEURALCORE_DATA_FOLDER=str(tmp_path))
    assert (done.returncode, done.stderr) == (3, "")


def test_info(tmp_path):
    done = neuralcore("info", "--json", NEURALCORE_URL=f"unix:{tmp_path}/no.sock")
    assert done.returncode == 0
    assert json.loads(done.stdout)["native_available"] is False


def test_embed(neuralcore_daemon):
    done = neuralcore("embed", "first", "-", "--json", "--url", neuralcore_daemon.url, stdin="a\n")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["texts"] == ["first", "a"]
    assert [len(v) for v in answer["vectors"]] == [384, 384]
    assert "(384)" in neuralcore("embed", "x", "--url", neuralcore_daemon.url).stdout


def test_failures_are_one_line(neuralcore_daemon):
    done = neuralcore("embed", "x", "--model", "none", "--url", neuralcore_daemon.url)
    assert done.returncode == 1
    assert done.stderr.startswith("neuralcore: ")
    assert "Traceback" not in done.stderr
    done = neuralcore("embed", "x", "--model", "none", "--json", "--url", neuralcore_daemon.url)
    assert json.loads(done.stderr)["error"] == "MODEL_NOT_FOUND"


def test_models(neuralcore_daemon, tmp_path):
    url = ("--url", neuralcore_daemon.url)
    done = neuralcore("models", "list", "--json", *url)
    assert done.returncode == 0, done.stderr
    states = {model["name"]: model["state"] for model in json.loads(done.stdout)}
    assert states["gte-large"] == "missing"
    assert "all-MiniLM-L6-v2" in neuralcore("models", "list", *url).stdout
    pull = ("models", "pull", "gte-large", "--models", str(tmp_path))
    done = neuralcore(*pull, "--mirror", "http://127.0.0.1:1", *url)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    done = neuralcore("models", "pull", "no-such-model", *url)
    assert done.returncode == 1
    assert "--repository" in done.stderr
