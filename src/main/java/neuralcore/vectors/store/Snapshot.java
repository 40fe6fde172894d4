package neuralcore.vectors.store;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * All rows of a collection as a {@link BlockFile}:
 *
 * <pre>
 * "vectors": slots × dimension × f32, from a multiple of 4,096 on; a free slot holds anything
 * "rows":    by slot: u8 1 if it is in use, and then i32 namespace, i64 order, id, metadata, text;
 *            an id is i32 length and UTF-8, or −1 and i64; metadata (JSON) and text are i32 length
 *            and UTF-8, or −1 where there is none
 * </pre>
 *
 * <p>The description says where both begin and end, and what {@link SnapshotSource.Head} has. The
 * vectors are read where they lie. Thread-safe.
 */
public final class Snapshot implements AutoCloseable {
    static final String SUFFIX = ".snapshot";
    private static final int PAGE = 4_096;
    private static final int BLOCK_SLOTS = 1_024;

    /** Takes the rows that are in use. */
    public interface RowSink {
        void row(
                int slot,
                int namespace,
                long order,
                Object id,
                byte @Nullable [] metadata,
                byte @Nullable [] text);
    }

    private final BlockFile file;
    private final int dimension;
    private final SnapshotSource.Head head;
    private final List<String> namespaces;
    private final long vectorsAt;
    private final long rowsAt;
    private final long rowsEnd;

    private Snapshot(
            BlockFile file,
            int dimension,
            SnapshotSource.Head head,
            List<String> namespaces,
            long vectorsAt,
            long rowsAt,
            long rowsEnd) {
        this.file = file;
        this.dimension = dimension;
        this.head = head;
        this.namespaces = namespaces;
        this.vectorsAt = vectorsAt;
        this.rowsAt = rowsAt;
        this.rowsEnd = rowsEnd;
    }

    static Path path(Path folder, long sequence) {
        return folder.resolve("%016x%s".formatted(sequence, SUFFIX));
    }

    /** Writes a snapshot and reads all of it back; when this returns, it lasts. */
    static Path write(Disk disk, Path folder, Descriptor descriptor, SnapshotSource source)
            throws IOException {
        SnapshotSource.Head head = source.head();
        Path path = path(folder, head.sequence());
        try (BlockFileWriter writer = new BlockFileWriter(disk, path)) {
            writer.align(PAGE);
            long vectorsAt = writer.position();
            for (int from = 0; from < head.slots(); from += BLOCK_SLOTS) {
                int to = Math.min(head.slots(), from + BLOCK_SLOTS);
                writer.write(source.vectors(from, to), 0, (to - from) * descriptor.dimension());
            }
            long rowsAt = writer.position();
            for (int from = 0; from < head.slots(); from += BLOCK_SLOTS) {
                int to = Math.min(head.slots(), from + BLOCK_SLOTS);
                writeRows(writer, source.rows(from, to), to - from);
            }
            Map<String, @Nullable Object> description = new LinkedHashMap<>();
            description.put("kind", "snapshot");
            description.put("number", descriptor.number());
            description.put("dimension", descriptor.dimension());
            description.put("sequence", head.sequence());
            description.put("slots", head.slots());
            description.put("next_order", head.nextOrder());
            description.put("namespaces", source.namespaces());
            description.put("vectors_at", vectorsAt);
            description.put("rows_at", rowsAt);
            description.put("rows_end", writer.position());
            writer.finish(description);
        }
        try (BlockFile written = BlockFile.open(path)) {
            written.verifyAll();
        }
        return path;
    }

    private static void writeRows(BlockFileWriter writer, SnapshotSource.Block block, int count)
            throws IOException {
        for (int i = 0; i < count; i++) {
            Object id = block.ids()[i];
            if (id == null) {
                writer.writeByte((byte) 0);
                continue;
            }
            writer.writeByte((byte) 1);
            writer.writeInt(block.namespaces()[i]);
            writer.writeLong(block.orders()[i]);
            if (id instanceof Long number) {
                writer.writeInt(-1);
                writer.writeLong(number);
            } else {
                write(writer, ((String) id).getBytes(StandardCharsets.UTF_8));
            }
            write(writer, block.metadata()[i]);
            write(writer, block.texts()[i]);
        }
    }

