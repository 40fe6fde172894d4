package neuralcore.journal;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/**
 * CRC32C of rows, and the hash that chains them. Both guard against accidents, not against somebody
 * who can write to the file. Not thread-safe.
 */
final class Checksums {
    private final CRC32C crc = new CRC32C();
    private final byte[] fixed = new byte[64];
    private final ByteBuffer numbers = ByteBuffer.wrap(fixed);

    /** Of a message's row: its columns, then its record without checksum and chain. */
    int ofMessage(long sequence, long channel, long priority, long timestamp, byte[] record) {
        numbers.clear().putLong(sequence).putLong(channel).putLong(priority).putLong(timestamp);
        crc.reset();
        crc.update(fixed, 0, 32);
        crc.update(record, MessageRow.CHECKED_FROM, record.length - MessageRow.CHECKED_FROM);
        return (int) crc.getValue();
    }

    /** Of any other row, from its columns: longs, texts and byte arrays. */
    int of(Object... columns) {
        crc.reset();
        for (Object column : columns) {
            switch (column) {
                case Long number -> {
                    numbers.clear().putLong(number);
                    crc.update(fixed, 0, 8);
                }
                case String text -> bytes(text.getBytes(StandardCharsets.UTF_8));
                case byte[] bytes -> bytes(bytes);
                default -> throw new IllegalArgumentException(column.getClass().getName());
            }
        }
        return (int) crc.getValue();
    }

    private void bytes(byte[] bytes) {
        numbers.clear().putLong(bytes.length);
        crc.update(fixed, 0, 8);
        crc.update(bytes, 0, bytes.length);
    }

    /** The hash over a row and all before it (SplitMix64's finalizer). */
    static long chain(long before, int crc) {
        long z = before * 31 + Integer.toUnsignedLong(crc) + 0x9e3779b97f4a7c15L;
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}
