package neuralcore.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdOutputStreamNoFinalizer;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import net.jpountz.lz4.LZ4FrameInputStream;
import net.jpountz.lz4.LZ4FrameOutputStream;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CompressionTest {
    private static final int LIMIT = 16 << 20;
    private static final Path SHIPPED =
            Path.of("src/main/resources/neuralcore/relay/messages.zdict");

    private final Packing packing = new Packing(LIMIT, List.of());

    @AfterEach
    void close() {
        packing.close();
    }

    @ParameterizedTest
    @EnumSource(Compression.class)
    void whatIsPackedIsUnpackedTheSame(Compression compression) {
        SplittableRandom random = new SplittableRandom(7);
        for (int length : new int[] {0, 1, 2, 15, 200, 65_535, 65_536, 65_537, 1 << 20}) {
            byte[] noise = new byte[length];
            random.nextBytes(noise);
            byte[] even = new byte[length];
            for (int i = 0; i < length; i++) {
                even[i] = (byte) (i % 5 == 0 ? noise[i] : i % 5);
                noise[i] |= (byte) (i == 0 ? 0x80 : 0); // As no packed message begins.
            }
            assertThat(packing.unpack(packing.pack(noise, compression))).isEqualTo(noise);
            assertThat(packing.unpack(packing.pack(even, compression))).isEqualTo(even);
        }
    }

    @Test
    void halfOfShortAndOfLongMessagesIsSavedByZstd() throws Exception {
        AtlasLike others = new AtlasLike(99, List.of(Path.of("docs/operations.md")));
        try (RelayCodec codec = new RelayCodec("n", LIMIT, List.of())) {
            for (Serializer serializer : Serializer.values()) {
                for (int length : new int[] {200, 2_048}) {
                    long plain = 0;
                    long sent = 0;
                    for (int i = 0; i < 500; i++) {
                        RelayCodec.Packed packed =
                                codec.encode(others.next(length), serializer, Compression.ZSTD);
                        plain += packed.plainLength();
                        sent += packed.bytes().length;
                    }
                    assertThat(1 - (double) sent / plain)
                            .as("%s, %d characters", serializer, length)
                            .isGreaterThan(0.5);
                }
            }
        }
    }

    /** Learns the dictionary anew on request; what is learnt from is not what is measured. */
    @Test
    void theShippedDictionaryIsTheOneOfTheFile() throws Exception {
        if (Boolean.getBoolean("neuralcore.renew")) {
            Files.createDirectories(SHIPPED.getParent());
            Files.write(SHIPPED, ZstdDictionary.train(samples(), 64 << 10));
        }

        byte[] shipped = Files.readAllBytes(SHIPPED);

        assertThat(shipped.length).isLessThanOrEqualTo(64 << 10);
        assertThat(ZstdDictionary.standard().id()).isEqualTo(Zstd.getDictIdFromDict(shipped));
        assertThat(Zstd.getDictIdFromFrame(packing.pack(new byte[64], Compression.ZSTD)))
                .isEqualTo(ZstdDictionary.standard().id());
    }

    private static List<byte[]> samples() throws Exception {
        List<Path> texts;
        try (Stream<Path> files = Files.list(Path.of("docs"))) {
            texts =
                    files.filter(file -> file.toString().endsWith(".md"))
                            .filter(file -> !file.endsWith("operations.md"))
                            .sorted()
                            .toList();
        }
        AtlasLike messages = new AtlasLike(1, texts);
        List<byte[]> samples = new ArrayList<>();
        try (RelayCodec codec = new RelayCodec("0123456789abcdef", LIMIT, List.of())) {
            for (int i = 0; i < 30_000; i++) {
                Serializer serializer = i % 2 == 0 ? Serializer.NCB : Serializer.JSON;
                int length = i % 4 < 3 ? 200 : 1_000;
                samples.add(
                        codec.encode(messages.next(length), serializer, Compression.NONE).bytes());
            }
        }
        return samples;
    }

    @Test
    void aDictionaryOfOnesOwnIsLearntAndNamedByItsMessages(@TempDir Path folder) throws Exception {
        List<byte[]> samples = new ArrayList<>();
        for (int i = 0; i < 3_000; i++) {
            samples.add(
                    ("{\"payload\":{\"sensor\":\"north-%d\",\"celsius\":%d.5},\"meta\":{}}"
                                    .formatted(i % 17, i % 40))
                            .getBytes());
        }
        byte[] learnt = ZstdDictionary.train(samples, 4_096);
        Path file = Files.write(folder.resolve("own.zdict"), learnt);
        ZstdDictionary own = ZstdDictionary.of(file);

        try (Packing with = new Packing(LIMIT, List.of(own));
                Packing both = new Packing(LIMIT, List.of(ZstdDictionary.standard(), own))) {
            byte[] packed = with.pack(samples.get(5), Compression.ZSTD);

            assertThat(Zstd.getDictIdFromFrame(packed)).isEqualTo(own.id());
            assertThat(packed.length)
                    .isLessThan(packing.pack(samples.get(5), Compression.ZSTD).length);
            assertThat(both.unpack(packed)).isEqualTo(samples.get(5));
            assertThatThrownBy(() -> packing.unpack(packed))
                    .isInstanceOf(NeuralCoreException.class)
                    .hasMessageContaining("dictionary " + own.id());
        }
        Files.write(file, new byte[100]);
        assertThatThrownBy(() -> ZstdDictionary.of(file)).isInstanceOf(NeuralCoreException.class);
        assertThatThrownBy(() -> ZstdDictionary.train(samples.subList(0, 2), 4_096))
                .isInstanceOf(NeuralCoreException.class);
    }

    @Test
    void othersReadLz4FramesAndTheirsAreRead() throws Exception {
        byte[] message = varied(400_000);
        try (var in =
                new LZ4FrameInputStream(
                        new java.io.ByteArrayInputStream(packing.pack(message, Compression.LZ4)))) {
            assertThat(in.readAllBytes()).isEqualTo(message);
        }
        for (LZ4FrameOutputStream.BLOCKSIZE size : LZ4FrameOutputStream.BLOCKSIZE.values()) {
            ByteArrayOutputStream theirs = new ByteArrayOutputStream();
            try (var out =
                    new LZ4FrameOutputStream(
                            theirs,
                            size,
                            LZ4FrameOutputStream.FLG.Bits.BLOCK_INDEPENDENCE,
                            LZ4FrameOutputStream.FLG.Bits.BLOCK_CHECKSUM,
                            LZ4FrameOutputStream.FLG.Bits.CONTENT_CHECKSUM)) {
                out.write(message);
            }
            assertThat(packing.unpack(theirs.toByteArray())).isEqualTo(message);
        }
    }

    @Test
    void aStreamOfZstdThatDoesNotSayItsLengthIsRead() throws Exception {
        byte[] message = "{\"payload\": \"ab\"}".repeat(500).getBytes();
        ByteArrayOutputStream theirs = new ByteArrayOutputStream();
        try (var out = new ZstdOutputStreamNoFinalizer(theirs)) {
            out.write(message);
        }

        assertThat(Zstd.getFrameContentSize(theirs.toByteArray())).isNotPositive();
        assertThat(packing.unpack(theirs.toByteArray())).isEqualTo(message);
    }

    @ParameterizedTest
    @EnumSource(names = {"ZLIB", "LZ4", "ZSTD"})
    void whatUnpacksToTooMuchIsRefused(Compression compression) {
        byte[] bomb = packing.pack(new byte[64 << 20], compression);
        assertThat(bomb.length).isLessThan(1 << 20);
        assertRefused(bomb);
        if (compression != Compression.LZ4) { // That cannot pack anything so well.
            assertRefused(packing.pack(new byte[8 << 20], compression));
        }
        try (Packing narrow = new Packing(1_000, List.of())) {
            byte[] packed = packing.pack(new byte[1_001], compression);
            assertThatThrownBy(() -> narrow.unpack(packed)).isInstanceOf(NeuralCoreException.class);
            assertThat(narrow.unpack(packing.pack(new byte[1_000], compression))).hasSize(1_000);
        }
    }

    @Test
    void aBombThatHidesItsLengthIsRefused() throws Exception {
        ByteArrayOutputStream zstd = new ByteArrayOutputStream();
        try (var out = new ZstdOutputStreamNoFinalizer(zstd)) {
            out.write(new byte[64 << 20]);
        }
        assertRefused(zstd.toByteArray());
        ByteArrayOutputStream lz4 = new ByteArrayOutputStream();
        try (var out = new LZ4FrameOutputStream(lz4)) {
            out.write(new byte[64 << 20]);
        }
        assertRefused(lz4.toByteArray());
        // The second of two frames is what is too much.
        byte[] first = Zstd.compress(new byte[10]);
        byte[] second = Zstd.compress(new byte[32 << 20]);
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        assertRefused(both);
    }

    @Test
    void aWindowOfManyMegabytesIsNotTaken() throws Exception {
        try (ZstdCompressCtx wide = new ZstdCompressCtx()) {
            wide.setWindowLog(27).setContentSize(false);
            byte[] packed = wide.compress(new byte[100]);
            ByteArrayOutputStream streamed = new ByteArrayOutputStream();
            try (var out = new ZstdOutputStreamNoFinalizer(streamed).setLong(27)) {
                out.write(new byte[100]);
                out.flush();
                out.write(new byte[100]);
            }
            assertRefused(streamed.toByteArray());
            assertThat(packed).isNotEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "28b52ffd00",
                "28b52ffde0ffffffffffffff7f", // claims 2^63 bytes
                "28b52ffda00000008000", // claims 2 GiB
                "28b52ffd63ffffffff0000", // a dictionary that is not there
                "04224d1800000000",
                "04224d1868400000000000000080ffffffff", // claims 2^63 bytes
                "04224d1840400000", // blocks that lean on each other
                "04224d1860700000ffffff7f", // a block of 2 GiB
                "04224d18614000000000000000", // a dictionary
                "78da00",
                "78bb00000000"
            })
    void damagedFramesAreRefused(String hex) {
        assertRefused(HexFormat.of().parseHex(hex));
    }

    @Test
    void aFrameOfLz4WhoseBlockEndsTooSoonIsRefused() {
        byte[] packed = packing.pack(new byte[500], Compression.LZ4);
        ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN).putInt(15, 1 << 20);
        assertRefused(packed);
    }

    /** Packs to about a fifth. */
    private static byte[] varied(int length) {
        SplittableRandom random = new SplittableRandom(3);
        byte[] message = new byte[length];
        for (int i = 0; i < length; i++) {
            message[i] = (byte) (i % 16 < 14 ? 'a' + i % 16 : random.nextInt());
        }
        return message;
    }

    private void assertRefused(byte[] data) {
        assertThatThrownBy(() -> packing.unpack(data)).isInstanceOf(NeuralCoreException.class);
    }
}
