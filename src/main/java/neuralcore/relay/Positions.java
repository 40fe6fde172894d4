package neuralcore.relay;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * Places in a broker's log as a publisher and its number, by which the bus knows again what it has
 * taken.
 *
 * <p>A log that is read in order is one publisher whose numbers rise with the place: one number in
 * the journal tells how far it was taken. An entry that comes out of order, taken over from another
 * reader, is a publisher of its own, for what is behind the highest number counts as taken.
 */
public final class Positions {
    private static final int SEQUENCE_BITS = 20;
    private static final long MOST_MILLIS = 1L << 63 - SEQUENCE_BITS - 1;

    private Positions() {}

    /** Who publishes what stands in one log, for one reader of it. */
    public static long publisher(String... log) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (String part : log) {
                byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
                digest.update(ByteBuffer.allocate(4).putInt(bytes.length).array());
                digest.update(bytes);
            }
            return ByteBuffer.wrap(digest.digest()).getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** A number for an entry that has none of its own; only its publisher's other ones count. */
    public static long numberOf(String id) {
        return publisher(id) >>> 1;
    }

    /**
     * The number of an entry of a Redis stream, {@code milliseconds-sequence}, or -1 if it does not
     * fit: ids given by hand can be of any size.
     */
    public static long ofStream(String id) {
        int dash = id.indexOf('-');
        try {
            long millis = Long.parseLong(dash < 0 ? id : id.substring(0, dash));
            long sequence = dash < 0 ? 0 : Long.parseLong(id.substring(dash + 1));
            boolean fits =
                    millis >= 0
                            && millis < MOST_MILLIS
                            && sequence >= 0
                            && sequence < 1L << SEQUENCE_BITS;
            return fits ? millis << SEQUENCE_BITS | sequence : -1;
        } catch (NumberFormatException e) {
            return -1;
        }
    }
}
