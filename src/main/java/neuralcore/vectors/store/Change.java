package neuralcore.vectors.store;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What happens to the rows of a collection, by slot: doing it a second time changes nothing, and of
 * a slot only the last change counts. That is what lets a snapshot be written while rows change.
 */
public sealed interface Change {

    /**
     * Rows are put into slots.
     *
     * @param slots where, one a row, all different
     * @param freed the slot in which the id's old row stood, −1 where there was none
     * @param orders when each id was first put
     * @param ids a {@link String} or a {@link Long} each
     * @param metadata JSON in UTF-8, null for a row without
     * @param texts UTF-8, null for a row without
     * @param vectors row after row
     */
    @SuppressWarnings("ArrayRecordComponent") // a carrier, never compared
    record Put(
            String namespace,
            int[] slots,
            int[] freed,
            long[] orders,
            List<Object> ids,
            byte[] @Nullable [] metadata,
            byte[] @Nullable [] texts,
            float[] vectors)
            implements Change {}

    /** Rows are taken away. */
    @SuppressWarnings("ArrayRecordComponent")
    record Delete(int[] slots) implements Change {}
}
