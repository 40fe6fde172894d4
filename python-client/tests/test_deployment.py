"""The examples in conf/: what reads them (Kubernetes, systemd, YAML, the daemon) takes them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

CONF = Path(__file__).resolve().parents[2] / "conf"
YAML = sorted(CONF.rglob("*.yaml"))
MANIFESTS = sorted((CONF / "kubernetes").glob("*.yaml"))
UNITS = sorted((CONF / "systemd").glob("*.service"))
KUBERNETES = "1.34"


def documents(file: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def pods(file: Path) -> list[dict[str, Any]]:
    return [
        document["spec"]["template"]["spec"]
        for document in documents(file)
        if document["kind"] in ("StatefulSet", "Deployment")
    ]


def test_yaml_is_clean() -> None:
    command = [sys.executable, "-m", "yamllint", "--strict", "-c", str(CONF / ".yamllint.yaml")]
    told = subprocess.run([*command, *map(str, YAML)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_kubernetes_takes_the_manifest(file: Path) -> None:
    found = documents(file)
    assert found
    for document in found:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_a_manifest_with_a_mistake_is_not_taken() -> None:
    document = documents(MANIFESTS[0])[1]
    document["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_pods_have_probes_resources_and_no_rights(file: Path) -> None:
    for pod in pods(file):
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
            assert "memory" in container["resources"]["limits"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            names = {variable["name"] for variable in container["env"]}
            assert {"NEURALCORE_CLUSTER_SECRET", "NEURALCORE_CLUSTER_CREDENTIALS"} <= names


def test_settings_of_the_manifests_exist() -> None:
    known = set(re.findall(r"^#\s{1,4}([a-z_]+):", (CONF / "neuralcore.yaml").read_text(), re.M))
    for file in MANIFESTS:
        for pod in pods(file):
            for variable in pod["containers"][0]["env"]:
                name = variable["name"].removeprefix("NEURALCORE_").lower()
                if name == "cluster_secret":
                    continue  # a secret is no setting
                key = name.partition("_")[2] if name.startswith(("cluster_", "data_")) else name
                assert key in known, f"{file.name}: {variable['name']}"


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_the_unit_says_how_to_run_and_stop(file: Path) -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(file.read_text())
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    assert unit["Service"]["ExecStart"].startswith("/opt/neuralcore/neuralcore serve")
    assert unit["Service"]["NoNewPrivileges"] == "true"


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_systemd_takes_the_unit(file: Path, tmp_path: Path) -> None:
    """With a program where the unit expects one, as only that machine has it."""
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        # Machines without systemd have no verifier; the test above reads the unit there.
        return
    text = file.read_text().replace("/opt/neuralcore/neuralcore", "/bin/true")
    text = re.sub(r"^(User|Group)=.*$", "", text, flags=re.MULTILINE)
    copy = tmp_path / file.name
    copy.write_text(text)
    told = subprocess.run(
        [verifier, "verify", str(copy)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in told.stderr.splitlines() if file.name in line]
    assert not complaints, told.stderr
