package neuralcore.bus;

import java.util.concurrent.Executor;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import neuralcore.journal.JournalStore;
import neuralcore.wire.Delivery;
import org.jspecify.annotations.Nullable;

/**
 * What the bus takes from the world, so that a simulation can give it another one.
 *
 * @param nowMillis a clock that does not jump; its zero means nothing
 * @param epochMillis the wall clock
 * @param random for what should not happen at the same time
 * @param storage where messages are kept; null if they are not
 * @param lastLook sees each delivery and its connection before it leaves, and says what leaves
 */
public record Surroundings(
        LongSupplier nowMillis,
        LongSupplier epochMillis,
        RandomGenerator random,
        @Nullable Storage storage,
        BiFunction<String, Delivery, Delivery> lastLook) {

    /** Deliveries leave as they are. */
    public Surroundings(
            LongSupplier nowMillis,
            LongSupplier epochMillis,
            RandomGenerator random,
            @Nullable Storage storage) {
        this(nowMillis, epochMillis, random, storage, (connection, delivery) -> delivery);
    }

    /** Nothing is kept. */
    public Surroundings(LongSupplier nowMillis, LongSupplier epochMillis, RandomGenerator random) {
        this(nowMillis, epochMillis, random, null);
    }

    Surroundings withLastLook(BiFunction<String, Delivery, Delivery> other) {
        return new Surroundings(nowMillis, epochMillis, random, storage, other);
    }

    /**
     * @param journals one for each namespace that is not private
     * @param reading where pages are read, since that blocks on the disk
     * @param wake takes a namespace whose journal has said something: a {@link
     *     BusEvent.JournalSpoke} is wanted; called from any thread
     */
    public record Storage(JournalStore journals, Executor reading, Consumer<String> wake) {}
}
