package neuralcore.relay;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.wire.Envelope;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.value.ValueType;

/**
 * Messages in the form in which they are exchanged with others through a broker: a map of {@code
 * id, channel, ts, priority, payload, meta}, as MessagePack or as JSON, packed or not. ATLAS's own
 * bus speaks the same.
 *
 * <p>A payload that is already in the form wanted is copied as it is, in both directions. {@code
 * meta} gets one entry more, {@code relay_hops}: the nodes that the message has passed; and where
 * its channel has a schema {@code relay_schema}, the version.
 *
 * <p>Not thread-safe. Cost: a copy, and a walk over the bytes on the way in. It may hold memory
 * outside the heap until {@link #close}.
 */
public final class RelayCodec implements AutoCloseable {
    static final String HOPS = "relay_hops";

    /** In a message's meta: the version of the schema that it was written with. */
    static final String SCHEMA = "relay_schema";

    private static final byte[] RELAY = "relay".getBytes(StandardCharsets.UTF_8);

    /**
     * As {@link Json} reads, but for duplicate names, whose detection costs as much as the rest.
     */
    private static final JsonFactory STRANGERS =
            JsonFactory.builder()
                    .streamReadConstraints(
                            StreamReadConstraints.builder()
                                    .maxNestingDepth(Json.MAX_DEPTH)
                                    .maxStringLength(Json.MAX_STRING)
                                    .maxNumberLength(Json.MAX_NUMBER)
                                    .maxNameLength(Json.MAX_NAME)
                                    .maxTokenCount(Json.MAX_TOKENS)
                                    .build())
                    .build();

    private final String node;
    private final Packing packing;
    private final NcbForm ncb;

    /**
     * @param node name of this daemon among all that messages may pass
     * @param maxUnpacked bytes of a message from a broker at most
     * @param dictionaries by which zstd packs short messages, besides its own
     */
    public RelayCodec(String node, int maxUnpacked, List<ZstdDictionary> dictionaries) {
        this.node = node;
        this.packing = new Packing(maxUnpacked, dictionaries);
        this.ncb = new NcbForm(Map.of(HOPS, List.of(node)));
    }

    @Override
    public void close() {
        packing.close();
    }

    // Out

    /** A message on its way out, and how long it was before it was packed. */
    @SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
    public record Packed(byte[] bytes, int plainLength) {}

    public Packed encode(Envelope message, Serializer serializer, Compression compression) {
        return encode(message, serializer, compression, null);
    }

    /**
     * @param schema the version of the schema that it is written with; null for none
     */
    public Packed encode(
            Envelope message,
            Serializer serializer,
            Compression compression,
            @Nullable String schema) {
        try {
            byte[] plain =
                    switch (serializer) {
                        case NCB ->
                                ncb.write(
                                        message,
                                        message.metaLength() == 0 && schema == null
                                                ? null
                                                : meta(message, schema));
                        case JSON -> json(message, schema);
                    };
            return new Packed(packing.pack(plain, compression), plain.length);
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
    }

    private byte[] json(Envelope message, @Nullable String schema) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(message.body().length + 160);
        out.writeBytes(ascii("{\"id\":\"" + message.id() + "\",\"channel\":"));
        out.writeBytes(Json.write(message.channel()));
        long nanos = message.timestampNanos();
        out.writeBytes(ascii(",\"ts\":" + nanos / 1e9 + ",\"priority\":" + message.priority()));
        out.writeBytes(ascii(",\"payload\":"));
        if (message.payloadType() == Envelope.JSON && message.payloadLength() > 0) {
            out.write(message.body(), 0, message.payloadLength());
        } else {
            out.writeBytes(Json.write(Payloads.payload(message)));
        }
        out.writeBytes(ascii(",\"meta\":"));
        out.writeBytes(Json.write(meta(message, schema)));
        out.write('}');
        return out.toByteArray();
    }

