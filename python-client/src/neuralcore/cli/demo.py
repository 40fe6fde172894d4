"""``neuralcore demo``: read a folder's texts, embed and search them, and tell of it on the bus

It does what a program would do, with the public interface alone: ``neuralcore.connect``,
``Client.embed``, ``Client.collection`` and ``neuralcore.messaging.MessageBus``. The steps are
published on channels that ATLAS uses, at ATLAS's priorities, and two subscribers receive each.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralcore._progress import progress
from neuralcore.cli import output
from neuralcore.cli._passages import Folder, Passage, read_files, read_folder
from neuralcore.cli._terminal import printable, quote, width

if TYPE_CHECKING:
    from neuralcore.client import Client
    from neuralcore.messaging import Message, MessageBus

EX_NOINPUT = 66
# Channels of ATLAS, and the priority it gives to what is said there; lower is sooner.
USER_INPUT = ("user.input", 2)
TOOL_RESULT = ("tool.result", 5)
TOOL_PROGRESS = ("tool.progress", 8)
SYSTEM_LOG = ("system.log", 10)
CHANNELS = [name for name, _ in (USER_INPUT, TOOL_RESULT, TOOL_PROGRESS, SYSTEM_LOG)]
SUBSCRIBERS = ("console", "audit")
# Small enough for a bar that moves, large enough for full batches.
BATCH = 32
HITS = 3
OWN_QUESTIONS = (
    "Why was the existing bridge not good enough?",
    "What does a client need to get in over TCP?",
    "How do I run just one test?",
)


def add_arguments(parser: ArgumentParser) -> None:
    output.add_common(
        parser,
        "Reads the text and Markdown files of a folder, embeds their passages, stores them in a "
        "collection and answers questions by semantic search, while two subscribers on the bus "
        "receive every step. May start a daemon.",
        'neuralcore demo ~/notes --ask "What did we decide about backups?"',
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="what to read, a folder or one file (default: this project's own documents)",
    )
    parser.add_argument(
        "--ask",
        action="append",
        metavar="QUESTION",
        help="what to ask, more than once if you like (default: three made-up questions)",
    )


def run(options: Namespace) -> int:
    """Runs the demo; 66 if there is nothing to read."""
    from neuralcore.cli import OK
    from neuralcore.client import connect
    from neuralcore.messaging import MessageBus

    try:
        found, own = read(options.folder)
    except FileNotFoundError as error:
        output.fail(str(error), "NOT_FOUND", as_json=options.json)
        return EX_NOINPUT
    if not options.json:
        tell_what_was_read(found)
    if not found.passages:
        message = "there is no text to embed here: name a folder with .md or .txt files."
        output.fail(message, "NOT_FOUND", as_json=options.json)
        return EX_NOINPUT
    questions = options.ask or (list(OWN_QUESTIONS) if own else made_up_questions(found.passages))
    # One worker for both subscribers: what is more urgent is then handled first, whoever gets it.
    with connect(options.url) as client, MessageBus(worker_count=1, client=client) as bus:
        demo = Demo(client, bus, found, quiet=options.json, timeout=options.timeout)
        demo.run(questions)
        if options.json:
            output.as_json(demo.document())
    return OK


def read(folder: Path | None) -> tuple[Folder, bool]:
    """What there is to embed, and whether it is the project's own documents."""
    found = Folder()
    if folder is None:
        root = Path(__file__).resolve().parents[4]
        # Not README.md: it quotes this demo, which would then find its own questions.
        paths = [root / "CONTRIBUTING.md", *sorted(root.glob("docs/*.md"))]
        read_files([path for path in paths if path.exists()], root, found)
        if not found.passages:
            raise FileNotFoundError("this installation has no documents: name a folder to read.")
        return found, True
    if folder.is_dir():
        return read_folder(folder), False
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}.")
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
        """Waits until so many messages have come; whether they have."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.received) >= count, timeout)


class Demo:
    """One run: a collection of its own, dropped at the end, on a bus of its own."""

    def __init__(
        self, client: Client, bus: MessageBus, found: Folder, *, quiet: bool, timeout: float
    ) -> None:
        self._client = client
        self._bus = bus
        self._found = found
        self._quiet = quiet
        self._timeout = timeout
        self._collection = f"demo-{os.getpid()}"
        self._subscribers = [Subscriber(name) for name in SUBSCRIBERS]
        self._published = 0
        self._dimension = 0
        self._embedding_seconds = 0.0
        self._storing_seconds = 0.0
        self._answers: list[dict[str, Any]] = []

    def run(self, questions: Sequence[str]) -> None:
        self._say(f"Using the {self._client.backend}, with {' and '.join(SUBSCRIBERS)} listening.")
        for subscriber in self._subscribers:
            for channel in CHANNELS:
                self._bus.subscribe(channel, subscriber.handle)
        for name, reason in self._found.skipped:
            self._tell(SYSTEM_LOG, f"skipped {name}: {reason}")
        try:
            self._store()
            self._wait_for_subscribers()
            before = len(self._subscribers[0].received)
            for subscriber in self._subscribers:
                subscriber.free.clear()
            for question in questions:
                self._answer(question)
            self._bus.flush(self._timeout)
        finally:
            for subscriber in self._subscribers:
                subscriber.free.set()
            self._client.collection(self._collection).drop(timeout=self._timeout)
        self._wait_for_subscribers()
        if not self._quiet:
            self._show_order(before)
            self._show_summary()

    def document(self) -> dict[str, Any]:
        """What came of it, for programs."""
        return {
            "backend": self._client.backend,
            "files": self._found.files,
            "skipped": dict(self._found.skipped),
            "passages": len(self._found.passages),
            "dimension": self._dimension,
            "embedding_seconds": self._embedding_seconds,
            "storing_seconds": self._storing_seconds,
            "answers": self._answers,
            "published": self._published,
            "received": {s.name: len(s.received) for s in self._subscribers},
        }

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(text, flush=True)

    def _tell(self, where: tuple[str, int], text: str) -> None:
        channel, priority = where
        self._bus.publish(channel, {"text": text}, priority)
        self._published += 1

    def _wait_for_subscribers(self) -> None:
        for subscriber in self._subscribers:
            if not subscriber.wait_for(self._published, self._timeout):
                self._say(f"  {subscriber.name} is still waiting for messages")

    def _store(self) -> None:
        """Embeds and stores the passages, a batch at a time."""
        passages = self._found.passages
        began = time.perf_counter()
        self._client.embed(passages[0].heading, timeout=self._timeout)
        self._say(f"The model answers after {time.perf_counter() - began:.2f} s.")
        with progress(len(passages), "Embedding", sys.stderr.isatty()) as advance:
            for start in range(0, len(passages), BATCH):
                batch = passages[start : start + BATCH]
                began = time.perf_counter()
                vectors = self._client.embed(
                    [passage.to_embed() for passage in batch], timeout=self._timeout
                )
                embedded = time.perf_counter()
                self._dimension = vectors.shape[1]
                collection = self._client.collection(self._collection, self._dimension)
                ids = [str(start + offset) for offset in range(len(batch))]
                collection.upsert(ids, vectors, timeout=self._timeout)
                self._embedding_seconds += embedded - began
                self._storing_seconds += time.perf_counter() - embedded
                advance(len(batch))
                done = f"{start + len(batch):,} of {len(passages):,}"
                self._tell(TOOL_PROGRESS, f"embedded {done} passages")

    def _answer(self, question: str) -> None:
        self._tell(SYSTEM_LOG, "a question came in")
        self._tell(TOOL_PROGRESS, "searching the collection")
        self._tell(USER_INPUT, question)
        began = time.perf_counter()
        vector = self._client.embed_query(question, timeout=self._timeout)
        hits = self._client.collection(self._collection).search(vector, HITS, timeout=self._timeout)
        seconds = time.perf_counter() - began
        self._say(f"\n{quote(question, 3, '')}")
        passages = [self._found.passages[int(hit.id)] for hit in hits]
        for hit, passage in zip(hits, passages, strict=True):
            place = f"{printable(passage.file)}:{passage.line}"
            heading = printable(passage.heading)
            self._say(f"  {hit.score:.3f}  {place}" + (f"  {heading}" if heading else ""))
            self._say(quote(passage.body(), 3 if hit is hits[0] else 1, " " * 9))
        self._tell(TOOL_RESULT, f"{passages[0].file}:{passages[0].line} for: {question}")
        found = [
            {"file": passage.file, "line": passage.line, "score": hit.score, "text": passage.text}
            for hit, passage in zip(hits, passages, strict=True)
        ]
        self._answers.append({"question": question, "seconds": seconds, "hits": found})

    def _show_order(self, before: int) -> None:
        """What came while the subscribers were held up: the urgent has overtaken the rest."""
        print(
            "\nThe subscribers were held up during the questions. In this order they then got what"
            "\nhad waited: what they had in hand, then the rest by priority, lowest number first."
        )
        for message in self._subscribers[0].received[before:]:
            line = f"  {message.priority:>2}  {message.channel:<14} {message.payload['text']}"
            print(line if len(line) <= width() else line[: width() - 2] + " …")

    def _show_summary(self) -> None:
        passages = len(self._found.passages)
        asked = [answer["seconds"] for answer in self._answers]
        by_priority = Counter(message.priority for message in self._subscribers[0].received)
        print()
        output.table(
            {
                "read": f"{plural(len(self._found.files), 'file')}, {passages:,} passages",
                "embedded": (
                    f"{passages:,} × {self._dimension} floats in {self._embedding_seconds:.2f} s, "
                    f"{passages / self._embedding_seconds:,.0f} passages/s"
                ),
                "stored": f"in {self._storing_seconds * 1000:.0f} ms",
                "answered": (
                    f"{plural(len(asked), 'question')} in {sum(asked) * 1000 / len(asked):.1f} ms "
                    "each, embedding included"
                ),
                "published": plural(self._published, "message"),
                "received": {s.name: len(s.received) for s in self._subscribers},
                "by priority": {str(p): by_priority[p] for p in sorted(by_priority)},
                "memory": self._memory(),
            }
        )
        print("\nNext:")
        output.table(
            {
                '  ./neuralcore demo ~/notes --ask "…"': "your own texts, your own question",
                "  ./neuralcore status": "where the daemon listens",
                "  ./neuralcore doctor": "what this machine has",
                "  ./neuralcore bench rtt": "how fast it answers here",
                "  ./neuralcore stop": "ends the daemon; unused, it ends after 10 minutes",
            }
        )

    def _memory(self) -> str:
        parts = []
        if self._client.backend == "daemon":
            daemon = self._client.info(timeout=self._timeout)["memory_bytes"]
            parts.append(f"daemon {daemon / 2**20:,.0f} MiB")
        own = own_memory()
        if own:
            parts.append(f"this Python {own / 2**20:,.0f} MiB")
        return ", ".join(parts)


def own_memory() -> int:
    """This process's largest resident size in bytes; 0 where it is not known."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
