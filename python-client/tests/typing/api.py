"""What type checkers are to make of the public names. Checked by mypy, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import neuralcore
from neuralcore.messaging import Completion, Message, MessageBus, MessageId, Priority, Subscription

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import assert_type


def of_the_package() -> None:
    assert_type(neuralcore.__version__, str)
    assert_type(neuralcore.NATIVE_AVAILABLE, bool)
    assert_type(neuralcore.is_native_available(), bool)
    assert_type(neuralcore.get_available_features(), dict[str, bool])
    assert_type(neuralcore.runtime_info(), dict[str, Any])
    assert_type(neuralcore.connect(), neuralcore.Client)


def of_vectors(array: NDArray[np.float32]) -> None:
    assert_type(neuralcore.cosine_similarity([1.0], [1.0]), float)
    assert_type(neuralcore.cosine_similarity(array, array), float)
    assert_type(neuralcore.cosine_similarity_batch([1.0], array), "NDArray[np.float32]")
    assert_type(neuralcore.cosine_similarity_batch(array, [[1.0]]), "NDArray[np.float32]")
    assert_type(neuralcore.normalize((1.0, 2.0)), "NDArray[np.float32]")
    index = neuralcore.HNSWIndex(1)
    assert_type(index.add([1.0]), int)
    assert_type(index.search([1.0], filter_fn=lambda i: i > 3), list[tuple[int, float]])


def of_embedding() -> None:
    engine = neuralcore.EmbeddingEngine()
    assert_type(engine.dimension, int)
    assert_type(engine.embed_batch(["text"]), "NDArray[Any]")
    assert_type(neuralcore.embed_text("text"), "NDArray[np.float32]")


async def of_messaging(bus: MessageBus) -> None:
    async def handle(message: Message) -> None:
        assert_type(message.priority, int)

    def answer(message: Message) -> dict[str, Any]:
        return {"payload": message.payload}

    assert_type(bus.start(), Completion[MessageBus])
    assert_type(await bus.start(), MessageBus)
    assert_type(bus.publish("c", {}, Priority.HIGH), MessageId)
    assert_type(await bus.publish("c", {}), MessageId)
    assert_type(bus.subscribe("c", handle), Subscription)
    assert_type(await bus.subscribe("c", answer), Subscription)
    assert_type(bus.metrics(), dict[str, Any])
    bus.publish(3, {})  # type: ignore[arg-type]
    bus.subscribe("c", "no function")  # type: ignore[call-overload]