    /**
     * What is told of the message: its publisher's own words, and the way it has come so far, which
     * is this node's own note if another relay brought it here.
     */
    private Map<String, @Nullable Object> meta(Envelope message, @Nullable String schema) {
        Map<String, @Nullable Object> told = new LinkedHashMap<>();
        List<String> hops = new ArrayList<>();
        if (message.metaLength() > 0 && Payloads.meta(message) instanceof Map<?, ?> own) {
            own.forEach((key, value) -> told.put(String.valueOf(key), value));
            if (mentionsRelay(message) && told.remove("relay") instanceof Map<?, ?> origin) {
                hops.addAll(Incoming.hops(origin.get("hops")));
                if (told.remove("user") instanceof Map<?, ?> user) {
                    user.forEach((key, value) -> told.putIfAbsent(String.valueOf(key), value));
                }
            }
        }
        hops.add(node);
        told.put(HOPS, hops);
        if (schema != null) {
            told.put(SCHEMA, schema);
        }
        return told;
    }

    /** The nodes that a message will have passed once this one has sent it. */
    public List<String> hops(Envelope message) {
        List<String> hops = new ArrayList<>();
        if (message.metaLength() > 0
                && mentionsRelay(message)
                && Payloads.meta(message) instanceof Map<?, ?> meta
                && meta.get("relay") instanceof Map<?, ?> relay) {
            hops.addAll(Incoming.hops(relay.get("hops")));
        }
        hops.add(node);
        return hops;
    }

    /** Where in a broker a relay of this node found the message; empty if none did. */
    public static String origin(Envelope message) {
        return message.metaLength() > 0
                        && mentionsRelay(message)
                        && Payloads.meta(message) instanceof Map<?, ?> meta
                        && meta.get("relay") instanceof Map<?, ?> relay
                        && relay.get("from") instanceof String from
                ? from
                : "";
    }

