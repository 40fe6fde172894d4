package neuralcore.wire;

import java.io.IOException;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.msgpack.core.MessagePacker;

/** The values of JSON as MessagePack: what {@link Json} and {@link Payloads} read. */
public final class MessagePackWriter {
    private MessagePackWriter() {}

    /**
     * Appends a value.
     *
     * @throws IllegalArgumentException if it is none of JSON's
     */
    public static void write(MessagePacker out, @Nullable Object value) throws IOException {
        switch (value) {
            case null -> out.packNil();
            case String text -> out.packString(text);
            case Long number -> out.packLong(number);
            case Integer number -> out.packInt(number);
            case Double number -> out.packDouble(number);
            case BigInteger number -> writeLarge(out, number);
            case Boolean bool -> out.packBoolean(bool);
            case Map<?, ?> map -> {
                out.packMapHeader(map.size());
                for (Map.Entry<?, ?> entry : map.entrySet()) {
                    out.packString(String.valueOf(entry.getKey()));
                    write(out, entry.getValue());
                }
            }
            case List<?> list -> {
                out.packArrayHeader(list.size());
                for (Object item : list) {
                    write(out, item);
                }
            }
            default ->
                    throw new IllegalArgumentException(
                            "MessagePack has no form here for " + value.getClass().getName());
        }
    }

    /** MessagePack's integers end at 64 bits; beyond them there are doubles. */
    private static void writeLarge(MessagePacker out, BigInteger number) throws IOException {
        if (number.signum() > 0 && number.bitLength() <= Long.SIZE) {
            out.packBigInteger(number);
        } else {
            out.packDouble(number.doubleValue());
        }
    }
}
