"""The script `./neuralcore`, run as a user runs it.

What needs no build runs in the checkout; what would build, or find nothing to build with, runs on a
copy of the script beside stand-ins for Java and Maven.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "neuralcore"
VERBS = (
    *("demo", "test", "serve", "stop", "status", "logs", "doctor", "bench", "check"),
    *("build", "clean"),
)
# What the script itself calls; a PATH of only these has no Java, Maven or Python.
TOOLS = (
    *("bash", "cat", "chmod", "cksum", "cut", "date", "dirname", "env", "find", "grep", "head"),
    *("id", "kill", "ln", "ls", "mkdir", "mv", "nohup", "ps", "readlink", "rm", "sed", "sleep"),
    *("tail", "touch", "tr", "uname"),
)


def run(
    *arguments: str, script: Path = SCRIPT, cwd: Path | None = None, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Runs the script without the caller's NEURALCORE_ settings; None removes a variable."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEURALCORE_")}
    if script.resolve() == SCRIPT and "NEURALCORE_JAVA" in os.environ:
        env["NEURALCORE_JAVA"] = os.environ["NEURALCORE_JAVA"]
    for name, value in environment.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return subprocess.run(
        [str(script), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=300
    )


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def jdk(folder: Path, version: str, *, javac: bool = True, vector: bool = True) -> Path:
    """A stand-in for a JDK: it makes what it is asked to, else prints its arguments."""
    executable(
        folder / "bin" / "java",
        "#!/usr/bin/env bash\n"
        'last=""; for a in "$@"; do case $a in -XX:SharedArchiveFile=*)'
        ' echo cache >"${a#*=}"; exit;; esac;\n'
        '[ "$last" != --prepare ] || { mkdir -p "$a"; exit; }; last=$a; done\n'
        "printf '%s\\n' \"$@\"\nexit ${STUB_EXIT:-0}\n",
    )
    if javac:
        executable(folder / "bin" / "javac", "#!/bin/sh\n")
    modules = "java.base" + (" jdk.incubator.vector" if vector else "")
    (folder / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the script with just enough around it to want a build."""
    folder = tmp_path / "check out"  # a blank in the path, on purpose
    (folder / "src" / "main" / "java").mkdir(parents=True)
    (folder / "src" / "main" / "java" / "Main.java").write_text("")
    (folder / "pom.xml").write_text("<project/>")
    (folder / "conf").mkdir()
    (folder / "conf" / "jvm.options").write_text(
        "--add-modules\njdk.incubator.vector\n".replace("\n", " ", 1)
    )
    shutil.copy(SCRIPT, folder / "neuralcore")
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with nothing but what the script calls."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    return folder


def maven(tools: Path) -> None:
    """A stand-in for Maven that takes a while, builds a jar and records when it ran."""
    executable(
        tools / "mvn",
        '#!/usr/bin/env bash\necho "begin $JAVA_HOME" >>mvn.log\nsleep 1\n'
        "mkdir -p target && echo jar >target/neuralcore.jar\necho end >>mvn.log\n",
    )


def test_help_names_every_verb_and_exit_code() -> None:
    done = run("help")
    assert done.returncode == 0
    for verb in VERBS:
        assert f"\n  {verb}" in done.stdout
    for code in (0, 1, 2, 3, 4, 64, 66, 69, 70, 73, 75, 78, 130):
        assert f"\n {code:>3}  " in done.stdout
    assert run().stdout == done.stdout
    assert run("--help").stdout == done.stdout


def test_help_is_at_most_a_terminal_wide() -> None:
    assert max(map(len, run("help").stdout.splitlines())) <= 120


def test_runs_from_any_folder_through_symlinks_and_without_home(tmp_path: Path) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "direct").symlink_to(SCRIPT)
    (bin_folder / "indirect").symlink_to("direct")
    for script in (SCRIPT, bin_folder / "direct", bin_folder / "indirect"):
        for home in (str(tmp_path), "", None):
            done = run("doctor", script=script, cwd=tmp_path, HOME=home)
            assert f"{ROOT}/target" in done.stdout or "target/neuralcore.jar" in done.stdout, done
    done = run("status", cwd=tmp_path, HOME=str(tmp_path), XDG_DATA_HOME=None)
    assert done.returncode == 3
    assert str(tmp_path) in done.stderr


@pytest.mark.parametrize("verb", ["status", "stop"])
def test_says_that_no_daemon_runs(tmp_path: Path, verb: str) -> None:
    done = run(verb, NEURALCORE_DATA_FOLDER=str(tmp_path))
    assert done.returncode == 3
    assert "no daemon is running" in done.stderr
    assert str(tmp_path) in done.stderr


def test_logs_without_a_daemon(tmp_path: Path) -> None:
    done = run("logs", NEURALCORE_DATA_FOLDER=str(tmp_path))
    assert done.returncode == 3
    assert "no daemon has run" in done.stderr


