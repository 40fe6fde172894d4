package neuralcore.journal;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.value.ValueType;

/**
 * Reads the file that ATLAS's own bus keeps its messages in: a table {@code ncb_messages} whose
 * {@code data} is a MessagePack map or a JSON object of id, channel, ts, priority, payload and
 * meta, perhaps compressed with zlib. It is a stranger's file: nothing in it runs, it is not
 * changed, and a message may not unpack to more than {@value #MAX_BYTES} bytes.
 */
public final class NcbFile {
    static final int MAX_BYTES = 16 << 20;

    private NcbFile() {}

    /** How many messages were given away, and how many could not be read. */
    public record Outcome(long read, long unreadable) {}

    /**
     * Gives away all messages in their order.
     *
     * @throws NeuralCoreException {@code INVALID_REQUEST} if the file is not such a file
     */
    public static Outcome read(Path file, Consumer<Envelope> sink) {
        long read = 0;
        long unreadable = 0;
        try (Connection connection = Sqlite.stranger(file);
                PreparedStatement select =
                        connection.prepareStatement(
                                "SELECT channel, data FROM ncb_messages ORDER BY seq");
                ResultSet row = select.executeQuery()) {
            while (row.next()) {
                Envelope message = message(row.getString(1), row.getBytes(2));
                if (message == null) {
                    unreadable++;
                } else {
                    sink.accept(message);
                    read++;
                }
            }
        } catch (SQLException e) {
            throw new NeuralCoreException(
                    ErrorCode.INVALID_REQUEST,
                    "%s is not a file of ATLAS's bus: %s".formatted(file, e.getMessage()),
                    e);
        }
        return new Outcome(read, unreadable);
    }

    /** Null if it cannot be read. */
    static @Nullable Envelope message(@Nullable String channel, byte @Nullable [] data) {
        if (channel == null || data == null || data.length == 0) {
            return null;
        }
        try {
            byte[] plain = data[0] == 0x78 ? inflate(data) : data;
            return plain[0] == '{' ? json(channel, plain) : messagePack(channel, plain);
        } catch (IOException | DataFormatException | RuntimeException e) {
            return null;
        }
    }

    private static byte[] inflate(byte[] data) throws DataFormatException {
        Inflater inflater = new Inflater();
        try {
            inflater.setInput(data);
            ByteArrayOutputStream out = new ByteArrayOutputStream(4 * data.length);
            byte[] piece = new byte[8192];
            while (!inflater.finished()) {
                int length = inflater.inflate(piece);
                if (length == 0 && (inflater.needsInput() || inflater.needsDictionary())) {
                    throw new DataFormatException("it ends too soon");
                }
                out.write(piece, 0, length);
                if (out.size() > MAX_BYTES) {
                    throw new DataFormatException("it is too large");
                }
            }
            return out.toByteArray();
        } finally {
            inflater.end();
        }
    }

    private static Envelope messagePack(String channel, byte[] data) throws IOException {
        String id = "";
        double seconds = 0;
        long priority = 0;
        byte[] payload = new byte[0];
        byte[] meta = new byte[0];
        try (MessageUnpacker in = MessagePack.newDefaultUnpacker(data)) {
            int entries = in.unpackMapHeader();
            for (int i = 0; i < entries; i++) {
                String key = in.unpackString();
                int from = (int) in.getTotalReadBytes();
                ValueType type = in.getNextFormat().getValueType();
                switch (key) {
                    case "id" -> id = in.unpackString();
                    case "ts" ->
                            seconds =
                                    type == ValueType.INTEGER ? in.unpackLong() : in.unpackDouble();
                    case "priority" -> priority = in.unpackLong();
                    default -> in.skipValue();
                }
                byte[] value = Arrays.copyOfRange(data, from, (int) in.getTotalReadBytes());
                if (key.equals("payload")) {
                    payload = value;
                } else if (key.equals("meta")) {
                    meta = value;
                }
            }
        }
        return envelope(channel, id, seconds, priority, Envelope.MSGPACK, payload, meta);
    }

    private static Envelope json(String channel, byte[] data) {
        Map<String, @Nullable Object> map = Json.readObject(ByteBuffer.wrap(data));
        double seconds = map.get("ts") instanceof Number number ? number.doubleValue() : 0;
        long priority = map.get("priority") instanceof Number number ? number.longValue() : 0;
        Object meta = map.get("meta");
        return envelope(
                channel,
                String.valueOf(map.get("id")),
                seconds,
                priority,
                Envelope.JSON,
                Json.write(map.get("payload")),
                Json.write(meta == null ? new LinkedHashMap<>() : meta));
    }

    /** The id's 128 bits stay what they are, so that it is the same message. */
    private static Envelope envelope(
            String channel,
            String id,
            double seconds,
            long priority,
            byte type,
            byte[] payload,
            byte[] meta) {
        UUID uuid = uuid(id);
        byte[] body = Arrays.copyOf(payload, payload.length + meta.length);
        System.arraycopy(meta, 0, body, payload.length, meta.length);
        return new Envelope(
                channel,
                uuid.getMostSignificantBits(),
                uuid.getLeastSignificantBits(),
                (long) (seconds * 1e9),
                priority == Envelope.DEFAULT_PRIORITY ? 0 : priority,
                0,
                0,
                type,
                meta.length == 0 ? Envelope.NONE : type,
                body,
                payload.length);
    }

    /** Of a UUID with or without its dashes, or made of whatever else it is. */
    private static UUID uuid(String id) {
        try {
            if (id.length() == 32) {
                return new UUID(
                        HexFormat.fromHexDigitsToLong(id, 0, 16),
                        HexFormat.fromHexDigitsToLong(id, 16, 32));
            }
            return UUID.fromString(id);
        } catch (IllegalArgumentException e) {
            return UUID.nameUUIDFromBytes(id.getBytes(StandardCharsets.UTF_8));
        }
    }
}
