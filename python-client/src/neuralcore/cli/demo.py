"""`neuralcore demo`: read texts, embed them, search them, and hear of every step on the bus.

It does what a program would do, with the public interface alone: ``neuralcore.connect``,
``Client.embed``, ``Client.collection`` and ``neuralcore.messaging.MessageBus``. The steps are
published on channels that ATLAS uses, at ATLAS's priorities, and two subscribers receive each.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import neuralcore
from neuralcore.messaging import Message, MessageBus, Priority

from ._passages import Folder, Passage, read_files, read_folder
from ._terminal import Progress, printable, quote, table, width

if TYPE_CHECKING:
    from neuralcore import Client

__all__ = ["add_arguments", "run"]

EX_NOINPUT = 66
# Channels of ATLAS, and the priority that it gives to what is said there (lower is sooner).
USER_INPUT = ("user.input", Priority.HIGH)
TOOL_RESULT = ("tool.result", Priority.NORMAL)
TOOL_PROGRESS = ("tool.progress", Priority.LOW)
SYSTEM_LOG = ("system.log", Priority.BACKGROUND)
CHANNELS = [name for name, _ in (USER_INPUT, TOOL_RESULT, TOOL_PROGRESS, SYSTEM_LOG)]
SUBSCRIBERS = ("console", "audit")
# Small enough for a bar that moves, large enough for full batches.
BATCH = 64
HITS = 3
OWN_QUESTIONS = (
    "How does a client prove who it is?",
    "What happens to a subscriber that reads too slowly?",
    "How do I run a single test?",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads the text and Markdown files of a folder, embeds their passages, stores them in a "
        "collection and answers questions by semantic search, while two subscribers on the bus "
        "receive every step."
    )
    parser.epilog = 'Example: neuralcore demo ~/notes --ask "What did we decide about backups?"'
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        help="folder to read, or one file; by default this project's own documents",
    )
    parser.add_argument(
        "--ask",
        action="append",
        metavar="QUESTION",
        help="what to ask, more than once if you like; by default three questions are made up",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the demo; its exit code (66 if there is nothing to read)."""
    try:
        found, own = read(options.folder)
    except FileNotFoundError as error:
        print(f"neuralcore: {error}", file=sys.stderr)
        return EX_NOINPUT
    tell_what_was_read(found)
    if not found.passages:
        print(
            "neuralcore: there is no text to embed here: name a folder with .md or .txt files.",
            file=sys.stderr,
        )
        return EX_NOINPUT
    questions = options.ask or (list(OWN_QUESTIONS) if own else made_up_questions(found.passages))
    with neuralcore.connect() as client, MessageBus(worker_count=1, client=client) as bus:
        Demo(client, bus, found).run(questions)
    return 0


def read(folder: Path | None) -> tuple[Folder, bool]:
    """What there is to embed, and whether it is the project's own documents."""
    if folder is None:
        root = Path(__file__).resolve().parents[4]
        found = Folder()
        paths = [root / "README.md", root / "CONTRIBUTING.md", *sorted(root.glob("docs/*.md"))]
        read_files([path for path in paths if path.exists()], root, found)
        if not found.passages:
            raise FileNotFoundError("this installation has no documents: name a folder to read.")
        return found, True
    if folder.is_dir():
        return read_folder(folder), False
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}.")
    found = Folder()
    read_files([folder], folder.parent, found)
    return found, False


def tell_what_was_read(found: Folder) -> None:
    print(f"Read {plural(len(found.files), 'file')}, {plural(len(found.passages), 'passage')}.")
    for name, reason in found.skipped[:10]:
        print(f"  skipped {printable(name)}: {reason}")
    if len(found.skipped) > 10:
        print(f"  and {len(found.skipped) - 10} more skipped")
    if found.other_suffixes:
        kinds = sorted(found.other_suffixes.items(), key=lambda item: -item[1])
        names = ", ".join(f"{count} {printable(suffix)}" for suffix, count in kinds[:5])
        print(f"  left out as no text: {names}" + (" and others" if len(kinds) > 5 else ""))


