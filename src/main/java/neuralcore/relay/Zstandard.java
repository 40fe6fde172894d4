package neuralcore.relay;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import com.github.luben.zstd.ZstdInputStreamNoFinalizer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Packs and unpacks zstd's frames, short messages by a dictionary.
 *
 * <p>Not thread-safe: it holds zstd's working memory, outside the heap, from its first use until
 * {@link #close}.
 */
final class Zstandard implements AutoCloseable {
    private static final byte[] MAGIC = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd};

    /** A frame may ask for so much memory to be unpacked with: 8 MiB. */
    private static final int WINDOW_LOG = 23;

    private final Map<Long, ZstdDictionary> known = new LinkedHashMap<>();
    private final List<ZstdDictionary> given;

    private @Nullable ZstdCompressCtx withDictionary;
    private @Nullable ZstdCompressCtx plain;
    private @Nullable ZstdDecompressCtx unpacking;

    /**
     * @param dictionaries the first packs, all unpack, as does the one that comes with the program,
     *     which packs if there is no other
     */
    Zstandard(List<ZstdDictionary> dictionaries) {
        this.given = List.copyOf(dictionaries);
    }

    static boolean is(byte[] data) {
        return data.length > MAGIC.length && Arrays.equals(data, 0, 4, MAGIC, 0, 4);
    }

    byte[] pack(byte[] message) {
        ZstdCompressCtx with = message.length <= ZstdDictionary.LARGEST_MESSAGE ? small() : large();
        return with.compress(message);
    }

    private ZstdCompressCtx small() {
        if (withDictionary == null) {
            ZstdDictionary first = given.isEmpty() ? ZstdDictionary.standard() : given.getFirst();
            withDictionary = new ZstdCompressCtx().loadDict(first.packing());
        }
        return withDictionary;
    }

    private ZstdCompressCtx large() {
        if (plain == null) {
            plain = new ZstdCompressCtx().setLevel(ZstdDictionary.LEVEL);
        }
        return plain;
    }

    /**
     * @param most bytes of the result; what the frame says of its own length is checked against it
     *     before memory is taken
     * @return null if it is longer
     */
    byte @Nullable [] unpack(byte[] data, long most) {
        ZstdDictionary dictionary = dictionary(Zstd.getDictIdFromFrame(data));
        long length = Zstd.getFrameContentSize(data);
        if (length > most) {
            return null;
        }
        try {
            // Zero is said of empty frames, and less of those that do not say.
            return length > 0
                    ? unpackAtOnce(data, (int) length, dictionary)
                    : unpackInPieces(data, most, dictionary);
        } catch (IOException | ZstdException e) {
            throw NeuralCoreException.invalid("The message is not zstd's: " + e.getMessage());
        }
    }

    private byte[] unpackAtOnce(byte[] data, int length, @Nullable ZstdDictionary dictionary) {
        if (unpacking == null) {
            unpacking = new ZstdDecompressCtx();
        }
        unpacking.reset();
        if (dictionary != null) {
            unpacking.loadDict(dictionary.unpacking());
        }
        byte[] message = new byte[length];
        int written = unpacking.decompress(message, data);
        return written == length ? message : Arrays.copyOf(message, written);
    }

    private static byte @Nullable [] unpackInPieces(
            byte[] data, long most, @Nullable ZstdDictionary dictionary) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] piece = new byte[8_192];
        try (var in = new ZstdInputStreamNoFinalizer(new ByteArrayInputStream(data))) {
            in.setLongMax(WINDOW_LOG);
            if (dictionary != null) {
                in.setDict(dictionary.unpacking());
            }
            for (int length = in.read(piece); length >= 0; length = in.read(piece)) {
                if (out.size() + length > most) {
                    return null;
                }
                out.write(piece, 0, length);
            }
        }
        return out.toByteArray();
    }

    private @Nullable ZstdDictionary dictionary(long id) {
        if (id == 0) {
            return null;
        }
        if (known.isEmpty()) {
            ZstdDictionary standard = ZstdDictionary.standard();
            known.put(standard.id(), standard);
            given.forEach(each -> known.put(each.id(), each));
        }
        ZstdDictionary found = known.get(id);
        if (found == null) {
            throw NeuralCoreException.invalid(
                    "The message is packed with dictionary %d; there are %s. Name its file among the relay's 'dictionaries'."
                            .formatted(id, known.keySet()));
        }
        return found;
    }

    @Override
    public void close() {
        if (withDictionary != null) {
            withDictionary.close();
            withDictionary = null;
        }
        if (plain != null) {
            plain.close();
            plain = null;
        }
        if (unpacking != null) {
            unpacking.close();
            unpacking = null;
        }
    }
}
