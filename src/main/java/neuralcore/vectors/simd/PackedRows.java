package neuralcore.vectors.simd;

/**
 * Rows in panels of {@code width}: element k of the panel's rows stands together, then element k +
 * 1. The last panel is filled up with zeros. Only the kernels that packed it can read it.
 *
 * @param data the panels one after the other
 * @param count rows packed
 * @param width rows in a panel
 * @param length elements in a row
 */
@SuppressWarnings("ArrayRecordComponent") // shared on purpose, never compared
public record PackedRows(float[] data, int count, int width, int length) {

    /** Rows including those the last panel was filled up with. */
    public int stride() {
        return panels() * width;
    }

    /** Panels in {@code data}. */
    public int panels() {
        return (count + width - 1) / width;
    }

    /** Packs {@code count} rows that stand one after the other from {@code offset}. */
    public static PackedRows of(float[] rows, int offset, int count, int width, int length) {
        int panels = (count + width - 1) / width;
        float[] data = new float[Math.multiplyExact(Math.multiplyExact(panels, width), length)];
        for (int i = 0; i < count; i++) {
            int from = offset + i * length;
            int to = i / width * width * length + i % width;
            for (int k = 0; k < length; k++) {
                data[to + k * width] = rows[from + k];
            }
        }
        return new PackedRows(data, count, width, length);
    }
}
