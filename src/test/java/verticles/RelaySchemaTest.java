package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.function.BooleanSupplier;
import neuralcore.eventbus.Addresses;
import neuralcore.relay.RelayConfig;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Messages that a schema is for, over a real redis-server: what passes and what is buried. */
class RelaySchemaTest extends JournalFixture {
    @TempDir Path redisFolder;
    @TempDir Path schemas;
    private Vertx vertx;
    private RedisServer redis;

    @BeforeEach
    void startRedis(Vertx provided) throws Exception {
        vertx = provided;
        redis = new RedisServer(redisFolder);
        Files.writeString(schemas.resolve("order.v1.json"), schema("\"integer\""));
    }

    @AfterEach
    void stopRedis() throws Exception {
        redis.close();
    }

    private static String schema(String types) {
        return """
        {"type": "object", "required": ["n"], "additionalProperties": false,
         "properties": {"n": {"type": %s}}}"""
                .formatted(types);
    }

    @Test
    void whatIsNotAsTheSchemaSaysGoesToTheDeadLettersAndTheRestGoesOn() throws Exception {
        create("dead", Map.of());
        create("orders", Map.of("dead_letter_channel", "dead"));
        create("there", Map.of());
        open("right", Map.of(), Map.of("direction", "in", "channel", "there", "stream", "way"));
        open("left", checked("orders"), out("orders", Map.of("stream", "way")));

        publish(
                message("orders", 1, 0, 0, "{\"n\": 1}"),
                message("orders", 2, 0, 0, "{\"n\": \"two\"}"),
                message("orders", 3, 0, 0, "{\"n\": 3}"),
                message("orders", 4, 0, 0, "{}"));

        awaitTrue(() -> letters("orders").size() == 2);
        awaitTrue(() -> "2".equals(redis("XLEN", "way")));
        assertThat(letters("orders").toString())
                .contains("SchemaInvalid", "order/1", "#/n", "subscriber=relay.left.way");
        assertThat(metrics("left")).containsEntry("invalid", 2L).containsEntry("published", 2L);

        // A wider schema, and what was refused is sent after all.
        assertThat(asked("left", Map.of("action", "add", "schema", wider())))
                .containsEntry("version", 2L);
        call(Addresses.MESSAGING_REQUEUE, Map.of("channel", "orders", "limit", 10L));
        awaitTrue(() -> "3".equals(redis("XLEN", "way")));
        awaitTrue(() -> letters("orders").toString().contains("order/2"));
    }

    @Test
    void whatComesInIsCheckedByItsOwnVersionAndBuriedOnce() throws Exception {
        create("dead", Map.of());
        create("to", Map.of("dead_letter_channel", "dead"));
        Files.writeString(schemas.resolve("order.v2.json"), schema("[\"integer\", \"string\"]"));
        for (String entry :
                List.of(
                        "{\"payload\":{\"n\":1},\"meta\":{\"relay_schema\":\"order/1\"}}",
                        "{\"payload\":{\"n\":\"x\"},\"meta\":{\"relay_schema\":\"order/1\"}}",
                        "{\"payload\":{\"n\":\"x\"},\"meta\":{\"relay_schema\":\"order/2\"}}",
                        "{\"payload\":{\"n\":2},\"meta\":{\"relay_schema\":\"order/9\"}}",
                        "{\"payload\":{\"n\":\"newest\"}}",
                        "{\"payload\":[]}")) {
            redis("XADD", "way", "*", "data", entry);
        }

        String relay = open("right", checked("to"), in("to", Map.of("stream", "way")));

        awaitTrue(() -> history("to", 0, 100).size() == 3);
        awaitTrue(() -> letters("to").size() == 3);
        assertThat(letters("to").toString())
                .contains("order/9", "versions [1, 2]", "subscriber=relay.right.way");
        awaitTrue(() -> Long.valueOf(3).equals(metrics("right").get("invalid")));
        assertThat(metrics("right")).containsEntry("received", 3L).containsEntry("malformed", 0L);
        awaitTrue(this::nothingIsOwed);

        // The server hands all of it over again: the bus knows what it has, and what it buried.
        await(vertx.undeploy(relay));
        restart();
        redis("XGROUP", "SETID", "way", "neuralcore", "0-0");
        open("right", checked("to"), in("to", Map.of("stream", "way")));
        awaitTrue(() -> Long.valueOf(6).equals(metrics("right").get("duplicates")));
        awaitTrue(this::nothingIsOwed);
        assertThat(history("to", 0, 100)).hasSize(3);
        assertThat(letters("to")).hasSize(3);
    }

