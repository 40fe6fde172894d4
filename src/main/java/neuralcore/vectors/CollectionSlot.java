package neuralcore.vectors;

import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Supplier;
import neuralcore.vectors.store.Descriptor;
import neuralcore.vectors.store.StoreFolder;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * The place of one collection: opened by the first who asks, while the others wait. One that cannot
 * be opened answers everybody with the reason. Thread-safe.
 */
final class CollectionSlot {
    /** Reads a collection that is on disk. */
    interface Opener {
        Collection open(StoreFolder store, Path folder, Descriptor descriptor);
    }

    private final String name;
    private final @Nullable Path folder;
    private @Nullable Supplier<Collection> opener;
    private @Nullable NeuralCoreException refusal;
    private volatile @Nullable Collection open;

    CollectionSlot(String name, Supplier<Collection> opener) {
        this(name, null, opener, null);
    }

    private CollectionSlot(
            String name,
            @Nullable Path folder,
            @Nullable Supplier<Collection> opener,
            @Nullable NeuralCoreException refusal) {
        this.name = name;
        this.folder = folder;
        this.opener = opener;
        this.refusal = refusal;
    }

    /** The collection in a folder; if not even its name can be read, the folder's stands for it. */
    static CollectionSlot find(StoreFolder store, Path folder, Opener opener) throws IOException {
        try {
            Descriptor descriptor = Descriptor.read(folder);
            return new CollectionSlot(
                    descriptor.name(), folder, () -> opener.open(store, folder, descriptor), null);
        } catch (NeuralCoreException e) {
            return new CollectionSlot(String.valueOf(folder.getFileName()), folder, null, e);
        }
    }

    String name() {
        return name;
    }

    /** Its files, or null if it has none. */
    @Nullable Path folder() {
        Collection collection = open;
        if (collection != null && collection.files() != null) {
            return collection.files().folder();
        }
        return folder;
    }

    Collection get() {
        Collection collection = open;
        return collection != null ? collection : opened();
    }

    private synchronized Collection opened() {
        Collection collection = open;
        if (collection != null) {
            return collection;
        }
        if (refusal != null) {
            throw refusal;
        }
        if (opener == null) {
            throw Collections.notFound(name);
        }
        try {
            collection = opener.get();
            open = collection;
            return collection;
        } catch (NeuralCoreException e) {
            refusal = e;
            throw e;
        }
    }

    /** What is known without opening it. */
    int count() {
        Collection collection = open;
        return collection == null ? 0 : collection.count();
    }

    CollectionInfo info() {
        try {
            return get().info();
        } catch (NeuralCoreException e) {
            return CollectionInfo.unreadable(name, String.valueOf(e.getMessage()));
        }
    }

    /** Ends the collection; it cannot be opened again from here. */
    synchronized void close() throws IOException {
        opener = null;
        Collection collection = open;
        if (collection != null) {
            collection.close();
        }
    }
}
