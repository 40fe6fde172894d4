package neuralcore.relay;

import java.io.ByteArrayOutputStream;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import neuralcore.wire.NeuralCoreException;

/**
 * Unpacks what a broker sent, by what it begins with. The result may be {@value #MOST_TIMES} times
 * as long as what came, but always {@value #ALWAYS} bytes, and never more than the limit given;
 * what the data says of its own length is not believed, and no memory is taken for it.
 */
final class Unpacker {
    static final int MOST_TIMES = 100;
    static final int ALWAYS = 64 << 10;

    private static final int ZLIB = 0x78;

    private final int limit;

    Unpacker(int limit) {
        this.limit = limit;
    }

    /** The data itself where it is not packed. */
    byte[] unpack(byte[] data) {
        if (data.length > limit) {
            throw tooLarge();
        }
        // As MessagePack this is the number 120, and as JSON nothing: no message begins with it.
        return data.length > 2 && data[0] == ZLIB ? inflate(data) : data;
    }

    private byte[] inflate(byte[] data) {
        long most = Math.min(limit, Math.max(ALWAYS, (long) MOST_TIMES * data.length));
        Inflater inflater = new Inflater();
        try {
            inflater.setInput(data);
            ByteArrayOutputStream out = new ByteArrayOutputStream(2 * data.length);
            byte[] piece = new byte[Math.min(8_192, 4 * data.length)];
            while (!inflater.finished()) {
                int length = inflater.inflate(piece);
                if (length == 0 && (inflater.needsInput() || inflater.needsDictionary())) {
                    throw NeuralCoreException.invalid("The packed message ends too soon.");
                }
                if (out.size() + length > most) {
                    throw tooLarge();
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
