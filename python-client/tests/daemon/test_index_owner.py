"""An index whose process was killed."""

from __future__ import annotations

import subprocess
import sys
import time

from neuralcore.client import Client

_PROGRAM = """
import sys, time
import numpy as np
import neuralcore
with neuralcore.connect(sys.argv[1]) as client:
    index = neuralcore.HNSWIndex(8, client=client)
    index.add_batch(np.eye(8, dtype=np.float32))
    print("made", flush=True)
    time.sleep(600)
"""


def _indexes(client: Client, pid: int) -> list[str]:
    answer, _ = client.call("neuralcore.vectors.list")
    names = [str(each["name"]) for each in answer["collections"]]
    return [name for name in names if name.startswith(f"index-{pid}-")]


def test_the_daemon_frees_what_a_killed_process_had(client: Client) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, client.url], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        assert len(_indexes(client, process.pid)) == 1
    finally:
        process.kill()
        process.communicate()
    deadline = time.monotonic() + 120
    while _indexes(client, process.pid):
        assert time.monotonic() < deadline, "the index is still there"
        time.sleep(0.2)
