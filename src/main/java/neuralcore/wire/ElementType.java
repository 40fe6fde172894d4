package neuralcore.wire;

/** What a {@link Tensor} holds; {@link #code()} is its byte on the wire. */
public enum ElementType {
    FLOAT32(1, 4),
    INT8(2, 1),
    INT32(3, 4),
    INT64(4, 8),
    /** Opaque bytes. */
    BYTES(5, 1),
    /** {@code dim0} strings: their lengths in bytes as u32 each, then their UTF-8 bytes. */
    STRINGS(6, 0);

    private final int code;
    private final int size;

    ElementType(int code, int size) {
        this.code = code;
        this.size = size;
    }

    public int code() {
        return code;
    }

    /** Bytes an element takes; 0 for {@link #STRINGS}, whose elements differ. */
    public int size() {
        return size;
    }

    static ElementType ofCode(int code) {
        for (ElementType type : values()) {
            if (type.code == code) {
                return type;
            }
        }
        throw new NeuralCoreException(
                ErrorCode.MALFORMED_FRAME, "Unknown element type " + code + " of an attachment.");
    }
}