    private static boolean mentionsRelay(Envelope message) {
        byte[] body = message.body();
        for (int at = message.payloadLength(); at <= body.length - RELAY.length; at++) {
            if (Arrays.equals(body, at, at + RELAY.length, RELAY, 0, RELAY.length)) {
                return true;
            }
        }
        return false;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    // In

    /**
     * Reads a message of a stranger.
     *
     * @throws NeuralCoreException {@code INVALID_REQUEST} if it is none, or exceeds a limit
     */
    public Incoming decode(byte[] data) {
        byte[] plain = packing.unpack(data);
        try {
            return plain.length > 0 && plain[0] == '{' ? readJson(plain) : readMessagePack(plain);
        } catch (IOException | RuntimeException e) {
            throw NeuralCoreException.invalid("This is no message: " + e.getMessage());
        }
    }

    private static Incoming readJson(byte[] data) throws IOException {
        Draft draft = new Draft(Envelope.JSON, data);
        if (data.length > 1 && data[1] == 0) {
            throw NeuralCoreException.invalid("it is not in UTF-8");
        }
        try (JsonParser in = STRANGERS.createParser(data)) {
            in.nextToken();
            for (String key = in.nextFieldName(); key != null; key = in.nextFieldName()) {
                JsonToken token = in.nextToken();
                int from = (int) in.currentTokenLocation().getByteOffset();
                switch (key) {
                    case "id" -> draft.id = token.isScalarValue() ? in.getText() : "";
                    case "ts" -> draft.seconds = token.isNumeric() ? in.getDoubleValue() : 0;
                    case "priority" -> draft.priority(token, in);
                    case "meta" -> draft.metaFrom = from;
                    case "payload" -> draft.payloadFrom = from;
                    default -> {
                        // Not of a message's fields; it is skipped below.
                    }
                }
                in.skipChildren();
                in.finishToken();
                int to = (int) in.currentLocation().getByteOffset();
                switch (key) {
                    case "meta" -> draft.metaTo = token == JsonToken.START_OBJECT ? to : -1;
                    case "payload" -> draft.payloadTo = to;
                    default -> {
                        // Read above.
                    }
                }
            }
            if (in.nextToken() != null) {
                throw NeuralCoreException.invalid("something follows the message");
            }
        }
        return draft.finished();
    }

    private static Incoming readMessagePack(byte[] data) throws IOException {
        Draft draft = new Draft(Envelope.MSGPACK, data);
        try (MessageUnpacker in = MessagePack.newDefaultUnpacker(data)) {
            int entries = in.unpackMapHeader();
            for (int i = 0; i < entries; i++) {
                String key = in.unpackString();
                int from = (int) in.getTotalReadBytes();
                ValueType type = in.getNextFormat().getValueType();
                switch (key) {
                    case "id" -> {
                        if (type == ValueType.STRING) {
                            draft.id = in.unpackString();
                        } else {
                            in.skipValue();
                        }
                    }
                    case "ts" -> {
                        if (type == ValueType.FLOAT) {
                            draft.seconds = in.unpackDouble();
                        } else if (type == ValueType.INTEGER) {
                            draft.seconds = in.unpackBigInteger().doubleValue();
                        } else {
                            in.skipValue();
                        }
                    }
                    case "priority" -> {
                        if (type == ValueType.INTEGER) {
                            draft.priority(in.unpackBigInteger());
                        } else {
                            in.skipValue();
                        }
                    }
                    default -> in.skipValue();
                }
                int to = (int) in.getTotalReadBytes();
                if (key.equals("payload")) {
                    draft.payloadFrom = from;
                    draft.payloadTo = to;
                } else if (key.equals("meta") && type == ValueType.MAP) {
                    draft.metaFrom = from;
                    draft.metaTo = to;
                }
            }
            if (in.getTotalReadBytes() != data.length) {
                throw NeuralCoreException.invalid("something follows the message");
            }
        }
        return draft.finished();
    }

    /** What has been read so far; of the two large parts only where they are. */
    private static final class Draft {
        private final byte type;
        private final byte[] data;
        String id = "";
        double seconds;
        private long priority = Envelope.DEFAULT_PRIORITY;
        int payloadFrom = -1;
        int payloadTo = -1;
        int metaFrom = -1;
        int metaTo = -1;

        Draft(byte type, byte[] data) {
            this.type = type;
            this.data = data;
        }

        void priority(JsonToken token, JsonParser in) throws IOException {
            if (token == JsonToken.VALUE_NUMBER_INT) {
                priority(in.getBigIntegerValue());
            }
        }

        void priority(java.math.BigInteger value) {
            priority =
                    value.bitLength() < Long.SIZE ? value.longValue() : Envelope.DEFAULT_PRIORITY;
        }

        Incoming finished() {
            if (payloadTo < 0) {
                throw NeuralCoreException.invalid("it has no payload");
            }
            byte[] payload = Arrays.copyOfRange(data, payloadFrom, payloadTo);
            byte[] meta = null;
            List<String> hops = List.of();
            String traceId = "";
            String schema = "";
            if (metaTo > 0) {
                meta = Arrays.copyOfRange(data, metaFrom, metaTo);
                if (metaTo - metaFrom > 2 && value(meta) instanceof Map<?, ?> map) {
                    hops = Incoming.hops(map.get(HOPS));
                    traceId = map.get("trace_id") instanceof String text ? text : "";
                    schema = map.get(SCHEMA) instanceof String text ? text : "";
                }
            }
            return new Incoming(
                    Incoming.shortened(id),
                    Double.isFinite(seconds) ? seconds : 0,
                    priority,
                    type,
                    payload,
                    meta,
                    hops,
                    Incoming.shortened(traceId),
                    Incoming.shortened(schema));
        }

        private @Nullable Object value(byte[] meta) {
            return Payloads.payload(
                    new Envelope("", 0, 0, 0, 0, 0, 0, type, Envelope.NONE, meta, meta.length));
        }
    }
}
