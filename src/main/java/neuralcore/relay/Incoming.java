package neuralcore.relay;

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
import neuralcore.wire.MessagePackWriter;
import org.jspecify.annotations.Nullable;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;

/**
 * A message as it came from a broker: what its sender says, none of it believed. Payload and meta
 * are still in the sender's form, of which {@code type} tells; nothing of them was copied or
 * changed.
 *
 * @param id what the sender calls it; empty if it says nothing
 * @param seconds when the sender says it was sent, since 1970
 * @param priority the sender's, or {@link Envelope#DEFAULT_PRIORITY} where there is none
 * @param hops nodes it has passed, the first first
 * @param traceId of the trace that it belongs to; empty for none
 * @param schema the version of the schema that it was written with; empty if it says nothing
 */
@SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
public record Incoming(
        String id,
        double seconds,
        long priority,
        byte type,
        byte[] payload,
        byte @Nullable [] meta,
        List<String> hops,
        String traceId,
        String schema) {
    /** More nodes than any sane way has. */
    static final int MOST_HOPS = 4;

    static final int LONGEST_TEXT = 128;

    /** Whether it has been here, or has been passed on too often. */
    public boolean isLoop(String node) {
        return hops.contains(node) || hops.size() >= MOST_HOPS;
    }

    /** Whether this node sent it to where it was found, and nobody was between. */
    public boolean isOwn(String node) {
        return hops.equals(List.of(node));
    }

    /**
     * The message that the bus gets.
     *
     * @param relay name of the relay
     * @param from where in the broker it was
     */
    public Envelope toEnvelope(
            String channel,
            long publisher,
            long sequence,
            long timestampNanos,
            String relay,
            String from) {
        byte[] own = type == Envelope.JSON ? jsonMeta(relay, from) : messagePackMeta(relay, from);
        byte[] body = Arrays.copyOf(payload, payload.length + own.length);
        System.arraycopy(own, 0, body, payload.length, own.length);
        return new Envelope(
                channel,
                publisher,
                sequence,
                timestampNanos,
                priority,
                0,
                0,
                type,
                type,
                body,
                payload.length);
    }

    private Map<String, @Nullable Object> ownMeta(String relay, String from) {
        Map<String, @Nullable Object> origin = new LinkedHashMap<>();
        origin.put("name", relay);
        origin.put("from", from);
        origin.put("id", id);
        origin.put("ts", seconds);
        origin.put("hops", hops);
        Map<String, @Nullable Object> own = new LinkedHashMap<>();
        if (!traceId.isEmpty()) {
            own.put("trace_id", traceId);
        }
        own.put("relay", origin);
        return own;
    }

    private byte[] jsonMeta(String relay, String from) {
        byte[] own = Json.write(ownMeta(relay, from));
        if (meta == null) {
            return own;
        }
        byte[] key = ",\"user\":".getBytes(StandardCharsets.UTF_8);
        byte[] joined = Arrays.copyOf(own, own.length + key.length + meta.length);
        System.arraycopy(key, 0, joined, own.length - 1, key.length);
        System.arraycopy(meta, 0, joined, own.length - 1 + key.length, meta.length);
        joined[joined.length - 1] = '}';
        return joined;
    }

    private byte[] messagePackMeta(String relay, String from) {
        Map<String, @Nullable Object> own = ownMeta(relay, from);
        try (MessageBufferPacker out = MessagePack.newDefaultBufferPacker()) {
            out.packMapHeader(own.size() + (meta == null ? 0 : 1));
            for (Map.Entry<String, @Nullable Object> entry : own.entrySet()) {
                out.packString(entry.getKey());
                MessagePackWriter.write(out, entry.getValue());
            }
            if (meta != null) {
                out.packString("user");
                out.writePayload(meta);
            }
            return out.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
    }

    /** What a sender's list says, as far as it is a short text each. */
    static List<String> hops(@Nullable Object value) {
        List<String> hops = new ArrayList<>();
        if (value instanceof List<?> list) {
            for (Object hop : list) {
                if (hops.size() < MOST_HOPS && hop instanceof String text) {
                    hops.add(shortened(text));
                }
            }
        }
        return hops;
    }

    static String shortened(String text) {
        return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT);
    }
}
