package neuralcore.relay;

import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Packs messages for a broker, and unpacks what a broker sent by what it begins with. The result
 * may be {@value #MOST_TIMES} times as long as what came, but always {@value #ALWAYS} bytes, and
 * never more than the limit given; what the data says of its own length is not believed, and no
 * memory is taken for it.
 *
 * <p>Not thread-safe. It may hold memory outside the heap until {@link #close}.
 */
final class Packing implements AutoCloseable {
    static final int MOST_TIMES = 100;
    static final int ALWAYS = 64 << 10;

    private static final int ZLIB = 0x78;
    private static final int ZLIB_LEVEL = 3;

    private final int limit;
    private final Zstandard zstandard;

    /**
     * @param dictionaries as for {@link Zstandard}
     */
    Packing(int limit, List<ZstdDictionary> dictionaries) {
        this.limit = limit;
        this.zstandard = new Zstandard(dictionaries);
    }

    byte[] pack(byte[] message, Compression compression) {
        return switch (compression) {
            case NONE -> message;
            case ZLIB -> deflate(message);
            case LZ4 -> Lz4Frame.pack(message);
            case ZSTD -> zstandard.pack(message);
        };
    }

    /** The data itself where it is not packed. */
    byte[] unpack(byte[] data) {
        if (data.length > limit) {
            throw tooLarge();
        }
        // As MessagePack these begin with the numbers 120, 40 and 4, and as JSON with nothing or
        // what it does not know: no message begins so.
        long most = Math.min(limit, Math.max(ALWAYS, (long) MOST_TIMES * data.length));
        byte[] message = data;
        if (data.length > 2 && data[0] == ZLIB) {
            message = inflate(data, most);
        } else if (Zstandard.is(data)) {
            message = zstandard.unpack(data, most);
        } else if (Lz4Frame.is(data)) {
            message = Lz4Frame.unpack(data, most);
        }
        if (message == null) {
            throw tooLarge();
        }
        return message;
    }

    @Override
    public void close() {
        zstandard.close();
    }

    private static byte[] deflate(byte[] plain) {
        Deflater deflater = new Deflater(ZLIB_LEVEL);
        try {
            deflater.setInput(plain);
            deflater.finish();
            ByteArrayOutputStream out = new ByteArrayOutputStream(plain.length / 2 + 64);
            byte[] piece = new byte[Math.min(8_192, plain.length + 64)];
            while (!deflater.finished()) {
                out.write(piece, 0, deflater.deflate(piece));
            }
            return out.toByteArray();
        } finally {
            deflater.end();
        }
    }

    private static byte @Nullable [] inflate(byte[] data, long most) {
        Inflater inflater = new Inflater();
        try {
            inflater.setInput(data);
            ByteArrayOutputStream out = new ByteArrayOutputStream(2 * data.length);
            byte[] piece = new byte[Math.min(8_192, 4 * data.length)];
            while (!inflater.finished()) {
                int length = inflater.inflate(piece);
                if (length == 0 && !inflater.finished()) {
                    throw NeuralCoreException.invalid("The packed message ends too soon.");
                }
                if (out.size() + length > most) {
                    return null;
                }
                out.write(piece, 0, length);
            }
            return out.toByteArray();
        } catch (DataFormatException e) {
            throw NeuralCoreException.invalid("The message is not zlib's: " + e.getMessage());
        } finally {
            inflater.end();
        }
    }

    private NeuralCoreException tooLarge() {
        return NeuralCoreException.invalid(
                "The message is longer than %d bytes, or more than %d times what was sent."
                        .formatted(limit, MOST_TIMES));
    }
}
