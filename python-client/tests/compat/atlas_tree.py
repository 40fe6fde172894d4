"""A small tree with the shapes of ATLAS's imports, and none of its code."""

from __future__ import annotations

import subprocess
from pathlib import Path

FILES = {
    "core/__init__.py": "",
    "core/messaging/__init__.py": '''"""Messages."""
from .agent_bus import (
    AgentBus,  # the bus
    get_agent_bus,
)
from .messages import AgentMessage
from .NCB import NeuralCognitiveBus, Message as NCBMessage
''',
    "core/messaging/messages.py": "class AgentMessage:\n    pass\n",
    "core/messaging/agent_bus.py": """from .NCB import NeuralCognitiveBus


class AgentBus:
    def below(self):
        return NeuralCognitiveBus


class Subscription:
    pass


def get_agent_bus():
    return AgentBus()


def configure_agent_bus(**settings):
    return AgentBus()


async def shutdown_agent_bus():
    pass
""",
    "core/messaging/NCB.py": """class NeuralCognitiveBus:
    pass


class Message:
    pass


class ChannelConfig:
    pass
""",
    "app.py": """from core.messaging import AgentBus, NCBMessage, get_agent_bus
from core.messaging.agent_bus import AgentBus as Bus


def bus():
    return AgentBus
""",
    "tests/test_bus.py": """from core.messaging.agent_bus import AgentBus


def test_it_has_a_bus():
    assert AgentBus
""",
}


def make_tree(root: Path, *, git: bool = True) -> Path:
    """Writes the tree; as a git repository with one commit."""
    for path, text in FILES.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    if git:
        commit(root)
    return root


def commit(root: Path) -> None:
    """Commits all there is."""
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "all"],
    ):
        subprocess.run(["git", "-C", str(root), *command], check=True)


def contents(root: Path) -> dict[str, bytes]:
    """Every file but git's own."""
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file() and ".git" not in file.parts and "__pycache__" not in file.parts
    }
