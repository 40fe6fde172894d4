package neuralcore.wire;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.FloatBuffer;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * An array attached to a request or a reply: a vector ({@code columns == 0}) or a matrix of {@code
 * rows × columns} in row order, little-endian.
 *
 * <p>The buffer is shared, not copied; whoever hands a tensor over no longer writes to it.
 *
 * @param type element type
 * @param rows first dimension, ≥ 0
 * @param columns second dimension, or 0 for a vector
 * @param data exactly the elements, position 0, little-endian
 */
public record Tensor(ElementType type, int rows, int columns, ByteBuffer data) {

    public Tensor {
        if (rows < 0 || columns < 0) {
            throw malformed("An attachment has dimensions " + rows + " × " + columns + ".");
        }
        data = data.slice().order(ByteOrder.LITTLE_ENDIAN);
        long expected = (long) rows * Math.max(1, columns) * type.size();
        if (type == ElementType.STRINGS
                ? data.remaining() < 4L * rows
                : data.remaining() != expected) {
            throw malformed(
                    "An attachment of %s %d × %d has %d bytes, expected %d."
                            .formatted(type, rows, columns, data.remaining(), expected));
        }
    }

    /** A float32 tensor of zeros, to be filled through {@link #floats()}. */
    public static Tensor ofFloats(int rows, int columns) {
        ByteBuffer data =
                ByteBuffer.allocate(
                        Math.multiplyExact(Math.multiplyExact(rows, Math.max(1, columns)), 4));
        return new Tensor(ElementType.FLOAT32, rows, columns, data);
    }

    /** A float32 vector with a copy of these values. */
    public static Tensor ofFloats(float[] values) {
        Tensor tensor = ofFloats(values.length, 0);
        tensor.floats().put(values);
        return tensor;
    }

    /** An int64 vector with a copy of these values. */
    public static Tensor ofLongs(long[] values) {
        ByteBuffer data = ByteBuffer.allocate(Math.multiplyExact(values.length, 8));
        data.order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().put(values);
        return new Tensor(ElementType.INT64, values.length, 0, data);
    }

    /** An int32 vector with a copy of these values. */
    public static Tensor ofInts(int[] values) {
        ByteBuffer data = ByteBuffer.allocate(Math.multiplyExact(values.length, 4));
        data.order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().put(values);
        return new Tensor(ElementType.INT32, values.length, 0, data);
    }

    public static Tensor ofStrings(List<String> strings) {
        List<byte[]> encoded = new ArrayList<>(strings.size());
        int total = Math.multiplyExact(strings.size(), 4);
        for (String string : strings) {
            byte[] bytes = string.getBytes(StandardCharsets.UTF_8);
            encoded.add(bytes);
            total = Math.addExact(total, bytes.length);
        }
        ByteBuffer data = ByteBuffer.allocate(total).order(ByteOrder.LITTLE_ENDIAN);
        encoded.forEach(bytes -> data.putInt(bytes.length));
        encoded.forEach(data::put);
        return new Tensor(ElementType.STRINGS, strings.size(), 0, data.flip());
    }

    /** The elements of a float32 tensor, row after row, as a view. */
    public FloatBuffer floats() {
        return expect(ElementType.FLOAT32).asFloatBuffer();
    }

    /** A copy of the elements of a float32 tensor, row after row. */
    public float[] toFloatArray() {
        FloatBuffer view = floats();
        float[] values = new float[view.remaining()];
        view.get(values);
        return values;
    }

    /** A copy of the elements of an int64 tensor. */
    public long[] toLongArray() {
        var view = expect(ElementType.INT64).asLongBuffer();
        long[] values = new long[view.remaining()];
        view.get(values);
        return values;
    }

    /** A copy of the elements of an int32 tensor. */
    public int[] toIntArray() {
        var view = expect(ElementType.INT32).asIntBuffer();
        int[] values = new int[view.remaining()];
        view.get(values);
        return values;
    }

    /** The strings of a {@link ElementType#STRINGS} tensor; invalid UTF-8 becomes U+FFFD. */
    public List<String> toStrings() {
        ByteBuffer bytes = expect(ElementType.STRINGS);
        var decoder =
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPLACE)
                        .onUnmappableCharacter(CodingErrorAction.REPLACE);
        List<String> strings = new ArrayList<>(rows);
        int start = 4 * rows;
        for (int i = 0; i < rows; i++) {
            int length = bytes.getInt(4 * i);
            if (length < 0 || length > bytes.limit() - start) {
                throw malformed(
                        "String %d of an attachment claims %d bytes, %d are left."
                                .formatted(i, length, bytes.limit() - start));
            }
            try {
                CharBuffer decoded = decoder.decode(bytes.slice(start, length));
                strings.add(decoded.toString());
            } catch (java.nio.charset.CharacterCodingException e) {
                throw new AssertionError("the decoder replaces what it cannot decode", e);
            }
            start += length;
        }
        if (start != bytes.limit()) {
            throw malformed(
                    (bytes.limit() - start) + " bytes follow the strings of an attachment.");
        }
        return strings;
    }

    private ByteBuffer expect(ElementType expected) {
        if (type != expected) {
            throw NeuralCoreException.invalid(
                    "An attachment holds " + type + " where " + expected + " is needed.");
        }
        return data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    private static NeuralCoreException malformed(String message) {
        return new NeuralCoreException(ErrorCode.MALFORMED_FRAME, message);
    }
}
