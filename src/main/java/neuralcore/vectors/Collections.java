package neuralcore.vectors;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Executor;
import java.util.random.RandomGenerator;
import neuralcore.vectors.simd.Kernels;
import neuralcore.vectors.store.CollectionFiles;
import neuralcore.vectors.store.Descriptor;
import neuralcore.vectors.store.Disk;
import neuralcore.vectors.store.StoreFolder;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The collections by name, in memory and on disk, and what they may take together. Those on disk
 * are opened when they are first asked for. Thread-safe.
 */
public final class Collections implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Collections.class);
    private static final int MAX_NAME_BYTES = 256;

    private final ConcurrentSkipListMap<String, CollectionSlot> byName =
            new ConcurrentSkipListMap<>();
    private final CollectionOwners owners = new CollectionOwners();
    private final Kernels kernels;
    private final int maxDimension;
    private final Collection.Surroundings around;
    private final RandomGenerator random;
    private final @Nullable StoreFolder store;

    /** Collections in memory alone. */
    public Collections(Kernels kernels, CollectionLimits limits) {
        this(
                kernels,
                limits,
                Runnable::run,
                Parallel.sequential(),
                RandomGenerator.getDefault(),
                null);
    }

    /**
     * Finds the collections there are; none is opened yet.
     *
     * @param background runs what nobody waits for
     * @param builders help to build graphs
     * @param random draws the numbers of new collections
     * @param store where collections are kept; null keeps them in memory alone
     */
    public Collections(
            Kernels kernels,
            CollectionLimits limits,
            Executor background,
            Parallel builders,
            RandomGenerator random,
            @Nullable StoreFolder store) {
        this.kernels = kernels;
        this.maxDimension = limits.maxDimension();
        this.around =
                new Collection.Surroundings(
                        new MemoryBudget(limits.maxBytes()),
                        background,
                        builders,
                        limits.exactBelow(),
                        AnswerRoom.of(limits.frameBytes()),
                        new RightOfWay());
        this.random = random;
        this.store = store;
        if (store != null) {
            find(store);
        }
    }

    private void find(StoreFolder folder) {
        try {
            for (Path path : folder.collections()) {
                CollectionSlot slot = CollectionSlot.find(folder, path, this::open);
                byName.put(slot.name(), slot);
            }
        } catch (IOException e) {
            throw storageFailed("The folder of the collections cannot be read", e);
        }
    }

    /**
     * Makes a collection.
     *
     * @param existOk whether one of this name, dimension and metric may be there already
     * @throws NeuralCoreException {@link ErrorCode#ALREADY_EXISTS} if one of this name is there;
     *     {@link ErrorCode#LIMIT_EXCEEDED} if the dimension is too large
     */
    public Collection create(String name, int dimension, Metric metric, boolean existOk) {
        return create(new CollectionSpec(name, dimension, metric, store != null), existOk);
    }

    /** See {@link #create(String, int, Metric, boolean)}. */
    public Collection create(CollectionSpec spec, boolean existOk) {
        checkName(spec.name());
        checkDimension(spec.dimension());
        if (spec.durable() && store == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_SUPPORTED,
                    "There is no folder to keep collection '%s' in; pass durable=false."
                            .formatted(spec.name()));
        }
        CollectionSlot made = new CollectionSlot(spec.name(), () -> make(spec));
        CollectionSlot there = byName.putIfAbsent(spec.name(), made);
        if (there == null) {
            try {
                return made.get();
            } catch (RuntimeException e) {
                byName.remove(spec.name(), made);
                throw e;
            }
        }
        Collection known = there.get();
        if (existOk && known.dimension() == spec.dimension() && known.metric() == spec.metric()) {
            return known;
        }
        throw new NeuralCoreException(
                ErrorCode.ALREADY_EXISTS,
                "Collection '%s' exists, with dimension %d and metric %s. %s"
                        .formatted(
                                spec.name(),
                                known.dimension(),
                                known.metric().wireName(),
                                existOk
                                        ? "It cannot have others; choose another name or drop it."
                                        : "Choose another name, drop it, or pass exist_ok."));
    }

    /**
     * Has a collection end with a process of this machine, should that end without dropping it.
     *
     * @param owner {@code pid} and {@code pid_namespace}; null for none
     */
    void belongsTo(String name, @Nullable Map<String, @Nullable Object> owner) {
        owners.note(name, owner);
    }

    /** Drops what belongs to processes that have ended; for somebody to call now and then. */
    public void dropOrphans() {
        for (String name : owners.orphans()) {
            if (drop(name)) {
                log.info("Collection '{}' was freed: the process that owned it has ended", name);
            }
        }
    }

    private Collection make(CollectionSpec spec) {
        Scoring scoring = new Scoring(kernels, spec.metric(), spec.dimension());
        CollectionFiles files = null;
        if (spec.durable() && store != null) {
            try {
                files = store.create(spec.describe(random.nextLong()));
            } catch (IOException e) {
                throw storageFailed("Collection '%s' cannot be made".formatted(spec.name()), e);
            }
        }
        return Collection.create(spec, scoring, around, files);
    }

    private Collection open(StoreFolder folder, Path path, Descriptor descriptor) {
        CollectionSpec spec = CollectionSpec.of(descriptor);
        Scoring scoring = new Scoring(kernels, spec.metric(), spec.dimension());
        try {
            long started = System.nanoTime();
            CollectionLoader loader =
                    new CollectionLoader(
                            () -> new Table(scoring, spec.coded()),
                            CollectionFiles.graphSequence(folder.disk(), path, descriptor));
            CollectionFiles files = folder.open(path, descriptor, loader);
            Collection opened = Collection.open(spec, scoring, around, loader, files);
            long millis = (System.nanoTime() - started) / 1_000_000;
            opened.tookToOpen(millis);
            log.debug(
                    "Collection '{}' with {} vectors was opened in {} ms",
                    spec.name(),
                    opened.count(),
                    millis);
            return opened;
        } catch (IOException e) {
            throw storageFailed("Collection '%s' cannot be read".formatted(spec.name()), e);
        }
    }

    /**
     * The collection of this name; opens it if need be.
     *
     * @throws NeuralCoreException {@link ErrorCode#NOT_FOUND}, or {@link ErrorCode#DATA_DAMAGED} if
     *     it cannot be read
     */
    public Collection get(String name) {
        CollectionSlot slot = byName.get(name);
        if (slot == null) {
            throw notFound(name);
        }
        return slot.get();
    }

    /** Ends a collection once its running calls have ended; answers whether it was there. */
    public boolean drop(String name) {
        owners.forget(name);
        CollectionSlot slot = byName.remove(name);
        if (slot == null) {
            return false;
        }
        try {
            slot.close();
            if (store != null && slot.folder() != null) {
                store.drop(slot.folder());
            }
            return true;
        } catch (IOException e) {
            throw storageFailed("Collection '%s' cannot be deleted".formatted(name), e);
        }
    }

    /** Opens what is not open yet; what cannot be read is told when it is asked for. */
    public void openAll() {
        for (CollectionSlot slot : byName.values()) {
            try {
                slot.get();
            } catch (NeuralCoreException e) {
                log.error("Collection '{}': {}", slot.name(), e.getMessage());
            }
        }
    }

    /** Whether collections can be kept on disk. */
    public boolean canKeep() {
        return store != null;
    }

    /** All collections by name; opens them. One that cannot be read says why. */
    public List<CollectionInfo> list() {
        List<CollectionInfo> infos = new ArrayList<>();
        for (CollectionSlot slot : byName.values()) {
            infos.add(slot.info());
        }
        return infos;
    }

    /** Rows of all collections that are open. */
    public long rows() {
        return byName.values().stream().mapToLong(CollectionSlot::count).sum();
    }

    /** Memory that all collections take. */
    public long bytes() {
        return around.budget().used();
    }

    /** Ends all collections. What was acknowledged is on disk already. */
    @Override
    public void close() {
        for (CollectionSlot slot : byName.values()) {
            try {
                slot.close();
            } catch (IOException e) {
                log.warn("Collection '{}' was not closed: {}", slot.name(), e.toString());
            }
        }
    }

    /**
     * Refuses dimensions that vectors may not have.
     *
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

    private static NeuralCoreException storageFailed(String what, IOException reason) {
        return Disk.unwritable("%s: %s".formatted(what, reason), reason);
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
