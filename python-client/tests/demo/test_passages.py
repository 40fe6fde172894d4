"""Reading and splitting: every word is kept, lines are right, what is no text is told."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from neuralcore.cli._passages import LONGEST, read_folder, split


def test_a_passage_knows_its_heading_and_its_first_line() -> None:
    text = "\n# Title\n\nFirst paragraph of the text.\n\n## Other part\nSecond paragraph here.\n"
    passages = list(split(text, "a.md"))
    assert [(p.line, p.heading) for p in passages] == [(2, "Title"), (6, "Other part")]
    assert passages[0].text == "# Title\n\nFirst paragraph of the text."


def test_a_comment_in_code_is_no_heading() -> None:
    text = "# Build\n\n```sh\n# compiles everything there is\nmake all targets now\n```\n"
    (passage,) = split(text, "a.md")
    assert passage.heading == "Build"


def test_passages_of_a_section_repeat_its_heading_for_the_model() -> None:
    text = "# Colours\n\n" + "\n\n".join(f"paragraph {i} " + "word " * 70 for i in range(4))
    passages = list(split(text, "a.md"))
    assert len(passages) > 1
    assert all("Colours" in p.to_embed() for p in passages)


def test_no_word_is_lost_and_no_passage_is_too_long() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(200):
        words = [f"word{i:04}" for i in range(chance.randrange(1, 400))]
        text = words[0]
        for word in words[1:]:
            text += chance.choice([" "] * 30 + ["\n", "\n\n", "\n# "]) + word
        text += " more than enough letters"
        passages = list(split(text, "a.md"))
        joined = " ".join(p.text for p in passages)
        # A heading without a text below it is the one thing that is left out.
        lost = [word for word in words if word not in joined]
        lines = text.splitlines()
        headings = [line for line in lines if line.startswith("# ")]
        assert all(any(word in heading for heading in headings) for word in lost)
        assert max(len(p.text) for p in passages) <= LONGEST + 1
        for p in passages:
            assert p.text.split()[0] in lines[p.line - 1] or p.line > len(lines)


@pytest.mark.parametrize("text", ["", "\n\n \n", "---\n", "# Heading alone\n"])
def test_nothing_to_say_gives_no_passage(text: str) -> None:
    assert list(split(text, "a.md")) == []


def test_what_is_no_text_is_told_and_skipped(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("A sentence that can be embedded.\n")
    (tmp_path / "binary.txt").write_bytes(b"\x7fELF\0\0\0")
    (tmp_path / "control.txt").write_bytes(b"\xff\x01\x02\x03")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "broken.md").symlink_to("nowhere")
    (tmp_path / "picture.png").write_bytes(b"png")
    (tmp_path / "latin.txt").write_bytes("Ein sch\xf6ner Satz, der bleibt.".encode("latin-1"))
    (tmp_path / ".hidden.md").write_text("A hidden sentence is not read.\n")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "built.md").write_text("A built sentence is not read.\n")
    os.mkfifo(tmp_path / "pipe.txt")
    found = read_folder(tmp_path)
    assert found.files == ["good.md", "latin.txt"]
    assert dict(found.skipped) == {
        "binary.txt": "binary",
        "control.txt": "binary",
        "empty.txt": "empty",
        "broken.md": "cannot be read: No such file or directory",
    }
    assert found.other_suffixes == {".png": 1}


def test_a_folder_that_links_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.txt").write_text("One sentence and nothing else.\n")
    assert read_folder(tmp_path).files == ["a.txt"]