@pytest.mark.parametrize("arguments", [("logs", "-n", "x"), ("logs", "-x"), ("status", "-x")])
def test_wrong_options_are_usage_errors(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*arguments, NEURALCORE_DATA_FOLDER=str(tmp_path))
    assert done.returncode == 64
    assert len(done.stderr.splitlines()) == 1


def test_stop_spares_a_program_that_took_over_the_process_number(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            (tmp_path / "run" / "ready.json").write_text(f'{{"pid": {other.pid}, "port": 1}}')
            done = run("stop", NEURALCORE_DATA_FOLDER=str(tmp_path))
            assert done.returncode == 3
            assert other.poll() is None
        finally:
            other.kill()


def test_without_java_one_sentence_says_what_to_do(checkout: Path, tools: Path) -> None:
    done = run(
        "serve",
        script=checkout / "neuralcore",
        PATH=str(tools),
        JAVA_HOME=None,
        NEURALCORE_JAVA_FOLDERS="",
    )
    assert done.returncode == 69
    assert len(done.stderr.splitlines()) == 1
    assert "JDK 25 or newer is needed and none was found" in done.stderr
    assert "NEURALCORE_JAVA" in done.stderr


def test_an_old_java_is_named(checkout: Path, tools: Path, tmp_path: Path) -> None:
    done = run(
        "serve",
        script=checkout / "neuralcore",
        PATH=str(tools),
        JAVA_HOME=str(jdk(tmp_path / "eleven", "11.0.2")),
        NEURALCORE_JAVA_FOLDERS=str(jdk(tmp_path / "seventeen", "17.0.9")),
    )
    assert done.returncode == 69
    assert "only Java 17 was found" in done.stderr


def test_a_wrong_neuralcore_java_is_not_passed_over(
    checkout: Path, tools: Path, tmp_path: Path
) -> None:
    good = jdk(tmp_path / "good", "25.0.1")
    for wrong in (tmp_path / "nothing", jdk(tmp_path / "old", "21.0.1")):
        done = run(
            "serve",
            script=checkout / "neuralcore",
            PATH=str(tools),
            JAVA_HOME=str(good),
            NEURALCORE_JAVA=str(wrong),
        )
        assert done.returncode == 69
        assert f"NEURALCORE_JAVA is {wrong}" in done.stderr


def test_building_needs_a_javac(checkout: Path, tools: Path, tmp_path: Path) -> None:
    done = run(
        "serve",
        script=checkout / "neuralcore",
        PATH=str(tools),
        JAVA_HOME=str(jdk(tmp_path / "jre", "25.0.1", javac=False)),
        NEURALCORE_JAVA_FOLDERS="",
    )
    assert done.returncode == 69
    assert "run time without javac" in done.stderr


def test_takes_the_newest_of_the_usual_folders(checkout: Path, tools: Path, tmp_path: Path) -> None:
    homes = [jdk(tmp_path / v, v) for v in ("25.0.1", "26", "24.0.2")]
    executable(tools / "python3", "#!/bin/sh\necho Python 3.11\n")
    done = run(
        "doctor",
        script=checkout / "neuralcore",
        PATH=str(tools),
        JAVA_HOME=None,
        NEURALCORE_JAVA_FOLDERS=":".join(map(str, homes)),
    )
    assert done.returncode == 0, done
    assert f"{tmp_path / '26'} (Java 26, from the usual folders)" in done.stdout
    assert "warn  Maven" in done.stdout


def test_without_maven_one_sentence_says_what_to_do(
    checkout: Path, tools: Path, tmp_path: Path
) -> None:
    done = run(
        "serve",
        script=checkout / "neuralcore",
        PATH=str(tools),
        JAVA_HOME=str(jdk(tmp_path / "jdk", "25.0.1")),
    )
    assert done.returncode == 69
    assert "Maven (mvn) is needed" in done.stderr


def test_without_python_one_sentence_says_what_to_do(
    checkout: Path, tools: Path, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "python-client", checkout / "python-client", ignore=lambda *_: ["tests"])
    done = run(
        "demo",
        script=checkout / "neuralcore",
        PATH=str(tools),
        JAVA_HOME=str(jdk(tmp_path / "jdk", "25.0.1")),
    )
    assert done.returncode == 69
    assert "Python 3.10 or newer is needed" in done.stderr


def test_a_build_runs_once_and_the_daemon_gets_flags_cache_and_arguments(
    checkout: Path, tools: Path, tmp_path: Path
) -> None:
    maven(tools)
    home = jdk(tmp_path / "jdk", "25.0.1")
    both = {"script": checkout / "neuralcore", "PATH": str(tools), "JAVA_HOME": str(home)}
    first = run("serve", "--set", "a=b c", **both)  # type: ignore[arg-type]
    assert first.returncode == 0, first
    assert first.stdout.splitlines() == [
        f"@{checkout}/conf/jvm.options",
        f"-XX:AOTCache={checkout}/target/neuralcore.aot",
        "-jar",
        f"{checkout}/target/neuralcore.jar",
        "serve",
        "--set",
        "a=b c",
    ]
    assert run("serve", **both).stderr == ""  # type: ignore[arg-type]
    assert (checkout / "mvn.log").read_text() == f"begin {home}\nend\n"
    source = checkout / "src" / "main" / "java" / "Main.java"
    later = time.time() + 5
    os.utime(source, (later, later))
    run("serve", **both)  # type: ignore[arg-type]
    assert (checkout / "mvn.log").read_text().count("begin") == 2


def test_a_jdk_without_the_vector_module_still_runs(
    checkout: Path, tools: Path, tmp_path: Path
) -> None:
    maven(tools)
    done = run(
        "serve",
        script=checkout / "neuralcore",
        PATH=str(tools),
        JAVA_HOME=str(jdk(tmp_path / "jdk", "25.0.1", vector=False)),
    )
    assert done.returncode == 0
    assert "lacks the module jdk.incubator.vector" in done.stderr
    assert "jdk.incubator.vector" not in (checkout / "target" / "jvm-scalar.options").read_text()


def test_the_daemons_exit_code_is_the_scripts(checkout: Path, tools: Path, tmp_path: Path) -> None:
    maven(tools)
    for arguments in (("serve",), ("serve", "--detach")):
        done = run(
            *arguments,
            script=checkout / "neuralcore",
            PATH=str(tools),
            JAVA_HOME=str(jdk(tmp_path / "jdk", "25.0.1")),
            NEURALCORE_DATA_FOLDER=str(tmp_path / "data"),
            STUB_EXIT="78",
        )
        assert done.returncode == 78, done


def test_two_builds_at_once_take_turns(checkout: Path, tools: Path, tmp_path: Path) -> None:
    maven(tools)
    env = os.environ | {"PATH": str(tools), "JAVA_HOME": str(jdk(tmp_path / "jdk", "25.0.1"))}
    both = [
        subprocess.Popen([str(checkout / "neuralcore"), "mvn", "test"], env=env, cwd=tmp_path)
        for _ in range(2)
    ]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    lines = (checkout / "mvn.log").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["begin", "end", "begin", "end"]
    assert not (checkout / ".neuralcore.lock").is_symlink()


def test_the_lock_of_a_killed_build_is_taken_over(
    checkout: Path, tools: Path, tmp_path: Path
) -> None:
    maven(tools)
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    (checkout / ".neuralcore.lock").symlink_to(f"pid:{gone.pid}")
    done = run(
        "mvn",
        "test",
        script=checkout / "neuralcore",
        PATH=str(tools),
        JAVA_HOME=str(jdk(tmp_path / "jdk", "25.0.1")),
    )
    assert done.returncode == 0
    assert done.stderr == ""


def test_serves_in_the_background_tells_its_state_and_stops(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    try:
        started = run("serve", "--detach", NEURALCORE_DATA_FOLDER=data)
        assert started.returncode == 0, started
        status = run("status", NEURALCORE_DATA_FOLDER=data)
        assert status.returncode in (0, 4), status  # 4 while the model is being loaded
        assert data in status.stdout
        second = run("serve", "--detach", NEURALCORE_DATA_FOLDER=data)
        assert second.returncode != 0
        assert second.stderr
        assert run("logs", NEURALCORE_DATA_FOLDER=data).stdout
    finally:
        stopped = run("stop", NEURALCORE_DATA_FOLDER=data)
    assert stopped.returncode == 0, stopped
    assert run("status", NEURALCORE_DATA_FOLDER=data).returncode == 3


@pytest.mark.parametrize("given", ["file", "environment"])
def test_a_configuration_names_the_folder_unless_the_environment_does(
    given: str, tmp_path: Path
) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    configuration = tmp_path / "node.yaml"
    configuration.write_text(f"data:\n  folder: {named}\n")
    environment = {"HOME": str(tmp_path / "home"), "XDG_DATA_HOME": None}
    if given == "environment":
        environment["NEURALCORE_DATA_FOLDER"] = str(other)
    folder = named if given == "file" else other
    try:
        started = run("serve", "--detach", "--config", str(configuration), **environment)
        assert started.returncode == 0, started
        assert (folder / "run" / "ready.json").exists()
    finally:
        stopped = run("stop", NEURALCORE_DATA_FOLDER=str(folder))
    assert stopped.returncode == 0, stopped
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir() and p.name != "home") == [
        folder.name
    ]


def test_a_node_that_does_not_embed_waits_for_no_model(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    try:
        started = run("serve", "--detach", "--roles", "bus,web", NEURALCORE_DATA_FOLDER=data)
        assert started.returncode == 0, started
        status = run("status", NEURALCORE_DATA_FOLDER=data)
        assert status.returncode == 0, status
        assert "model         none, this node does not embed" in status.stdout
        assert "TCP none, HTTP http://127.0.0.1:" in started.stderr + started.stdout
        for door in ("socket        none", "tcp           none"):
            assert door in status.stdout
    finally:
        run("stop", NEURALCORE_DATA_FOLDER=data)


def test_an_unknown_verb_is_refused_by_the_python_command() -> None:
    done = run("frobnicate")
    assert done.returncode == 2, done
    assert "frobnicate" in done.stderr
