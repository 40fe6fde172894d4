package neuralcore.vectors;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;
import neuralcore.vectors.simd.Kernels;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * The collections by name, and what they may take together. Thread-safe; nothing here waits for a
 * collection's lock but {@link #drop}.
 */
public final class Collections {
    private static final int MAX_NAME_BYTES = 256;

    private final ConcurrentSkipListMap<String, Collection> byName = new ConcurrentSkipListMap<>();
    private final Kernels kernels;
    private final int maxDimension;
    private final MemoryBudget budget;

    /**
     * @param maxDimension largest vector
     * @param maxBytes memory that all collections may take together
     */
    public Collections(Kernels kernels, int maxDimension, long maxBytes) {
        this.kernels = kernels;
        this.maxDimension = maxDimension;
        this.budget = new MemoryBudget(maxBytes);
    }

    /**
     * Makes a collection.
     *
     * @param existOk whether one of this name, dimension and metric may be there already
     * @throws NeuralCoreException {@link ErrorCode#ALREADY_EXISTS} if one of this name is there;
     *     {@link ErrorCode#LIMIT_EXCEEDED} if the dimension is too large
     */
    public Collection create(String name, int dimension, Metric metric, boolean existOk) {
        checkName(name);
        checkDimension(dimension);
        Collection made = new Collection(name, dimension, metric, kernels, budget);
        Collection there = byName.putIfAbsent(name, made);
        if (there == null) {
            return made;
        }
        if (existOk && there.dimension() == dimension && there.metric() == metric) {
            return there;
        }
        throw new NeuralCoreException(
                ErrorCode.ALREADY_EXISTS,
                "Collection '%s' exists, with dimension %d and metric %s. %s"
                        .formatted(
                                name,
                                there.dimension(),
                                there.metric().wireName(),
                                existOk
                                        ? "It cannot have others; choose another name or drop it."
                                        : "Choose another name, drop it, or pass exist_ok."));
    }

    /**
     * @throws NeuralCoreException {@link ErrorCode#NOT_FOUND}
     */
    public Collection get(String name) {
        Collection collection = byName.get(name);
        if (collection == null) {
            throw notFound(name);
        }
        return collection;
    }

    /** Ends a collection once its running calls have ended; answers whether it was there. */
    public boolean drop(String name) {
        Collection collection = byName.remove(name);
        if (collection == null) {
            return false;
        }
        collection.drop();
        return true;
    }

    /** All collections by name. */
    public List<CollectionInfo> list() {
        return byName.values().stream().map(Collection::info).toList();
    }

    /** Rows of all collections. */
    public long rows() {
        return byName.values().stream().mapToLong(Collection::count).sum();
    }

    /** Memory that all collections take. */
    public long bytes() {
        return budget.used();
    }

    /**
     * @throws NeuralCoreException {@link ErrorCode#INVALID_REQUEST} or {@link
     *     ErrorCode#LIMIT_EXCEEDED} unless vectors may have this dimension
     */
    public void checkDimension(int dimension) {
        if (dimension < 1) {
            throw NeuralCoreException.invalid(
                    "The dimension is " + dimension + "; it must be at least 1.");
        }
        if (dimension > maxDimension) {
            throw new NeuralCoreException(
                    ErrorCode.LIMIT_EXCEEDED,
                    "The dimension is %d; vectors.max_dimension allows %d."
                            .formatted(dimension, maxDimension));
        }
    }

    static NeuralCoreException notFound(String name) {
        return new NeuralCoreException(
                ErrorCode.NOT_FOUND, "There is no collection '" + name + "'; create it first.");
    }

    private static void checkName(String name) {
        int length = name.getBytes(StandardCharsets.UTF_8).length;
        if (length == 0 || length > MAX_NAME_BYTES) {
            throw NeuralCoreException.invalid(
                    "'collection' has %d bytes; a name has 1 to %d."
                            .formatted(length, MAX_NAME_BYTES));
        }
    }
}
