package neuralcore.vectors.store;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads little-endian values; a count or length that the bytes left cannot hold is an {@link
 * IllegalArgumentException} before anything is allocated for it.
 */
final class Bytes {
    private final ByteBuffer in;

    Bytes(ByteBuffer in) {
        this.in = in.order(ByteOrder.LITTLE_ENDIAN);
    }

    int nextInt() {
        need(4);
        return in.getInt();
    }

    long nextLong() {
        need(8);
        return in.getLong();
    }

    /** A count of things that take at least so many bytes each. */
    int count(int leastBytes) {
        int count = nextInt();
        if (count < 0 || (long) count * leastBytes > in.remaining()) {
            throw new IllegalArgumentException(
                    "a count of %d, with %d bytes left".formatted(count, in.remaining()));
        }
        return count;
    }

    byte[] bytes(int length) {
        need(length);
        byte[] bytes = new byte[length];
        in.get(bytes);
        return bytes;
    }

    int[] ints(int count) {
        need(4L * count);
        int[] values = new int[count];
        in.asIntBuffer().get(values);
        in.position(in.position() + 4 * count);
        return values;
    }

    long[] longs(int count) {
        need(8L * count);
        long[] values = new long[count];
        in.asLongBuffer().get(values);
        in.position(in.position() + 8 * count);
        return values;
    }

    float[] floats(int count) {
        need(4L * count);
        float[] values = new float[count];
        in.asFloatBuffer().get(values);
        in.position(in.position() + 4 * count);
        return values;
    }

    List<Object> ids(int count) {
        int[] lengths = ints(count);
        List<Object> ids = new ArrayList<>(count);
        for (int length : lengths) {
            if (length == -1) {
                ids.add(nextLong());
            } else {
                need(length);
                ids.add(text(length));
            }
        }
        return ids;
    }

    private String text(int length) {
        if (in.hasArray()) {
            int at = in.arrayOffset() + in.position();
            in.position(in.position() + length);
            return new String(in.array(), at, length, StandardCharsets.UTF_8);
        }
        return new String(bytes(length), StandardCharsets.UTF_8);
    }

    /** Values of which −1 as a length means none. */
    byte[] @Nullable [] optionals(int count) {
        int[] lengths = ints(count);
        byte[] @Nullable [] values = new byte[count] @Nullable [];
        for (int i = 0; i < count; i++) {
            if (lengths[i] != -1) {
                values[i] = bytes(lengths[i]);
            }
        }
        return values;
    }

    void expectEnd() {
        if (in.hasRemaining()) {
            throw new IllegalArgumentException(in.remaining() + " bytes follow the last value");
        }
    }

    private void need(long length) {
        if (length < 0 || length > in.remaining()) {
            throw new IllegalArgumentException(
                    "%d bytes are needed, %d are left".formatted(length, in.remaining()));
        }
    }
}
