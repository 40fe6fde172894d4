package verticles.relay;

import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import neuralcore.relay.RelayCodec;
import neuralcore.relay.Route;
import neuralcore.relay.RouteParams;
import neuralcore.relay.Target;
import neuralcore.relay.schema.SchemaRegistry;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/** What clients send to the server by a relay without a channel between. */
final class RelayDirect {
    private static final int MOST_MESSAGES = 4_096;

    private final RelayContext relay;
    private final long publisher;
    private long number;

    RelayDirect(RelayContext relay, long publisher) {
        this.relay = relay;
        this.publisher = publisher;
    }

    /**
     * @param params {@code to}: an outgoing route's target, serializer and compression; {@code
     *     messages}: objects of {@code channel}, {@code payload}, {@code priority}, {@code meta}
     */
    Future<Map<String, @Nullable Object>> publish(Sender by, Params params) {
        Map<String, @Nullable Object> given = new HashMap<>(known(params.optionalObject("to")));
        given.put("direction", "out");
        given.put("channel", "any");
        Route.Out route = (Route.Out) RouteParams.of(given, "default", relay.config().prefix());
        if (route.target().broker() != relay.config().broker()) {
            throw NeuralCoreException.invalid(
                    "'to' is %s, and the relay is to %s."
                            .formatted(route.target(), relay.config().brokerWord()));
        }
        List<?> messages = params.optionalList("messages");
        if (messages == null || messages.size() > MOST_MESSAGES) {
            throw NeuralCoreException.invalid(
                    "'messages' must be a list of at most %d.".formatted(MOST_MESSAGES));
        }
        List<@Nullable Object> results = new ArrayList<>();
        List<Sender.Item> items = new ArrayList<>();
        for (Object message : messages) {
            try {
                items.add(item(route, message));
                results.add(null);
            } catch (NeuralCoreException e) {
                results.add(e.toObject());
            }
        }
        if (items.isEmpty()) {
            return Future.succeededFuture(Map.of("results", results));
        }
        long sent = System.nanoTime();
        return by.send(items, route.target())
                .map(refused -> answered(results, items.size(), sent, refused))
                .recover(error -> Future.succeededFuture(failed(results, error)));
    }

    private Map<String, @Nullable Object> answered(
            List<@Nullable Object> results, int items, long sent, Map<Integer, String> refused) {
        int index = 0;
        for (int i = 0; i < results.size(); i++) {
            if (results.get(i) == null) {
                String reason = refused.get(index++);
                results.set(i, reason == null ? null : notTaken(reason).toObject());
            }
        }
        relay.metrics().errors += refused.size();
        relay.metrics().published += items - refused.size();
        relay.metrics().latencyMicros.record((System.nanoTime() - sent) / 1_000, items);
        relay.metrics().batchSizes.record(items);
        return Map.of("results", results);
    }

    private NeuralCoreException notTaken(@Nullable String reason) {
        return new NeuralCoreException(
                ErrorCode.UNAVAILABLE,
                "%s did not take it: %s".formatted(relay.config().brokerWord(), reason));
    }

    private Map<String, @Nullable Object> failed(List<@Nullable Object> results, Throwable error) {
        relay.metrics().errors++;
        Map<String, @Nullable Object> failure = notTaken(error.getMessage()).toObject();
        results.replaceAll(before -> before == null ? failure : before);
        return Map.of("results", results);
    }

    private Sender.Item item(Route.Out route, @Nullable Object message) {
        if (!(message instanceof Map<?, ?> map)) {
            throw NeuralCoreException.invalid("A message must be an object.");
        }
        Map<String, @Nullable Object> values = new HashMap<>();
        map.forEach((key, value) -> values.put(String.valueOf(key), value));
        Params given = new Params(values);
        String channel = given.string("channel");
        byte[] payload = Json.write(given.raw("payload"));
        Map<String, @Nullable Object> meta = given.optionalObject("meta");
        byte[] told = meta == null ? new byte[0] : Json.write(meta);
        byte[] body = Arrays.copyOf(payload, payload.length + told.length);
        System.arraycopy(told, 0, body, payload.length, told.length);
        Envelope envelope =
                new Envelope(
                        channel,
                        publisher,
                        ++number,
                        RelayContext.nowEpochNanos(),
                        given.integer("priority", 100),
                        0,
                        0,
                        Envelope.JSON,
                        told.length == 0 ? Envelope.NONE : Envelope.JSON,
                        body,
                        payload.length);
        SchemaRegistry.Verdict verdict = relay.schemas().outgoing(envelope);
        if (verdict.problem() != null) {
            relay.metrics().invalid++;
            throw new NeuralCoreException(
                    ErrorCode.SCHEMA_INVALID,
                    "A message of '%s' is not sent: %s.".formatted(channel, verdict.problem()));
        }
        RelayCodec.Packed packed =
                relay.codec()
                        .encode(envelope, route.serializer(), route.compression(), verdict.tag());
        relay.metrics().plainBytes += packed.plainLength();
        relay.metrics().sentBytes += packed.bytes().length;
        return new Sender.Item(
                route.target().name().replace(Target.CHANNEL_MARK, channel),
                envelope,
                packed.bytes());
    }

    private static Map<String, @Nullable Object> known(@Nullable Map<String, @Nullable Object> to) {
        if (to == null) {
            throw NeuralCoreException.invalid(
                    "'to' is missing: {\"pubsub\": name}, {\"stream\": name} or {\"topic\": name}.");
        }
        return to;
    }
}