    private static void write(BlockFileWriter writer, byte @Nullable [] bytes) throws IOException {
        writer.writeInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) {
            writer.write(bytes);
        }
    }

    /**
     * Opens a snapshot; its vectors are checked when they are looked at.
     *
     * @throws NeuralCoreException {@code DATA_DAMAGED} if it is not as it was written
     */
    static Snapshot open(Path path, Descriptor descriptor) throws IOException {
        BlockFile file = BlockFile.open(path);
        try {
            return read(file, descriptor);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static Snapshot read(BlockFile file, Descriptor descriptor) {
        Params description = file.description();
        int dimension = descriptor.dimension();
        if (!"snapshot".equals(description.optionalString("kind"))
                || description.integer("number") != descriptor.number()
                || description.integer("dimension") != dimension) {
            throw Damage.at(file.path(), 0, "it is not a snapshot of this collection");
        }
        int slots = (int) description.integer("slots");
        long vectorsAt = description.integer("vectors_at");
        long rowsAt = description.integer("rows_at");
        long rowsEnd = description.integer("rows_end");
        if (slots < 0
                || vectorsAt < 0
                || rowsAt != vectorsAt + 4L * dimension * slots
                || rowsEnd < rowsAt + slots
                || rowsEnd > file.bytes()) {
            throw Damage.at(file.path(), file.bytes(), "its description does not fit its length");
        }
        SnapshotSource.Head head =
                new SnapshotSource.Head(
                        description.integer("sequence"), slots, description.integer("next_order"));
        List<String> namespaces = List.copyOf(description.strings("namespaces"));
        return new Snapshot(file, dimension, head, namespaces, vectorsAt, rowsAt, rowsEnd);
    }

    public SnapshotSource.Head head() {
        return head;
    }

    /** Names by number. */
    public List<String> namespaces() {
        return namespaces;
    }

    public BlockFile file() {
        return file;
    }

    /** Where in the file the vector of slot 0 begins. */
    public long vectorsAt() {
        return vectorsAt;
    }

    /** Checks and hands over all rows in use. */
    public void forEach(RowSink sink) {
        Window bytes = new Window(file, rowsAt, rowsEnd);
        for (int slot = 0; slot < head.slots(); slot++) {
            if (bytes.nextByte() == 0) {
                continue;
            }
            int namespace = bytes.nextInt();
            if (namespace < 0 || namespace >= namespaces.size()) {
                throw Damage.at(file.path(), bytes.position(), "namespace " + namespace);
            }
            long order = bytes.nextLong();
            int length = bytes.nextInt();
            Object id =
                    length == -1
                            ? (Object) bytes.nextLong()
                            : new String(bytes.next(length), StandardCharsets.UTF_8);
            sink.row(slot, namespace, order, id, optional(bytes), optional(bytes));
        }
    }

    private static byte @Nullable [] optional(Window bytes) {
        int length = bytes.nextInt();
        return length == -1 ? null : bytes.next(length);
    }

    /** Checks all vectors; they lie in the file, row after row, as long as this is open. */
    public MemorySegment vectors() {
        if (head.slots() > 0) {
            file.verify(vectorsAt, rowsAt);
        }
        return file.data().asSlice(vectorsAt, rowsAt - vectorsAt);
    }

    /** Checks and copies the vectors of some slots. */
    public void vectors(int from, int to, float[] into) {
        ByteBuffer bytes =
                file.read(vectorsAt + 4L * dimension * from, 4L * dimension * (to - from));
        bytes.asFloatBuffer().get(into, 0, (to - from) * dimension);
    }

    @Override
    public void close() {
        file.close();
    }

    /** Walks over bytes of a file that may be longer than a buffer can be. */
    private static final class Window {
        private static final int STEP = 1 << 24;

        private final BlockFile file;
        private final long end;
        private long start;
        private ByteBuffer buffer = ByteBuffer.allocate(0);

        Window(BlockFile file, long start, long end) {
            this.file = file;
            this.start = start;
            this.end = end;
        }

        long position() {
            return start + buffer.position();
        }

        private ByteBuffer need(int bytes) {
            if (buffer.remaining() < bytes) {
                start = position();
                if (bytes < 0 || bytes > end - start) {
                    throw Damage.at(file.path(), start, "%d bytes are named".formatted(bytes));
                }
                buffer = file.read(start, Math.min(end - start, Math.max(bytes, STEP)));
            }
            return buffer;
        }

        byte nextByte() {
            return need(1).get();
        }

        int nextInt() {
            return need(4).getInt();
        }

        long nextLong() {
            return need(8).getLong();
        }

        byte[] next(int length) {
            if (length < 0) {
                throw Damage.at(file.path(), position(), "a length of %d".formatted(length));
            }
            ByteBuffer from = need(length);
            byte[] bytes = new byte[length];
            from.get(bytes);
            return bytes;
        }
    }
}
