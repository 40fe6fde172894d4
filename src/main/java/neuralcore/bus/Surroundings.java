package neuralcore.bus;

import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * What the bus takes from the world, so that a simulation can give it another one.
 *
 * @param nowMillis a clock that does not jump; its zero means nothing
 * @param epochMillis the wall clock
 * @param random for what should not happen at the same time
 */
public record Surroundings(
        LongSupplier nowMillis, LongSupplier epochMillis, RandomGenerator random) {}