    @Test
    void volatileChannelsHaveDeadLettersToo() throws Exception {
        call(
                Addresses.MESSAGING_CREATE,
                Map.of("channel", "here", "dead_letter_channel", "dead.here"));
        call(
                Addresses.MESSAGING_CREATE,
                Map.of("channel", "there", "dead_letter_channel", "dead.there"));
        open("right", checked("there"), in("there", Map.of("pubsub", "way")));
        open("left", checked("here"), out("here", Map.of("pubsub", "way")));
        awaitStatus("left");
        awaitStatus("right");
        BlockingQueue<Frame> inbox = inbox("c-1");
        for (String channel : List.of("dead.here", "dead.there", "there")) {
            call(
                    Addresses.MESSAGING_SUBSCRIBE,
                    Map.of(
                            "channel",
                            channel,
                            "subscription",
                            (long) channel.length(),
                            "credit",
                            100L));
        }

        offer(
                message("here", 1, 0, 0, "{\"n\": \"wrong\"}"),
                message("here", 2, 0, 0, "{\"n\": 2}"));
        redis("PUBLISH", "way", "{\"payload\":\"neither\"}");

        String got =
                deliveries(inbox, 3).stream()
                        .map(each -> each.envelope().channel() + Payloads.payload(each.envelope()))
                        .sorted()
                        .toList()
                        .toString();
        assertThat(got)
                .contains("dead.here{origin_channel=here", "dead.there{origin_channel=there")
                .contains("there{n=2}");
        awaitTrue(() -> Long.valueOf(1).equals(metrics("left").get("invalid")));
        awaitTrue(() -> Long.valueOf(1).equals(metrics("right").get("invalid")));
        assertThat(metrics("right")).containsEntry("received", 1L).containsEntry("dropped", 0L);
    }

    @Test
    void messagesPastTheBusAreCheckedAndSchemasCanBeAskedFor() {
        open("left", checked("orders"));
        awaitStatus("left");
        Map<String, @Nullable Object> sent =
                call(
                        Addresses.relay("left"),
                        Map.of(
                                "do",
                                "publish",
                                "to",
                                Map.of("stream", "way"),
                                "messages",
                                List.of(
                                        Map.of("channel", "orders", "payload", Map.of("n", 1L)),
                                        Map.of("channel", "orders", "payload", Map.of()))));
        assertThat((List<?>) sent.get("results")).first().isNull();
        assertThat(String.valueOf(((List<?>) sent.get("results")).getLast()))
                .contains("SCHEMA_INVALID", "order/1");

        assertThat(asked("left", Map.of("action", "list")).toString())
                .contains("subject=order", "versions=[1]");
        assertThat(asked("left", Map.of("action", "check", "schema", Map.of("type", "string"))))
                .containsEntry("compatible", false);
        assertThat(asked("left", Map.of("action", "check", "schema", wider())))
                .containsEntry("compatible", true);
        assertFails(
                ErrorCode.SCHEMA_INCOMPATIBLE,
                () -> asked("left", Map.of("action", "add", "schema", Map.of("type", "string"))));
        assertFails(ErrorCode.INVALID_REQUEST, () -> asked("left", Map.of("action", "drop")));
        assertThat(schemas.resolve("order.v2.json")).doesNotExist();
    }

    private static Map<String, @Nullable Object> wider() {
        return Map.of(
                "type",
                "object",
                "additionalProperties",
                false,
                "required",
                List.of("n"),
                "properties",
                Map.of("n", Map.of("type", List.of("integer", "string"))));
    }

    // What tests ask for

    /** A relay whose messages of a channel are to be orders. */
    private Map<String, @Nullable Object> checked(String channel) {
        return Map.of(
                "schemas",
                Map.of(
                        "folder",
                        schemas.toString(),
                        "subjects",
                        List.of(Map.of("subject", "order", "channel", channel))));
    }

    @SafeVarargs
    private String open(
            String name,
            Map<String, @Nullable Object> options,
            Map<String, @Nullable Object>... routes) {
        Map<String, @Nullable Object> values = new HashMap<>(options);
        values.put("name", name);
        values.put("url", redis.url());
        values.put("namespace", "atlas");
        values.put("routes", List.of(routes));
        return await(
                vertx.deployVerticle(
                        new RedisVerticle(
                                RelayConfig.of(values), new RelayNode(name, 1 << 20), "")));
    }

    private static Map<String, @Nullable Object> out(
            String channel, Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> route = new HashMap<>(more);
        route.put("direction", "out");
        route.put("channel", channel);
        return route;
    }

    private static Map<String, @Nullable Object> in(
            String channel, Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> route = new HashMap<>(more);
        route.put("direction", "in");
        route.put("channel", channel);
        if (more.containsKey("stream")) {
            route.put("replay_start", "0-0");
        }
        return route;
    }

    private Map<String, @Nullable Object> asked(
            String relay, Map<String, @Nullable Object> question) {
        Map<String, @Nullable Object> params = new HashMap<>(question);
        params.put("do", "schema");
        params.put("subject", "order");
        return call(Addresses.relay(relay), params);
    }

    private List<Map<String, Object>> letters(String channel) {
        return messages(
                Addresses.MESSAGING_DEAD_LETTERS, Map.of("channel", channel, "limit", 100L));
    }

    @SuppressWarnings("unchecked")
    private Map<String, Object> metrics(String relay) {
        return (Map<String, Object>)
                call(Addresses.relay(relay), Map.of("do", "describe")).get("metrics");
    }

    private void awaitStatus(String relay) {
        awaitTrue(
                () ->
                        "connected"
                                .equals(
                                        call(Addresses.relay(relay), Map.of("do", "describe"))
                                                .get("status")));
    }

    /** Whether the group has been told of all that it has handed out. */
    private boolean nothingIsOwed() {
        return redis.answerTo("XPENDING", "way", "neuralcore").startsWith("*4\r\n:0\r\n");
    }

    private String redis(String... command) {
        try {
            return redis.command(command).replaceFirst("^[:+]", "");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void awaitTrue(BooleanSupplier condition) {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("it does not come true").isLessThan(end);
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }
}
