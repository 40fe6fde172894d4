"""What a bus remembers of the batches that it has sent."""

from __future__ import annotations

import random

import pytest

from neuralcore._bus.batch import DELAYED_ENTRY, ENTRY, Batch


@pytest.mark.parametrize("delayed", [False, True])
def test_the_channel_of_a_message_is_found_whatever_numbers_a_batch_has(delayed: bool) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(200):
        numbers = sorted(chance.sample(range(1 << 20, (1 << 20) + 300), chance.randint(1, 200)))
        batch = Batch(delayed=delayed)
        for name in "abc":
            batch.index(name)
        channels = {number: chance.choice("abc") for number in numbers}
        for number, channel in channels.items():
            values = (number, 0, 5, 0, 0, 0, batch.indexes[channel], 0, 0)
            batch.entries += DELAYED_ENTRY.pack(*values, 7) if delayed else ENTRY.pack(*values)
        summary = batch.summary()
        for number in range((1 << 20) - 2, (1 << 20) + 302):
            assert summary.find(number) == channels.get(number)
