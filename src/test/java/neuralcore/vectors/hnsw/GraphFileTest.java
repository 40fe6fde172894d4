package neuralcore.vectors.hnsw;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import neuralcore.vectors.Metric;
import neuralcore.vectors.VectorRows;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What is written is read again, and what is damaged is refused. */
class GraphFileTest {
    private static final int DIMENSION = 24;
    private static final int COUNT = 3_000;
    private static final float[] VECTORS = TestVectors.DUPLICATES.make(COUNT, DIMENSION, 1);

    private static IndexFixture fixture;
    private static byte[] written;

    @BeforeAll
    static void write() throws IOException {
        HnswConfig config = new HnswConfig(8, 20, 60, 40, 3, Traversal.INT8);
        fixture = new IndexFixture(DIMENSION, Metric.COSINE, config).with(VECTORS);
        for (int row = 0; row < COUNT; row += 5) {
            fixture.index.remove(row);
        }
        written = bytes(fixture.index);
    }

    private static byte[] bytes(HnswIndex index) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        index.writeTo(Channels.newChannel(out));
        return out.toByteArray();
    }

    private static HnswIndex read(byte[] bytes) throws IOException {
        return HnswIndex.readFrom(
                Channels.newChannel(new ByteArrayInputStream(bytes)), fixture.rows);
    }

    @Test
    void whatIsWrittenIsReadAgain() throws IOException {
        HnswIndex again = read(written);
        assertThat(again.config()).isEqualTo(fixture.index.config());
        assertThat(again.size()).isEqualTo(fixture.index.size());
        Found found = new Found();
        for (int query = 0; query < 300; query++) {
            again.search(VECTORS, query * DIMENSION, 10, 30, null, found);
            assertThat(fixture.search(VECTORS, query, 10, 30)).hasSize(found.count());
            for (int i = 0; i < found.count(); i++) {
                // Compiled code adds the lanes of a vector up in another order than the
                // interpreter.
                assertThat(found.score(i)).isCloseTo(fixture.found.score(i), within(1e-6f));
            }
            assertThat(found.visited()).isEqualTo(fixture.found.visited());
        }
        assertThat(bytes(again)).hasSameSizeAs(written);
    }

    @Test
    void anIndexThatWasReadGoesOn() throws IOException {
        HnswIndex again = read(written);
        for (int row = 0; row < COUNT; row++) {
            assertThat(again.remove(row)).isEqualTo(row % 5 != 0);
        }
        assertThat(again.size()).isZero();
        again.repair();
        assertThat(bytes(again).length).isLessThan(200);
    }

    @Test
    void anEmptyIndexIsReadAgain() throws IOException {
        HnswIndex empty =
                new HnswIndex(
                        new VectorRows(DIMENSION, Metric.COSINE, KernelProvider.kernels(), true),
                        HnswConfig.defaults());
        HnswIndex again = read(bytes(empty));
        assertThat(again.size()).isZero();
        again.add(0);
        assertThat(again.size()).isEqualTo(1);
    }

    @Test
    void everyFlippedBitIsFound() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            byte[] damaged = written.clone();
            int at = random.nextInt(damaged.length);
            damaged[at] ^= (byte) (1 << random.nextInt(8));
            assertThatThrownBy(() -> read(damaged))
                    .as("seed %d, byte %d", seed, at)
                    .isInstanceOfSatisfying(
                            NeuralCoreException.class,
                            e -> assertThat(e.code()).isEqualTo(ErrorCode.DATA_DAMAGED));
        }
    }

    @Test
    void cutsAndZerosAreFound() {
        for (int length = 0; length < written.length; length += 1 + length / 7) {
            byte[] cut = Arrays.copyOf(written, length);
            assertThatThrownBy(() -> read(cut)).isInstanceOf(NeuralCoreException.class);
            byte[] zeros = written.clone();
            Arrays.fill(zeros, length, Math.min(length + 512, zeros.length), (byte) 0);
            assertThatThrownBy(() -> read(zeros)).isInstanceOf(NeuralCoreException.class);
        }
    }

    /** A file with right checksums may still be a lie. */
    @Test
    void numbersThatCannotBeAreRefused() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        int head = ByteBuffer.wrap(written).order(ByteOrder.LITTLE_ENDIAN).getInt(0);
        int body = BlockWriter.PREFIX + head + BlockWriter.PREFIX;
        for (int round = 0; round < 2_000; round++) {
            byte[] forged = written.clone();
            ByteBuffer bytes = ByteBuffer.wrap(forged).order(ByteOrder.LITTLE_ENDIAN);
            boolean inHead = round % 2 == 0;
            int from = inHead ? BlockWriter.PREFIX : body;
            int length = inHead ? head : bytes.getInt(BlockWriter.PREFIX + head);
            int at = from + random.nextInt(length / 4) * 4;
            bytes.putInt(at, random.nextInt());
            CRC32C checksum = new CRC32C();
            checksum.update(forged, from, length);
            bytes.putInt(from - 4, (int) checksum.getValue());
            try {
                HnswIndex index = read(forged);
                // What passes for a graph must serve as one.
                Found found = new Found();
                index.search(VECTORS, 0, 10, 30, null, found);
            } catch (NeuralCoreException expected) {
                assertThat(expected.code()).as("seed %d", seed).isNotEqualTo(ErrorCode.INTERNAL);
            } catch (IOException | RuntimeException e) {
                throw new AssertionError("seed " + seed + ", byte " + at, e);
            }
        }
    }
}
