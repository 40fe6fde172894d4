package neuralcore.journal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import neuralcore.wire.Envelope;

/**
 * The layout of a message's {@code record} column, big-endian so that SQL's {@code hex()} reads an
 * id. The columns beside it (sequence, channel, priority, timestamp) are what SQL looks for.
 *
 * <pre>
 *  0 u32 checksum        4 u64 chain          12 u64 number in the channel
 * 20 u64 bytes of the channel's records up to and with this one
 * 28 u64 arrived at     36 u64 publisher      44 u64 publisher's number
 * 52 i64 due at         60 i64 expires at     68 u32 time to live
 * 72 u32 payload length 76 u8 payload type    77 u8 meta type   78 u16 zero
 * 80 payload, meta
 * </pre>
 *
 * Times are milliseconds of the wall clock.
 */
final class MessageRow {
    static final int HEADER = 80;
    static final int CHECKED_FROM = 12;

    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private MessageRow() {}

    /** All of the record but checksum and chain; see {@link #seal}. */
    static byte[] encode(Entry.Message message, long number, long bytesBefore, long arrivedAt) {
        Envelope envelope = message.envelope();
        byte[] body = envelope.body();
        byte[] row = new byte[HEADER + body.length];
        LONG.set(row, 12, number);
        LONG.set(row, 20, bytesBefore + row.length);
        LONG.set(row, 28, arrivedAt);
        LONG.set(row, 36, envelope.publisher());
        LONG.set(row, 44, envelope.sequence());
        LONG.set(row, 52, message.dueAtMillis());
        LONG.set(row, 60, message.expiresAtMillis());
        INT.set(row, 68, envelope.ttlMillis());
        INT.set(row, 72, envelope.payloadLength());
        row[76] = envelope.payloadType();
        row[77] = envelope.metaType();
        System.arraycopy(body, 0, row, HEADER, body.length);
        return row;
    }

    static void seal(byte[] row, int crc, long chain) {
        INT.set(row, 0, crc);
        LONG.set(row, 4, chain);
    }

    static StoredMessage decode(
            long sequence, String channel, long priority, long timestamp, byte[] row) {
        return new StoredMessage(
                sequence,
                number(row),
                arrivedAt(row),
                (long) LONG.get(row, 52),
                (long) LONG.get(row, 60),
                new Envelope(
                        channel,
                        (long) LONG.get(row, 36),
                        (long) LONG.get(row, 44),
                        timestamp,
                        priority,
                        (int) INT.get(row, 68),
                        0,
                        row[76],
                        row[77],
                        Arrays.copyOfRange(row, HEADER, row.length),
                        (int) INT.get(row, 72)));
    }

    static int crc(byte[] row) {
        return (int) INT.get(row, 0);
    }

    static long chain(byte[] row) {
        return (long) LONG.get(row, 4);
    }

    static long number(byte[] row) {
        return (long) LONG.get(row, 12);
    }

    static long bytesSoFar(byte[] row) {
        return (long) LONG.get(row, 20);
    }

    static long arrivedAt(byte[] row) {
        return (long) LONG.get(row, 28);
    }
}
