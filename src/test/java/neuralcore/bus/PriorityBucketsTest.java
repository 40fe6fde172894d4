package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PriorityBucketsTest {
    /** The edges of the exact range and of a row, what ATLAS uses, and what nobody should. */
    private static final long[] PRIORITIES = {
        0,
        1,
        2,
        5,
        8,
        10,
        62,
        63,
        64,
        65,
        100,
        127,
        128,
        191,
        192,
        254,
        255,
        256,
        257,
        1_000_000,
        -1,
        -2,
        -255,
        -256,
        Long.MIN_VALUE,
        Long.MIN_VALUE + 1,
        Long.MAX_VALUE,
        Integer.MAX_VALUE
    };

    private record Item(long priority, int arrival) {
        static final Comparator<Item> ORDER =
                Comparator.comparingLong(Item::priority).thenComparingInt(Item::arrival);
    }

    private final PriorityBuckets<Item> queue = new PriorityBuckets<>();

    @Test
    void lowerGoesFirstAndEqualsInTheOrderOfArrival() {
        long[] priorities = {100, 5, -3, 5, 300, 0, -3};
        for (int i = 0; i < priorities.length; i++) {
            queue.push(priorities[i], new Item(priorities[i], i));
        }

        assertThat(popAll()).extracting(Item::arrival).containsExactly(2, 6, 5, 1, 3, 0, 4);
    }

    @Test
    void evictsTheOldestOfTheWorst() {
        queue.push(1, new Item(1, 0));
        queue.push(9, new Item(9, 1));
        queue.push(9, new Item(9, 2));

        assertThat(queue.worstPriority()).isEqualTo(9);
        assertThat(queue.evict()).isEqualTo(new Item(9, 1));
        assertThat(popAll()).containsExactly(new Item(1, 0), new Item(9, 2));
    }

    @Test
    void anEmptyQueueHasNothingToShow() {
        queue.push(7, new Item(7, 0));
        queue.pop();

        assertThat(queue.isEmpty()).isTrue();
        assertThatThrownBy(queue::peek).isInstanceOf(NoSuchElementException.class);
        assertThatThrownBy(queue::pop).isInstanceOf(NoSuchElementException.class);
        assertThatThrownBy(queue::evict).isInstanceOf(NoSuchElementException.class);
        assertThatThrownBy(queue::worstPriority).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void holdsManyOfOnePriorityAndGivesTheRoomBack() {
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 10_000; i++) {
                queue.push(9, new Item(9, i));
            }
            queue.push(0, new Item(0, -1));
            assertThat(queue.pop().arrival()).isEqualTo(-1);
            for (int i = 0; i < 10_000; i++) {
                assertThat(queue.pop().arrival()).isEqualTo(i);
            }
            assertThat(queue.isEmpty()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void behavesAsASortedListDoes(long seed) {
        Random random = new Random(seed);
        List<Item> model = new ArrayList<>();
        for (int step = 0; step < 20_000; step++) {
            String at = "seed %d, step %d".formatted(seed, step);
            // Filling and emptying take turns, so that rings wrap, grow and are given back.
            boolean filling = step / 500 % 2 == 0;
            int choice = random.nextInt(100);
            if (model.isEmpty() || choice < (filling ? 70 : 30)) {
                Item item = new Item(PRIORITIES[random.nextInt(PRIORITIES.length)], step);
                queue.push(item.priority(), item);
                model.add(item);
                model.sort(Item.ORDER);
            } else if (choice < 85) {
                assertThat(queue.peek()).as(at).isEqualTo(model.getFirst());
                assertThat(queue.pop()).as(at).isEqualTo(model.removeFirst());
            } else if (choice < 90) {
                Item some = model.get(random.nextInt(model.size()));
                assertThat(queue.holds(some.priority(), some.arrival(), Item::arrival)).isTrue();
                assertThat(queue.remove(some.priority(), some.arrival(), Item::arrival)).isTrue();
                assertThat(queue.holds(some.priority(), some.arrival(), Item::arrival)).isFalse();
                assertThat(queue.remove(some.priority(), some.arrival(), Item::arrival)).isFalse();
                if (random.nextBoolean()) {
                    queue.insert(some.priority(), some, Item::arrival);
                    assertThat(queue.pop(model.getFirst().priority())).isEqualTo(model.getFirst());
                    model.removeFirst();
                } else {
                    model.remove(some);
                }
            } else if (choice < 98) {
                long worst = model.getLast().priority();
                Item oldest =
                        model.stream().filter(i -> i.priority() == worst).findFirst().orElseThrow();
                assertThat(queue.worstPriority()).as(at).isEqualTo(worst);
                assertThat(queue.evict()).as(at).isEqualTo(oldest);
                model.remove(oldest);
            } else {
                int modulus = 2 + random.nextInt(3);
                int before = model.size();
                model.removeIf(item -> item.arrival() % modulus == 0);
                assertThat(queue.removeIf(item -> item.arrival() % modulus == 0))
                        .as(at)
                        .isEqualTo(before - model.size());
            }
            assertThat(queue.size()).as(at).isEqualTo(model.size());
        }
        assertThat(popAll()).as("seed %d", seed).isEqualTo(model);
    }

    private List<Item> popAll() {
        List<Item> all = new ArrayList<>();
        while (!queue.isEmpty()) {
            all.add(queue.pop());
        }
        return all;
    }
}
