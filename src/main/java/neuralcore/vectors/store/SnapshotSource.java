package neuralcore.vectors.store;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Rows as a snapshot takes them, some at a time. They may change between the calls: every change
 * after {@link Head#sequence} is in the log and is made again when the snapshot is read.
 */
public interface SnapshotSource {

    /**
     * The state that the snapshot begins from.
     *
     * @param sequence of the last change that all rows have seen
     * @param slots slots 0 … slots − 1 are written
     * @param nextOrder for the next new id
     */
    record Head(long sequence, int slots, long nextOrder) {}

    /**
     * Slots one after the other; those whose id is null are free.
     *
     * @param ids a {@link String} or a {@link Long} each
     */
    @SuppressWarnings("ArrayRecordComponent") // a carrier, never compared
    record Block(
            @Nullable Object[] ids,
            int[] namespaces,
            long[] orders,
            byte[] @Nullable [] metadata,
            byte[] @Nullable [] texts) {}

    Head head();

    /** Names by number; asked for after all rows, and has the numbers of all of them. */
    List<String> namespaces();

    Block rows(int from, int to);

    /** The vectors of these slots, row after row. */
    float[] vectors(int from, int to);
}
