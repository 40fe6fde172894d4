package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.zip.Deflater;
import neuralcore.bus.Principal;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.PublishBatch;
import neuralcore.eventbus.Receipts;
import neuralcore.eventbus.Services;
import neuralcore.relay.RelayConfig;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Json;
import neuralcore.wire.Payloads;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Relays to a real Kafka broker, which is killed and started again, and cut off by a proxy. Two
 * relays stand for two daemons: what the node "left" sends, the node "right" takes in. All tests
 * share one broker, each with topics of its own.
 */
class KafkaRelayTest extends JournalFixture {
    @TempDir static Path kafkaFolder;
    private static KafkaServer kafka;
    private static KafkaProducer<byte[], byte[]> outside;
    private static int tests;

    private Vertx vertx;
    private String topic;

    @BeforeAll
    static void startKafka() throws Exception {
        kafka = new KafkaServer(kafkaFolder);
        outside =
                new KafkaProducer<>(
                        Map.of("bootstrap.servers", kafka.servers()),
                        new ByteArraySerializer(),
                        new ByteArraySerializer());
    }

    @AfterAll
    static void stopKafka() throws Exception {
        outside.close(Duration.ZERO);
        kafka.close();
    }

    @BeforeEach
    void name(Vertx provided) {
        vertx = provided;
        topic = "way" + ++tests;
    }

    @Test
    void volatileMessagesGoFromOneNodeToAnother() throws Exception {
        makeTopic(2);
        open("right", Map.of(), in("there", Map.of("replay_start", "earliest")));
        open("left", Map.of(), out("here", Map.of()));
        awaitStatus("left", "connected");
        awaitStatus("right", "connected");
        BlockingQueue<Frame> inbox = inbox("c-1");
        subscribe("there");

        offer(message("here", 1, 0, 0, "{\"k\":\"ü\"}"), message("here", 2, 0, 0, "[2]"));

        List<Delivery> got = deliveries(inbox, 2);
        assertThat(got)
                .extracting(each -> Payloads.payload(each.envelope()))
                .containsExactly(Map.of("k", "ü"), List.of(2L));
        assertThat(got.getFirst().envelope().priority()).isEqualTo(5);
        awaitTrue(() -> Long.valueOf(2).equals(metrics("left").get("published")));
        awaitTrue(() -> Long.valueOf(2).equals(metrics("right").get("received")));
    }