def made_up_questions(passages: Sequence[Passage]) -> list[str]:
    """Three headings, or first words, from places far apart."""
    subjects = list(dict.fromkeys(p.heading for p in passages if len(p.heading) > 3))
    if len(subjects) < 3:
        subjects += [" ".join(printable(p.text).split()[:8]) for p in passages]
    step = max(1, len(subjects) // 3)
    return [f"What does it say about {subject}?" for subject in subjects[::step][:3]]


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


class Subscriber:
    """Notes what it receives, in order. It can be held up, as a slow one would be."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.received: list[Message] = []
        self.free = threading.Event()
        self.free.set()
        self._arrived = threading.Condition()

    def handle(self, message: Message) -> None:
        self.free.wait()
        with self._arrived:
            self.received.append(message)
            self._arrived.notify_all()

    def wait_for(self, count: int, timeout: float) -> bool:
        """Waits until so many messages have come."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.received) >= count, timeout)


class Demo:
    """One run: a collection of its own, dropped at the end, and a bus of its own."""

    def __init__(self, client: Client, bus: MessageBus, found: Folder) -> None:
        self._client = client
        self._bus = bus
        self._found = found
        self._collection = client.collection(f"demo-{os.getpid()}")
        self._subscribers = [Subscriber(name) for name in SUBSCRIBERS]
        self._published = 0
        self._dimension = 0
        self._embedding_seconds = 0.0
        self._storing_seconds = 0.0
        self._search_seconds: list[float] = []

    def run(self, questions: Sequence[str]) -> None:
        print(f"Connected to the {self._client.backend}. Subscribers: {', '.join(SUBSCRIBERS)}.")
        for subscriber in self._subscribers:
            for channel in CHANNELS:
                self._bus.subscribe(channel, subscriber.handle)
        for name, reason in self._found.skipped:
            self._tell(SYSTEM_LOG, f"skipped {name}: {reason}")
        try:
            self._store()
            self._bus.flush().result()
            before = [len(subscriber.received) for subscriber in self._subscribers]
            for subscriber in self._subscribers:
                subscriber.free.clear()
            for question in questions:
                self._answer(question)
        finally:
            for subscriber in self._subscribers:
                subscriber.free.set()
            self._collection.drop()
        for subscriber in self._subscribers:
            subscriber.wait_for(self._published, timeout=10.0)
        self._show_order(before[0])
        self._show_summary()

    def _tell(self, where: tuple[str, Priority], text: str) -> None:
        channel, priority = where
        self._bus.publish(channel, {"text": text}, priority)
        self._published += 1

    def _store(self) -> None:
        """Embeds and stores the passages, a batch at a time."""
        passages = self._found.passages
        with Progress("Embedding", len(passages)) as progress:
            for start in range(0, len(passages), BATCH):
                batch = passages[start : start + BATCH]
                began = time.perf_counter()
                vectors = self._client.embed([passage.to_embed() for passage in batch])
                embedded = time.perf_counter()
                if not self._dimension:
                    self._dimension = vectors.shape[1]
                    self._collection.create(self._dimension)
                ids = [str(start + offset) for offset in range(len(batch))]
                self._collection.upsert(ids, vectors)
                self._embedding_seconds += embedded - began
                self._storing_seconds += time.perf_counter() - embedded
                progress.advance(len(batch))
                done = start + len(batch)
                self._tell(TOOL_PROGRESS, f"embedded {done:,} of {len(passages):,} passages")

    def _answer(self, question: str) -> None:
        self._tell(SYSTEM_LOG, "a question came in")
        self._tell(TOOL_PROGRESS, "searching the collection")
        self._tell(USER_INPUT, question)
        began = time.perf_counter()
        vector = self._client.embed([question], kind="query")[0]
        hits = self._collection.search(vector, k=HITS)
        self._search_seconds.append(time.perf_counter() - began)
        print(f"\n{quote(question, 3, '').strip()}")
        for rank, hit in enumerate(hits):
            passage = self._found.passages[int(hit.id)]
            print(f"  {hit.score:.3f}  {printable(passage.file)}:{passage.line}")
            # The text repeats its heading where the passage begins with it.
            print(quote(passage.text.replace("#", ""), 3 if rank == 0 else 1, " " * 9))
        best = self._found.passages[int(hits[0].id)]
        self._tell(TOOL_RESULT, f"{best.file}:{best.line} answers: {question}")

    def _show_order(self, before: int) -> None:
        """What came while the subscribers were held up: the urgent has overtaken the rest."""
        print(
            "\nBoth subscribers were held up during the questions; this is what then reached them,"
            "\nthe first message taken before the others were there, the rest by priority:"
        )
        for message in self._subscribers[0].received[before:]:
            line = f"  {message.priority:>2}  {message.channel:<14} {message.payload['text']}"
            print(line if len(line) <= width() else line[: width() - 2] + " …")

    def _show_summary(self) -> None:
        passages = len(self._found.passages)
        counts = ", ".join(
            f"{subscriber.name} {len(subscriber.received)}" for subscriber in self._subscribers
        )
        priorities = Counter(message.priority for message in self._subscribers[0].received)
        by_priority = ", ".join(f"{priorities[p]} at {p}" for p in sorted(priorities))
        asked = len(self._search_seconds)
        rows = [
            ("files, passages", f"{len(self._found.files):,}, {passages:,}"),
            (
                "embedded",
                f"{passages:,} × {self._dimension} floats in {self._embedding_seconds:.2f} s "
                f"({rate(passages, self._embedding_seconds)} passages/s)",
            ),
            ("stored", f"in {self._storing_seconds * 1000:.0f} ms"),
            (
                "answered",
                f"{plural(asked, 'question')}, embedding included, "
                f"in {sum(self._search_seconds) * 1000 / asked:.1f} ms each",
            ),
            ("messages", f"{self._published} published; received by {counts}"),
            ("by priority", by_priority),
            ("memory", self._memory()),
        ]
        print(f"\n{table(rows)}\n\nNext:")
        print(
            table(
                [
                    ('./neuralcore demo ~/notes --ask "…"', "your own texts, your own question"),
                    ("./neuralcore serve --detach", "a daemon that stays"),
                    ("./neuralcore status", "where it listens"),
                    ("./neuralcore doctor", "what this machine has"),
                    ("./neuralcore bench rtt", "how fast it answers here"),
                ]
            )
        )

    def _memory(self) -> str:
        parts = []
        if self._client.backend == "daemon":
            parts.append(f"daemon {self._client.info()['memory_bytes'] / 2**20:,.0f} MiB")
        own = own_memory()
        if own:
            parts.append(f"this Python {own / 2**20:,.0f} MiB")
        return ", ".join(parts)


def rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}" if seconds > 0 else "-"


def own_memory() -> int:
    """This process's largest resident size in bytes; 0 where it is not known."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
