package neuralcore.vectors;

import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * How much has room in an answer, and how much rows take of it. What is put must fit by itself, so
 * that it can be read back; several rows come page by page.
 *
 * @param rowBytes what one row may take
 * @param pageBytes what several may take together
 */
record AnswerRoom(long rowBytes, long pageBytes) {
    /** Left for the rest of an answer that has one row. */
    private static final int HEAD = 64 << 10;

    /** A page of a frame: small enough that a reader has something to do soon. */
    private static final int PAGES = 4;

    /** Brackets, quotes, commas and an integer of a row. */
    private static final int AROUND = 48;

    /** What a character that has no form of its own becomes in JSON. */
    private static final int ESCAPED = 6;

    /**
     * As a frame has it.
     *
     * @param frameBytes largest frame that clients take
     */
    static AnswerRoom of(long frameBytes) {
        return new AnswerRoom(Math.max(0, frameBytes - HEAD), frameBytes / PAGES);
    }

    /** What the row in a slot takes. */
    static long bytes(Columns columns, int slot, boolean withVector) {
        return bytes(
                columns.namespaceName(columns.namespace(slot)),
                columns.id(slot),
                columns.metadata(slot),
                columns.text(slot),
                withVector ? columns.rows().dimension() : 0);
    }

    private static long bytes(
            String namespace,
            Object id,
            byte @Nullable [] metadataJson,
            byte @Nullable [] text,
            int dimension) {
        return AROUND
                + (long) ESCAPED * namespace.length()
                + (id instanceof String name ? (long) ESCAPED * name.length() : 0)
                + (metadataJson == null ? 0 : metadataJson.length)
                + (text == null ? 0 : jsonLength(text))
                + (long) Float.BYTES * dimension;
    }

    /** How long a text of UTF-8 is in JSON, without its quotes. */
    private static long jsonLength(byte[] text) {
        long length = text.length;
        for (byte b : text) {
            if (b == '"' || b == '\\') {
                length++;
            } else if (b >= 0 && b < ' ') {
                length += ESCAPED - 1;
            }
        }
        return length;
    }

    /**
     * Refuses rows that could be put and never be read.
     *
     * @throws NeuralCoreException {@link ErrorCode#LIMIT_EXCEEDED} if one of them is too large,
     *     with its id
     */
    void check(neuralcore.vectors.store.Change.Put put, int dimension) {
        for (int i = 0; i < put.slots().length; i++) {
            Object id = put.ids().get(i);
            long bytes = bytes(put.namespace(), id, put.metadata()[i], put.texts()[i], dimension);
            if (bytes > rowBytes) {
                throw new NeuralCoreException(
                        ErrorCode.LIMIT_EXCEEDED,
                        "Row '%s' would take %d bytes of an answer, which has room for %d; %s."
                                .formatted(
                                        id,
                                        bytes,
                                        rowBytes,
                                        "shorten its text or metadata, or raise"
                                                + " bridge.max_binary_frame"));
            }
        }
    }
}
