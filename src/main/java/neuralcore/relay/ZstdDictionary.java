package neuralcore.relay;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdDictCompress;
import com.github.luben.zstd.ZstdDictDecompress;
import com.github.luben.zstd.ZstdException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * What messages have in common, learnt from many of them, so that even a short one packs well: both
 * ends hold it, and a packed message names it by its number.
 *
 * <p>One comes with this program, {@link #standard}, learnt from messages as ATLAS's bus carries
 * them. Immutable and thread-safe.
 */
public final class ZstdDictionary {
    /** Of what is longer, the words repeat within the message itself. */
    static final int LARGEST_MESSAGE = 64 << 10;

    static final int LEVEL = 3;

    private static final String STANDARD = "messages.zdict";
    private static final int LARGEST = 1 << 20;

    /** Loaded when first asked for: it needs the native library. */
    private static final class Holder {
        private static final ZstdDictionary STANDARD_DICTIONARY = shipped();
    }

    private final long id;
    private final ZstdDictCompress packing;
    private final ZstdDictDecompress unpacking;

    /**
     * @param bytes as zstd's own tools write them
     * @throws NeuralCoreException {@code INVALID_REQUEST} if they are no dictionary
     */
    public ZstdDictionary(byte[] bytes) {
        this.id = Zstd.getDictIdFromDict(bytes);
        if (id == 0) {
            throw NeuralCoreException.invalid(
                    "These %d bytes are no dictionary of zstd with a number."
                            .formatted(bytes.length));
        }
        this.packing = new ZstdDictCompress(bytes, LEVEL);
        this.unpacking = new ZstdDictDecompress(bytes);
    }

    /** The one that comes with this program. */
    public static ZstdDictionary standard() {
        return Holder.STANDARD_DICTIONARY;
    }

    private static ZstdDictionary shipped() {
        try (InputStream in = ZstdDictionary.class.getResourceAsStream(STANDARD)) {
            if (in == null) {
                throw new IllegalStateException("the jar lacks " + STANDARD);
            }
            return new ZstdDictionary(in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(STANDARD + " cannot be read", e);
        }
    }

    /**
     * @throws NeuralCoreException {@code CONFIG_INVALID} if there is none in the file
     */
    public static ZstdDictionary of(Path file) {
        try {
            long size = Files.size(file);
            if (size > LARGEST) {
                throw NeuralCoreException.invalid(
                        "It has %d bytes; a dictionary has at most %d.".formatted(size, LARGEST));
            }
            return new ZstdDictionary(Files.readAllBytes(file));
        } catch (IOException | NeuralCoreException e) {
            throw new NeuralCoreException(
                    ErrorCode.CONFIG_INVALID,
                    "The dictionary %s cannot be used: %s".formatted(file, e.getMessage()),
                    e);
        }
    }

    /**
     * Learns a dictionary.
     *
     * @param samples messages as they travel, not packed; some thousands are good
     * @param size bytes of the dictionary at most
     * @throws NeuralCoreException {@code INVALID_REQUEST} if they are too few or too much alike
     */
    public static byte[] train(List<byte[]> samples, int size) {
        byte[] dictionary = new byte[size];
        try {
            long length = Zstd.trainFromBuffer(samples.toArray(byte[][]::new), dictionary, false);
            if (!Zstd.isError(length)) {
                return Arrays.copyOf(dictionary, (int) length);
            }
            throw untrainable(samples, Zstd.getErrorName(length));
        } catch (ZstdException e) {
            throw untrainable(samples, String.valueOf(e.getMessage()));
        }
    }

    private static NeuralCoreException untrainable(List<byte[]> samples, String reason) {
        return NeuralCoreException.invalid(
                "No dictionary can be learnt from these %d messages: %s. Some thousands are good, ten times as long together as the dictionary."
                        .formatted(samples.size(), reason));
    }

    /** By this number packed messages name it. */
    public long id() {
        return id;
    }

    ZstdDictCompress packing() {
        return packing;
    }

    ZstdDictDecompress unpacking() {
        return unpacking;
    }
}
