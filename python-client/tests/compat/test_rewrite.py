"""Names of ours in the source of others, and every other byte as it was."""

from __future__ import annotations

import textwrap

import pytest

from neuralcore.compat._adopt.rewrite import rewrite
from neuralcore.compat._adopt.table import SWAPS, Swap

HALF = Swap("vectors", "pack.mod", "similarity", "ours.vectors:cosine", "body")
METHOD = Swap("vectors", "pack.mod", "Cache._similarity", "ours.vectors:cosine", "body")


def rewritten(source: str, module: str = "app.main", is_package: bool = False) -> str:
    swaps = [*(s for s in SWAPS if s.part == "messaging"), HALF, METHOD]
    source = textwrap.dedent(source)
    once = rewrite(source.encode(), module, is_package, swaps)
    again = rewrite(once.source, module, is_package, swaps)
    assert again.source == once.source
    assert again.changes == 0
    compile(once.source, module, "exec")
    return once.source.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from core.messaging.agent_bus import AgentBus  # why\n",
            "from neuralcore.compat.agent_bus import AgentBus  # why\n",
        ),
        (
            "from core.messaging.agent_bus import (\n"
            "    AgentBus,  # a\n    Subscription as S\n)\n",
            "from neuralcore.compat.agent_bus import (\n"
            "    AgentBus,  # a\n    Subscription as S\n)\n",
        ),
        (
            "from core.messaging.NCB import NCB\n",
            "from neuralcore.compat.atlas_ncb import NeuralCoreNCB as NCB\n",
        ),
        (
            "if True:\n    from core.messaging.agent_bus import AgentBus, other as o\n    x = 1\n",
            "if True:\n    from core.messaging.agent_bus import other as o\n"
            "    from neuralcore.compat.agent_bus import AgentBus\n    x = 1\n",
        ),
        (
            "x = 1; from core.messaging.agent_bus import AgentBus, other; y = 2\n",
            "x = 1; from core.messaging.agent_bus import other; "
            "from neuralcore.compat.agent_bus import AgentBus; y = 2\n",
        ),
        (
            "from core.messaging import NCB, agent_bus as a, channels\n",
            "from core.messaging import channels\nfrom neuralcore.compat import atlas_ncb as NCB, "
            "agent_bus as a\n",
        ),
        (
            "import os, core.messaging.NCB as ncb\n",
            "import os, neuralcore.compat.atlas_ncb as ncb\n",
        ),
        (
            "from \\\n    core.messaging.agent_bus \\\n    import AgentBus\n",
            "from neuralcore.compat.agent_bus import AgentBus\n",
        ),
        (
            "é = 'ü'; from core.messaging.agent_bus import AgentBus\n",
            "é = 'ü'; from neuralcore.compat.agent_bus import AgentBus\n",
        ),
        ("from core.messaging import AgentBus\n", "from core.messaging import AgentBus\n"),
        ("from core.messaging.channels import X\n", "from core.messaging.channels import X\n"),
    ],
)
def test_imports(before: str, after: str):
    assert rewritten(before) == after


def test_relative_imports_are_those_of_their_package():
    source = "from .agent_bus import AgentBus\nfrom .NCB import Message as M\n"
    ours = "from neuralcore.compat.agent_bus import AgentBus\n"
    ours += "from neuralcore.compat.atlas_ncb import Message as M\n"
    assert rewritten(source, "core.messaging", is_package=True) == ours
    assert rewritten(source, "core.other", is_package=True) == source
    assert rewritten("from ..messaging.agent_bus import AgentBus\n", "core.jobs.main").startswith(
        "from neuralcore.compat.agent_bus"
    )


def test_what_is_replaced_stays_what_it_is():
    source = "from .NCB import NeuralCognitiveBus\n"
    assert rewritten(source, "core.messaging.agent_bus") == source


def test_line_ends_and_a_byte_order_mark_stay():
    source = "\ufefffrom core.messaging.agent_bus import AgentBus, other\r\nx = 1\r\n"
    assert rewritten(source) == (
        "\ufefffrom core.messaging.agent_bus import other\r\n"
        "from neuralcore.compat.agent_bus import AgentBus\r\nx = 1\r\n"
    )


def test_functions_keep_their_head_and_call_ours():
    source = '''\
        """A module."""

        from __future__ import annotations

        import math


        def similarity(a: list, b: list) -> float:
            """Of two vectors."""
            if len(a) != len(b):
                raise ValueError("no")
            return 1.0  # a comment


        class Cache:
            def _similarity(self, left, right):
                return 2.0

            @staticmethod
            def other():
                return 3.0
        '''
    after = '''\
        """A module."""

        from __future__ import annotations

        from ours.vectors import cosine as _neuralcore_cosine

        import math


        def similarity(a: list, b: list) -> float:
            """Of two vectors."""
            return _neuralcore_cosine(a, b)  # a comment


        class Cache:
            def _similarity(self, left, right):
                return _neuralcore_cosine(left, right)

            @staticmethod
            def other():
                return 3.0
        '''
    assert rewritten(source, "pack.mod") == textwrap.dedent(after)
    assert rewritten(source, "pack.other") == textwrap.dedent(source)


def test_a_module_without_docstring_gets_the_import_first():
    source = "@staticmethod\ndef similarity(a, b):\n    return 0\n"
    ours = "from ours.vectors import cosine as _neuralcore_cosine\n"
    ours += "@staticmethod\ndef similarity(a, b):\n    return _neuralcore_cosine(a, b)\n"
    assert rewritten(source, "pack.mod") == ours


def test_a_registry_gets_ours_at_its_end():
    swaps = [
        Swap("vectors", "pack.mod", "add", "ours.vectors:make", "register"),
        Swap("vectors", "pack.mod", "known_as", "ours.vectors:Provider", "decorate"),
    ]
    source = b"def add(name, factory): ...\n\ndef known_as(name): ..."
    once = rewrite(source, "pack.mod", False, swaps)
    assert once.source.startswith(source)
    assert once.source[len(source) :].decode().split() == [
        *["from", "ours.vectors", "import", "make", "as", "_neuralcore_make"],
        *['add("neuralcore",', "_neuralcore_make)"],
        *["from", "ours.vectors", "import", "Provider", "as", "_neuralcore_Provider"],
        'known_as("neuralcore")(_neuralcore_Provider)',
    ]
    again = rewrite(once.source, "pack.mod", False, swaps)
    assert again.source == once.source
    told = rewrite(b"x = 1\n", "pack.mod", False, swaps)
    assert told.source == b"x = 1\n"
    assert len(told.notes) == 2


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("import core.messaging.NCB\n", "by its own name"),
        ("from core.messaging.NCB import *\n", "everything"),
        ("x = 'core.messaging.agent_bus'\n", "as a text"),
        ("def similarity(a, b, c):\n    return 1\n", "two vectors"),
        ("def similarity(a, b): return 1\n", "on one line"),
    ],
)
def test_what_is_not_certain_is_left_and_told(source: str, word: str):
    found = rewrite(source.encode(), "pack.mod", False, [*SWAPS, HALF])
    assert found.source == source.encode()
    assert [word in note.text for note in found.notes] == [True]
