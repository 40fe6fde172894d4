package neuralcore.vectors.store;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Changes as bytes, little-endian:
 *
 * <pre>
 * u8 kind, u8[3] zero
 * put:    u32 n, u32 length of the namespace, namespace,
 *         n × i32 slot, n × i32 freed, n × i64 order, ids, metadata, texts, n × d × f32
 * delete: u32 n, n × i32 slot
 * ids:    n × i32 length (−1: an integer, 8 bytes), then their bytes
 * metadata, texts: n × i32 length (−1: none), then their bytes
 * </pre>
 *
 * Immutable, thread-safe. What is decoded has been checked by CRC, but every count is compared with
 * the bytes there are before anything is allocated.
 */
final class ChangeCodec {
    private static final byte PUT = 1;
    private static final byte DELETE = 2;

    private final int dimension;

    ChangeCodec(int dimension) {
        this.dimension = dimension;
    }

    /** A buffer from 0 to its limit, with this much room left in front. */
    ByteBuffer encode(int room, Change change) {
        return switch (change) {
            case Change.Put put -> encodePut(room, put);
            case Change.Delete delete -> {
                int[] slots = delete.slots();
                ByteBuffer out = allocate(room + 8L + 4L * slots.length);
                out.position(room).putInt(DELETE).putInt(slots.length);
                out.asIntBuffer().put(slots);
                yield out.rewind();
            }
        };
    }

    private ByteBuffer encodePut(int room, Change.Put put) {
        byte[] namespace = put.namespace().getBytes(StandardCharsets.UTF_8);
        int count = put.slots().length;
        List<byte @Nullable []> ids = new ArrayList<>(count);
        for (Object id : put.ids()) {
            ids.add(id instanceof String text ? text.getBytes(StandardCharsets.UTF_8) : null);
        }
        long size = room + 12L + namespace.length + 16L * count + 4L * put.vectors().length;
        size += 12L * count;
        for (int i = 0; i < count; i++) {
            byte[] id = ids.get(i);
            size += id == null ? 8 : id.length;
            size += length(put.metadata()[i]) + length(put.texts()[i]);
        }
        ByteBuffer out = allocate(size);
        out.position(room).putInt(PUT).putInt(count).putInt(namespace.length).put(namespace);
        out.asIntBuffer().put(put.slots()).put(put.freed());
        out.position(out.position() + 8 * count);
        out.asLongBuffer().put(put.orders());
        out.position(out.position() + 8 * count);
        for (byte[] id : ids) {
            out.putInt(id == null ? -1 : id.length);
        }
        for (int i = 0; i < count; i++) {
            byte[] id = ids.get(i);
            if (id == null) {
                out.putLong((Long) put.ids().get(i));
            } else {
                out.put(id);
            }
        }
        putAll(out, put.metadata());
        putAll(out, put.texts());
        out.asFloatBuffer().put(put.vectors());
        return out.rewind();
    }

    private static ByteBuffer allocate(long size) {
        return ByteBuffer.allocate(Math.toIntExact(size)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static int length(byte @Nullable [] bytes) {
        return bytes == null ? 0 : bytes.length;
    }

    private static void putAll(ByteBuffer out, byte[] @Nullable [] values) {
        for (byte[] value : values) {
            out.putInt(value == null ? -1 : value.length);
        }
        for (byte[] value : values) {
            if (value != null) {
                out.put(value);
            }
        }
    }

    /**
     * @throws IllegalArgumentException with what is wrong, if these are not the bytes of a change
     */
    Change decode(ByteBuffer in) {
        in.order(ByteOrder.LITTLE_ENDIAN);
        Bytes bytes = new Bytes(in);
        int kind = bytes.nextInt();
        Change change =
                switch (kind) {
                    case PUT -> decodePut(bytes);
                    case DELETE -> new Change.Delete(bytes.ints(bytes.count(4)));
                    default -> throw new IllegalArgumentException("no change has the kind " + kind);
                };
        bytes.expectEnd();
        return change;
    }

    private Change.Put decodePut(Bytes bytes) {
        int count = bytes.count(28 + 4 * dimension);
        String namespace = new String(bytes.bytes(bytes.nextInt()), StandardCharsets.UTF_8);
        int[] slots = bytes.ints(count);
        int[] freed = bytes.ints(count);
        long[] orders = bytes.longs(count);
        List<Object> ids = bytes.ids(count);
        byte[] @Nullable [] metadata = bytes.optionals(count);
        byte[] @Nullable [] texts = bytes.optionals(count);
        float[] vectors = bytes.floats(Math.multiplyExact(count, dimension));
        return new Change.Put(namespace, slots, freed, orders, ids, metadata, texts, vectors);
    }
}