    @Test
    @Timeout(3_600) // Its long form takes many minutes; each wait in it has an end of its own.
    void persistentMessagesOutliveKillsOfTheBrokerAndFaultsOfTheWay() throws Exception {
        int count = Integer.getInteger("neuralcore.relay.messages", 4_000);
        int faults = Integer.getInteger("neuralcore.relay.faults", 6);
        int kills = Integer.getInteger("neuralcore.relay.kills", 2);
        long seed = Long.getLong("neuralcore.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        makeTopic(1);
        FaultProxy proxy = new FaultProxy(vertx, kafka.innerPort(), kafka.proxiedPort());
        create("from", Map.of("max_queue_size", 1_000_000L));
        create("to", Map.of("max_queue_size", 1_000_000L));
        Map<String, @Nullable Object> quick =
                Map.of(
                        "answer_timeout",
                        0.8,
                        "batch_size",
                        100L,
                        "bootstrap_servers",
                        "127.0.0.1:" + proxy.port());
        open("right", quick, in("to", Map.of("replay_start", "earliest")));
        open("left", quick, out("from", Map.of()));

        int sent = 0;
        for (int fault = 0; fault < faults + kills; fault++) {
            int until = (int) ((long) count * (fault + 1) / (faults + kills));
            for (int half = 0; half < 2; half++) {
                int upTo = half == 0 ? (sent + until) / 2 : until;
                for (int from = sent; from < upTo; from += 1_000) {
                    publish("from", from + 1, Math.min(1_000, upTo - from));
                }
                sent = upTo;
                if (half == 0) {
                    // Kills are spread over the others.
                    boolean kill =
                            (long) fault * kills / (faults + kills)
                                    != (long) (fault + 1) * kills / (faults + kills);
                    disturb(proxy, kill ? -1 : random.nextInt(4));
                }
            }
        }
        proxy.set(FaultProxy.Fault.NONE);

        assertThat(arrived("to", count, seed)).as("seed %d", seed).isEqualTo(upTo(count));
    }

    private void disturb(FaultProxy proxy, int kind) throws Exception {
        switch (kind) {
            case -1 -> {
                kafka.kill();
                kafka.start();
            }
            case 0 -> proxy.reset();
            case 1 -> fault(proxy, FaultProxy.Fault.BLACK_HOLE, 1_000);
            case 2 -> fault(proxy, FaultProxy.Fault.HALF_OPEN, 1_000);
            default -> fault(proxy, FaultProxy.Fault.LATE, 100);
        }
    }

    private static void fault(FaultProxy proxy, FaultProxy.Fault kind, long millis)
            throws InterruptedException {
        proxy.set(kind);
        Thread.sleep(millis);
        proxy.set(FaultProxy.Fault.NONE);
        // What was swallowed leaves holes in what both sides think was said.
        proxy.reset();
    }

    private static List<Long> upTo(int count) {
        List<Long> numbers = new ArrayList<>();
        for (long i = 1; i <= count; i++) {
            numbers.add(i);
        }
        return numbers;
    }

    /** The numbers of a channel's messages in their order, once there are so many. */
    private List<Long> arrived(String channel, int count, long seed) throws InterruptedException {
        List<Long> arrived = new ArrayList<>();
        long end = System.nanoTime() + 4 * PATIENCE.toNanos();
        long after = 0;
        while (arrived.size() < count) {
            assertThat(System.nanoTime())
                    .as(
                            "seed %d: %d of %d came; %s; %s",
                            seed,
                            arrived.size(),
                            count,
                            ask("left", "describe"),
                            ask("right", "describe"))
                    .isLessThan(end);
            List<Map<String, Object>> page = history(channel, after, 1_000);
            for (Map<String, Object> row : page) {
                arrived.add(Long.parseLong(((String) row.get("payload")).substring(1)));
                after = ((Number) row.get("sequence")).longValue();
            }
            if (page.isEmpty()) {
                Thread.sleep(50);
            }
        }
        return arrived;
    }

    @Test
    void aMessageThatWasSentTwiceIsTakenOnce() throws Exception {
        makeTopic(1);
        create("from", Map.of());
        create("to", Map.of());
        open("right", Map.of(), in("to", Map.of("replay_start", "earliest")));
        open("left", Map.of(), out("from", Map.of()));
        publish("from", 1, 10);
        awaitTrue(() -> history("to", 0, 100).size() == 10);

        // The same message from another daemon, or from this one before its cursor was kept.
        produce(0, message("from", 3, 0, 0).id(), "{\"payload\":\"p3\"}");
        produce(0, "another", "{\"payload\":\"p11\"}");

        awaitTrue(() -> history("to", 0, 100).size() == 11);
        assertThat(history("to", 0, 100).getLast()).containsEntry("payload", "p11");
    }

    @Test
    void anIncomingRouteKnowsWhatItHasTakenOverRestartsOfTheBus() throws Exception {
        makeTopic(1);
        create("to", Map.of());
        String relay = open("right", Map.of(), in("to", Map.of("replay_start", "earliest")));
        produce(0, "", "{\"payload\":\"p1\"}");
        awaitTrue(() -> history("to", 0, 100).size() == 1);
        await(vertx.undeploy(relay));
        restart();
        // As if its word to the group had been lost.
        try (Admin admin = kafka.admin()) {
            TopicPartition first = new TopicPartition(topic, 0);
            awaitTrue(() -> setsBack(admin, first));
        }
        produce(0, "", "{\"payload\":\"p2\"}");

        open("right", Map.of(), in("to", Map.of()));

        awaitTrue(() -> history("to", 0, 100).size() == 2);
        assertThat(payloads("to")).containsExactly("p1", "p2");
        awaitTrue(() -> Long.valueOf(1).equals(metrics("right").get("duplicates")));
    }

    /** Only a group without members can be set. */
    private boolean setsBack(Admin admin, TopicPartition partition) {
        try {
            admin.alterConsumerGroupOffsets(topic, Map.of(partition, new OffsetAndMetadata(0)))
                    .all()
                    .get(30, TimeUnit.SECONDS);
            return true;
        } catch (ExecutionException e) {
            return false;
        } catch (InterruptedException | TimeoutException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void anotherTopicOfTheSameNameIsReadFromItsBeginning() throws Exception {
        makeTopic(1);
        create("to", Map.of());
        String relay = open("right", Map.of(), in("to", Map.of("replay_start", "earliest")));
        produce(0, "", "{\"payload\":\"p1\"}");
        awaitTrue(() -> history("to", 0, 100).size() == 1);
        await(vertx.undeploy(relay));
        try (Admin admin = kafka.admin()) {
            admin.deleteTopics(List.of(topic)).all().get(60, TimeUnit.SECONDS);
        }
        awaitTrue(this::makesTopic);
        produce(0, "", "{\"payload\":\"p2\"}");

        open("right", Map.of(), in("to", Map.of("replay_start", "earliest")));

        awaitTrue(() -> history("to", 0, 100).size() == 2);
        assertThat(payloads("to")).containsExactly("p1", "p2");
    }

    private boolean makesTopic() {
        try {
            makeTopic(1);
            return true;
        } catch (ExecutionException e) {
            return false; // The deletion is not through yet.
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aFullChannelHoldsTheTopicBackAndNothingIsLost() throws Exception {
        makeTopic(1);
        create("to", Map.of("max_queue_size", 5L));
        Map<String, @Nullable Object> reader = new HashMap<>();
        reader.put("channel", "to");
        reader.put("subscription", 1L);
        reader.put("credit", 0L);
        reader.put("group", "g");
        reader.put("durable", true);
        call(Addresses.MESSAGING_SUBSCRIBE, reader);
        for (int i = 1; i <= 30; i++) {
            produce(0, "m" + i, "{\"payload\":\"p" + i + "\"}");
        }
        open("right", Map.of("batch_size", 4L), in("to", Map.of("replay_start", "earliest")));
        awaitTrue(() -> history("to", 0, 100).size() == 5);

        call(Addresses.MESSAGING_UNSUBSCRIBE, Map.of("subscription", 1L, "forget", true));

        awaitTrue(() -> history("to", 0, 100).size() == 30);
        for (int i = 0; i < 30; i++) {
            assertThat(payloads("to").get(i)).isEqualTo("p" + (i + 1));
        }
        awaitTrue(() -> committed(topic, 0) == 30);
    }

    @Test
    void whatIsNoMessageIsPassedOverAndCounted() throws Exception {
        makeTopic(1);
        create("to", Map.of());
        open("right", Map.of(), in("to", Map.of("replay_start", "earliest")));
        produce(0, "a", "garbage");
        send(0, null, new RecordHeaders());
        send(0, bomb(), new RecordHeaders());
        produce(0, "x".repeat(10_000), "{\"payload\":\"long id\"}");
        RecordHeaders been = new RecordHeaders();
        been.add("relay_hops", bytes("elsewhere,right"));
        been.add("id", (byte[]) null);
        send(0, bytes("{\"payload\":1}"), been);
        RecordHeaders odd = new RecordHeaders();
        odd.add("relay_hops", (byte[]) null);
        odd.add("id", new byte[] {(byte) 0xff, 0});
        send(0, bytes("{\"payload\":\"good\"}"), odd);

        awaitTrue(() -> history("to", 0, 100).size() == 2);
        assertThat(payloads("to")).containsExactly("long id", "good");
        assertThat(metrics("right")).containsEntry("malformed", 3L).containsEntry("loops", 1L);
        awaitTrue(() -> committed(topic, 0) == 6);
    }

    /** 64 MiB of nothing in 64 KiB. */
    private static byte[] bomb() {
        Deflater deflater = new Deflater(9);
        try {
            deflater.setInput(new byte[64 << 20]);
            deflater.finish();
            byte[] packed = new byte[1 << 17];
            return Arrays.copyOf(packed, deflater.deflate(packed));
        } finally {
            deflater.end();
        }
    }

    @Test
    void aBlackHoleIsNoticedAndHealthIsAnsweredAllTheSame() throws Exception {
        makeTopic(1);
        FaultProxy proxy = new FaultProxy(vertx, kafka.innerPort(), kafka.proxiedPort());
        open(
                "left",
                Map.of("answer_timeout", 0.5, "bootstrap_servers", "127.0.0.1:" + proxy.port()),
                out("here", Map.of()),
                in("there", Map.of("topic", topic + ".other")));
        awaitTrue(() -> Boolean.TRUE.equals(ask("left", "health").get("healthy")));

        proxy.set(FaultProxy.Fault.BLACK_HOLE);

        awaitTrue(() -> Boolean.FALSE.equals(ask("left", "health").get("healthy")));
        Map<String, @Nullable Object> health = ask("left", "health");
        assertThat(health).containsEntry("healthy", false);
        assertThat((Double) health.get("answer_age")).isNotNegative();
        awaitStatus("left", "reconnecting");
        proxy.set(FaultProxy.Fault.NONE);
        proxy.reset();
        awaitStatus("left", "connected");
        assertThat((Long) ask("left", "describe").get("reconnects")).isPositive();
    }

    @Test
    void aRelayGivesUpAfterAsManyAttemptsAsItMayAndCanBeSwitchedOnAgain() throws Exception {
        makeTopic(1);
        FaultProxy proxy = new FaultProxy(vertx, kafka.innerPort(), kafka.proxiedPort());
        proxy.set(FaultProxy.Fault.BLACK_HOLE);
        open(
                "left",
                Map.of(
                        "answer_timeout",
                        0.3,
                        "max_reconnect_attempts",
                        2L,
                        "bootstrap_servers",
                        "127.0.0.1:" + proxy.port()),
                out("here", Map.of()));
        awaitStatus("left", "failed");
        proxy.set(FaultProxy.Fault.NONE);
        proxy.reset();

        // On a slow machine it may give up once more.
        awaitTrue(
                () -> {
                    ask("left", "on");
                    return "connected".equals(ask("left", "describe").get("status"));
                });
    }

    @Test
    void offKeepsWhatIsPersistentAndDrainSendsItFirst() throws Exception {
        makeTopic(1);
        create("from", Map.of());
        open("left", Map.of(), out("from", Map.of()));
        awaitStatus("left", "connected");
        ask("left", "off");
        publish("from", 1, 5);
        assertThat(written(0)).isEmpty();

        ask("left", "on");
        awaitTrue(() -> written(0).size() == 5);
        publish("from", 6, 5);
        ask("left", "drain");

        awaitStatus("left", "disconnected");
        assertThat(written(0)).hasSize(10);
    }

    @Test
    void whatTheBrokerWillNeverTakeGoesToTheDeadLettersAndCanBeSentAgain() throws Exception {
        makeTopic(1, Map.of("max.message.bytes", "300000"));
        create("dead", Map.of());
        create("from", Map.of("dead_letter_channel", "dead"));
        open("left", Map.of(), out("from", Map.of()));
        publish(
                message("from", 1, 0, 0, "\"small\""),
                message("from", 2, 0, 0, "\"" + "x".repeat(400_000) + "\""),
                message("from", 3, 0, 0, "\"also small\""));

        awaitTrue(() -> written(0).size() == 2);
        awaitTrue(() -> letters().size() == 1);
        assertThat(letters().getFirst().toString()).contains("RelayRefused");
        largest("1000000");

        // The broker heeds its new setting at some time; until then it refuses again.
        awaitTrue(
                () -> {
                    call(Addresses.MESSAGING_REQUEUE, Map.of("channel", "from", "limit", 10L));
                    return written(0).size() == 3;
                });
        assertThat(metrics("left")).containsEntry("lost", 0L);
    }

    private List<Map<String, Object>> letters() {
        return messages(Addresses.MESSAGING_DEAD_LETTERS, Map.of("channel", "from", "limit", 10L));
    }

    private void largest(String bytes) throws Exception {
        try (Admin admin = kafka.admin()) {
            admin.incrementalAlterConfigs(
                            Map.of(
                                    new ConfigResource(ConfigResource.Type.TOPIC, topic),
                                    List.of(
                                            new AlterConfigOp(
                                                    new ConfigEntry("max.message.bytes", bytes),
                                                    AlterConfigOp.OpType.SET))))
                    .all()
                    .get(60, TimeUnit.SECONDS);
        }
    }

    @Test
    void messagesOfOneKeyStayInOnePartitionAndInOrder() throws Exception {
        makeTopic(4);
        create("from", Map.of());
        open(
                "left",
                Map.of("batch_size", 7L),
                out("from", Map.of("key", "payload.who", "serializer", "json")));
        List<Envelope> messages = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            String json = "{\"who\":\"w" + i % 10 + "\",\"n\":" + i + "}";
            messages.add(message("from", i + 1, 0, 0, json));
        }
        publish(messages.toArray(Envelope[]::new));

        awaitTrue(() -> Long.valueOf(200).equals(metrics("left").get("published")));
        assertThat(writtenAnywhere(4)).isEqualTo(200);
        Map<String, Integer> partitionOf = new HashMap<>();
        Map<String, Long> last = new HashMap<>();
        for (int partition = 0; partition < 4; partition++) {
            for (ConsumerRecord<byte[], byte[]> record : written(partition)) {
                String key = text(record.key());
                assertThat(partitionOf.computeIfAbsent(key, any -> record.partition()))
                        .isEqualTo(record.partition());
                Map<?, ?> payload =
                        (Map<?, ?>) Json.readObject(ByteBuffer.wrap(record.value())).get("payload");
                assertThat(payload.get("who")).isEqualTo(key);
                long number = (Long) payload.get("n");
                assertThat(number).isGreaterThan(last.getOrDefault(key, -1L));
                last.put(key, number);
                assertThat(record.headers().lastHeader("id").value()).isNotEmpty();
                assertThat(text(record.headers().lastHeader("relay_hops").value()))
                        .isEqualTo("left");
            }
        }
        assertThat(partitionOf).hasSize(10);
        assertThat(partitionOf.values().stream().distinct().count()).isGreaterThan(1);
    }

    @Test
    void daemonsThatShareAGroupShareItsPartitionsAndEachMessageIsTakenOnce() throws Exception {
        makeTopic(4);
        create("first", Map.of("max_queue_size", 100_000L));
        create("second", Map.of("max_queue_size", 100_000L));
        Map<String, @Nullable Object> group = Map.of("group", topic, "replay_start", "earliest");
        open("one", Map.of("batch_size", 10L), in("first", group));
        int sent = produceNumbers(0, 400);
        awaitTrue(() -> history("first", 0, 1_000).size() >= 100);
        String second = open("two", Map.of("batch_size", 10L), in("second", group));
        awaitTrue(() -> !keepsOn(sent, "second").isEmpty());
        int all = numbers;
        await(vertx.undeploy(second));
        produceNumbers(all, 400);

        int total = all + 400;
        awaitTrue(() -> total <= payloads("first").size() + payloads("second").size());
        List<Object> taken = new ArrayList<>(payloads("first"));
        taken.addAll(payloads("second"));
        assertThat(taken).doesNotHaveDuplicates().hasSize(total);
    }

    /** How many numbered messages have been produced. */
    private int numbers;

    private int produceNumbers(int from, int count) {
        for (int i = from; i < from + count; i++) {
            try {
                produce(i % 4, "", "{\"payload\":\"p" + i + "\"}");
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        }
        numbers = from + count;
        return numbers;
    }

    /** Produces on while a group finds its balance. */
    private List<Object> keepsOn(int from, String channel) {
        produceNumbers(Math.max(from, numbers), 4);
        return payloads(channel);
    }

    @Test
    void aGroupBeginsWhereItsRouteSays() throws Exception {
        makeTopic(1);
        for (int i = 0; i < 5; i++) {
            outside.send(
                            new ProducerRecord<>(
                                    topic,
                                    0,
                                    1_000_000L + i,
                                    null,
                                    bytes("{\"payload\":\"p" + i + "\"}")))
                    .get(60, TimeUnit.SECONDS);
        }
        List<Map<String, @Nullable Object>> routes = new ArrayList<>();
        Map<String, Object> starts =
                Map.of(
                        "earliest", "earliest",
                        "latest", "latest",
                        "offset", 3L,
                        "time", "1970-01-01T00:16:40.002Z",
                        "future", "2100-01-01T00:00:00Z");
        starts.forEach(
                (name, start) -> {
                    create(name, Map.of());
                    routes.add(in(name, Map.of("group", topic + name, "replay_start", start)));
                });
        for (Map<String, @Nullable Object> route : routes) {
            open((String) route.get("channel"), Map.of(), route);
        }
        for (String name : starts.keySet()) {
            awaitTrue(() -> committed(topic + name, 0) >= 0);
        }
        produce(0, "", "{\"payload\":\"new\"}");

        awaitTrue(() -> starts.keySet().stream().allMatch(name -> payloads(name).contains("new")));
        assertThat(payloads("earliest")).hasSize(6);
        assertThat(payloads("latest")).containsExactly("new");
        assertThat(payloads("offset")).containsExactly("p3", "p4", "new");
        assertThat(payloads("time")).containsExactly("p2", "p3", "p4", "new");
        assertThat(payloads("future")).containsExactly("new");
    }

    @Test
    void messagesPastTheBusHaveAResultEachAndRoutesCanBeAdded() throws Exception {
        makeTopic(1);
        open("left", Map.of("prefix", "x."));
        awaitStatus("left", "connected");
        Map<String, @Nullable Object> sent =
                call(
                        Addresses.relay("left"),
                        Map.of(
                                "do",
                                "publish",
                                "to",
                                Map.of("topic", topic),
                                "messages",
                                List.of(
                                        Map.of("channel", "c", "payload", 1L),
                                        Map.of("payload", "no channel"))));
        assertThat((List<?>) sent.get("results")).first().isNull();
        assertThat((List<?>) sent.get("results")).last().isNotNull();
        assertFails(
                ErrorCode.INVALID_REQUEST,
                () ->
                        call(
                                Addresses.relay("left"),
                                Map.of("do", "route", "route", noTopic("stream"))));

        call(Addresses.relay("left"), Map.of("do", "route", "route", out("news", Map.of())));
        offer(message("news", 1, 0, 0));

        String here = topic;
        topic = "x." + here;
        awaitTrue(() -> written(0).size() == 2);
    }

    @Test
    void messagesAreCheckedByTheirSchemaOnBothWays(@TempDir Path schemas) throws Exception {
        makeTopic(1);
        String schema =
                """
                {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}""";
        Files.writeString(schemas.resolve("order.v1.json"), schema);
        create("dead", Map.of());
        for (String channel : List.of("from", "to")) {
            create(channel, Map.of("dead_letter_channel", "dead"));
        }
        Map<String, @Nullable Object> checked =
                Map.of(
                        "schemas",
                        Map.of(
                                "folder",
                                schemas.toString(),
                                "subjects",
                                List.of(Map.of("subject", "order", "channel", "*"))));
        open("right", checked, in("to", Map.of("replay_start", "earliest")));
        open("left", checked, out("from", Map.of("serializer", "json")));

        publish(
                message("from", 1, 0, 0, "{\"n\": 1}"),
                message("from", 2, 0, 0, "{\"n\": \"two\"}"),
                message("from", 3, 0, 0, "{\"n\": 3}"));
        awaitTrue(() -> written(0).size() == 2);
        assertThat(text(written(0).getFirst().value())).contains("\"relay_schema\":\"order/1\"");
        produce(0, "a", "{\"payload\":{\"n\":4},\"meta\":{\"relay_schema\":\"order/2\"}}");
        produce(0, "b", "{\"payload\":{\"n\":5}}");

        awaitTrue(() -> payloads("to").size() == 3);
        assertThat(payloads("to")).extracting(Object::toString).contains("{n=1}", "{n=3}", "{n=5}");
        awaitTrue(() -> letters().size() == 2);
        assertThat(letters().toString())
                .contains("SchemaInvalid", "order/2", "subscriber=relay.left." + topic)
                .contains("subscriber=relay.right." + topic);
        awaitTrue(() -> committed(topic, 0) == 4);
        assertThat(metrics("left")).containsEntry("invalid", 1L).containsEntry("published", 2L);
        assertThat(metrics("right")).containsEntry("invalid", 1L).containsEntry("received", 3L);
    }

    @Test
    void whoWaitsForTheBrokerHearsWhatBecameOfIt() throws Exception {
        makeTopic(1);
        create("kept", Map.of("dead_letter_channel", "dead"));
        open("left", Map.of("answer_timeout", 0.5), out("kept", Map.of()), out("gone", Map.of()));
        awaitStatus("left", "connected");
        assertThat(relayed(message("kept", 1, 0, 0))).isEmpty();
        assertThat(relayed(message("gone", 2, 0, 0))).isEmpty();
        assertThat(relayed(message("other", 3, 0, 0))).containsExactly(ErrorCode.NO_RELAY);
        String huge = "\"" + "x".repeat(3_000_000) + "\"";
        assertThat(relayed(message("kept", 4, 0, 0, huge)))
                .as("what the broker will never take")
                .containsExactly(ErrorCode.RELAY_FAILED);
        assertThat(written(0)).hasSize(2);

        // Killed while somebody waits: what is kept is sent when it is back.
        kafka.kill();
        Receipts.of(vertx).patience(1_000);
        assertThat(relayed(message("kept", 5, 0, 0))).containsExactly(ErrorCode.RELAY_PENDING);
        assertThat(relayed(message("gone", 6, 0, 0)))
                .hasSize(1)
                .isSubsetOf(ErrorCode.RELAY_TIMEOUT, ErrorCode.RELAY_FAILED);
        Receipts.of(vertx).patience(120_000);
        Future<List<ErrorCode>> waiting = relayedLater(message("kept", 7, 0, 0));
        kafka.start();
        assertThat(await(waiting)).as("told as soon as the broker has it").isEmpty();
        // The one that was given up may have been sent all the same.
        awaitTrue(() -> written(0).stream().filter(each -> has(each, "p5", "p7")).count() == 2);
        ask("left", "off");
        assertThat(relayed(message("kept", 8, 0, 0))).containsExactly(ErrorCode.NO_RELAY);
    }

    private static boolean has(ConsumerRecord<byte[], byte[]> written, String... payloads) {
        String text = text(written.value());
        return List.of(payloads).stream().anyMatch(text::contains);
    }

    private List<ErrorCode> relayed(Envelope... messages) {
        return await(relayedLater(messages));
    }

    /** The codes of those that were not relayed. */
    private Future<List<ErrorCode>> relayedLater(Envelope... messages) {
        Frame.Publish publish =
                new Frame.Publish(1, Frame.Confirm.RELAYED, "atlas", List.of(messages));
        DeliveryOptions patient =
                Services.local().setSendTimeout(Duration.ofSeconds(180).toMillis());
        return vertx.eventBus()
                .<Frame.Published>request(
                        Addresses.BUS_PUBLISH, new PublishBatch("c-1", "", publish), patient)
                .map(
                        answer ->
                                answer.body().rejections().stream()
                                        .map(Frame.Rejection::code)
                                        .toList());
    }

    @Test
    void itsMetersAndItsPrincipalAreThoseOfARelay() throws Exception {
        makeTopic(1);
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        RuntimeConfig.Relays config =
                new RuntimeConfig.Relays(
                        folder.resolve("none.yaml"), 1 << 20, Duration.ofSeconds(60));
        await(vertx.deployVerticle(new RelayVerticle(config, folder, registry)));
        Set<String> relays = ConcurrentHashMap.newKeySet();
        vertx.eventBus()
                .addOutboundInterceptor(
                        sent -> {
                            if (sent.body() instanceof PublishBatch batch
                                    && batch.connection().startsWith("relay:")) {
                                relays.add(Principal.of(batch.connection()).toString());
                            }
                            sent.next();
                        });
        Map<String, @Nullable Object> events = new HashMap<>();
        events.put("name", "events");
        events.put("bootstrap_servers", kafka.servers());
        events.put("namespace", "atlas");
        events.put(
                "routes", List.of(out("a", Map.of()), in("b", Map.of("replay_start", "earliest"))));
        call(Addresses.RELAY_OPEN, events);
        awaitTrue(
                () ->
                        Boolean.TRUE.equals(
                                call(Addresses.RELAY_HEALTH, Map.of("name", "events"))
                                        .get("healthy")));
        offer(message("a", 1, 0, 0), message("a", 2, 0, 0));

        produce(0, "x", "{\"payload\":1}");
        awaitTrue(() -> counted(registry, "neuralcore.relay.published") == 2);
        awaitTrue(() -> counted(registry, "neuralcore.relay.received") == 1);
        assertThat(relays)
                .containsExactly(new Principal("relay:events", Set.of("relay")).toString());
        assertThat(registry.get("neuralcore.relay.status").tags("relay", "events").gauges())
                .extracting(gauge -> gauge.getId().getTag("status") + gauge.value())
                .contains("connected1.0", "failed0.0");
        for (String name : List.of("lost", "errors", "invalid", "malformed", "reconnects")) {
            assertThat(counted(registry, "neuralcore.relay." + name)).as(name).isNotNegative();
        }
        for (String name : List.of("backlog", "compression.ratio", "latency.seconds")) {
            assertThat(registry.find("neuralcore.relay." + name).tag("relay", "events").gauge())
                    .as(name)
                    .isNotNull();
        }
        call(Addresses.RELAY_CLOSE, Map.of("name", "events", "forget", true));
        assertThat(registry.find("neuralcore.relay.published").meter()).isNull();
    }

    private static double counted(SimpleMeterRegistry registry, String name) {
        FunctionCounter found = registry.find(name).tag("relay", "events").functionCounter();
        return found == null ? -1 : found.count();
    }

    private Map<String, @Nullable Object> noTopic(String place) {
        Map<String, @Nullable Object> route = new HashMap<>(out("a", Map.of(place, "s")));
        route.remove("topic");
        return route;
    }

    // What tests ask for

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private void send(int partition, byte @Nullable [] value, RecordHeaders headers)
            throws Exception {
        Long now = null;
        byte[] key = null;
        outside.send(new ProducerRecord<>(topic, partition, now, key, value, headers))
                .get(60, TimeUnit.SECONDS);
    }

    private void produce(int partition, String id, String json) throws Exception {
        RecordHeaders headers = new RecordHeaders();
        if (!id.isEmpty()) {
            headers.add("id", bytes(id));
        }
        send(partition, bytes(json), headers);
    }

    private List<Object> payloads(String channel) {
        List<Object> payloads = new ArrayList<>();
        long after = 0;
        while (true) {
            List<Map<String, Object>> page = history(channel, after, 1_000);
            if (page.isEmpty()) {
                return payloads;
            }
            for (Map<String, Object> row : page) {
                payloads.add(row.get("payload"));
                after = ((Number) row.get("sequence")).longValue();
            }
        }
    }

    /** Where a group is to go on; -1 if it has no place. */
    private long committed(String group, int partition) {
        try (Admin admin = kafka.admin()) {
            OffsetAndMetadata place =
                    admin.listConsumerGroupOffsets(group)
                            .partitionsToOffsetAndMetadata()
                            .get(60, TimeUnit.SECONDS)
                            .get(new TopicPartition(topic, partition));
            return place == null ? -1 : place.offset();
        } catch (InterruptedException | TimeoutException e) {
            throw new AssertionError(e);
        } catch (ExecutionException e) {
            return -1; // There is no such group yet.
        }
    }

    private int writtenAnywhere(int partitions) {
        int all = 0;
        for (int partition = 0; partition < partitions; partition++) {
            all += written(partition).size();
        }
        return all;
    }

    /** All that is in a partition of the topic. */
    private List<ConsumerRecord<byte[], byte[]>> written(int partition) {
        TopicPartition where = new TopicPartition(topic, partition);
        List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> reader =
                new KafkaConsumer<>(
                        Map.of("bootstrap.servers", kafka.servers()),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer())) {
            reader.assign(List.of(where));
            reader.seekToBeginning(List.of(where));
            long end = reader.endOffsets(List.of(where)).get(where);
            while (reader.position(where) < end) {
                found.addAll(reader.poll(Duration.ofMillis(100)).records(where));
            }
        }
        return found;
    }

    private void makeTopic(int partitions) throws Exception {
        makeTopic(partitions, Map.of());
    }

    private void makeTopic(int partitions, Map<String, String> settings) throws Exception {
        NewTopic wanted = new NewTopic(topic, partitions, (short) 1).configs(settings);
        try (Admin admin = kafka.admin()) {
            admin.createTopics(List.of(wanted)).all().get(60, TimeUnit.SECONDS);
        }
    }

    @SafeVarargs
    private String open(
            String name,
            Map<String, @Nullable Object> options,
            Map<String, @Nullable Object>... routes) {
        return openAs(name, name, options, routes);
    }

    /**
     * @param node whose relay it is
     */
    @SafeVarargs
    private String openAs(
            String node,
            String name,
            Map<String, @Nullable Object> options,
            Map<String, @Nullable Object>... routes) {
        Map<String, @Nullable Object> values = new HashMap<>(options);
        values.put("name", name);
        values.putIfAbsent("bootstrap_servers", kafka.servers());
        values.put("namespace", "atlas");
        values.put("routes", List.of(routes));
        return await(
                vertx.deployVerticle(
                        new KafkaVerticle(
                                RelayConfig.of(values), new RelayNode(node, 1 << 20), "")));
    }

    private Map<String, @Nullable Object> out(String channel, Map<String, @Nullable Object> more) {
        return route("out", channel, more);
    }

    private Map<String, @Nullable Object> in(String channel, Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> route = route("in", channel, more);
        // A group of a test's own does not wait for members of the test before.
        route.putIfAbsent("group", topic);
        return route;
    }

    private Map<String, @Nullable Object> route(
            String direction, String channel, Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> route = new HashMap<>(more);
        route.put("direction", direction);
        route.put("channel", channel);
        route.putIfAbsent("topic", topic);
        return route;
    }

    private Map<String, @Nullable Object> ask(String relay, String verb) {
        return call(Addresses.relay(relay), Map.of("do", verb));
    }

    @SuppressWarnings("unchecked")
    private Map<String, Object> metrics(String relay) {
        return (Map<String, Object>) ask(relay, "describe").get("metrics");
    }

    private void awaitStatus(String relay, String status) {
        awaitTrue(() -> status.equals(ask(relay, "describe").get("status")));
    }

    private void subscribe(String channel) {
        call(
                Addresses.MESSAGING_SUBSCRIBE,
                Map.of("channel", channel, "subscription", 1L, "credit", 1_000L));
    }

    private static void awaitTrue(BooleanSupplier condition) {
        long end = System.nanoTime() + 2 * PATIENCE.toNanos();
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
