package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.function.BooleanSupplier;
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
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Relays to a real redis-server, which is killed and started again, and cut off by a proxy. Two
 * relays stand for two daemons: what the node "left" sends, the node "right" takes in.
 */
class RedisRelayTest extends JournalFixture {
    @TempDir Path redisFolder;
    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private Vertx vertx;
    private RedisServer redis;

    @BeforeEach
    void startRedis(Vertx provided) throws Exception {
        vertx = provided;
        redis = new RedisServer(redisFolder);
    }

    @AfterEach
    void stopRedis() throws Exception {
        redis.close();
    }

    @Test
    void volatileMessagesGoOverPubSubFromOneNodeToAnother() throws Exception {
        open("right", redis.url(), Map.of(), in("there", Map.of("pubsub", "news")));
        open("left", redis.url(), Map.of(), out("here", Map.of("pubsub", "news")));
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
    void whatAtlasPublishesIsDeliveredAndItsOwnEchoIsNot() throws Exception {
        open(
                "node",
                redis.url(),
                Map.of(),
                out("llm", Map.of("pubsub", "llm")),
                in("llm", Map.of("pubsub", "llm")));
        awaitStatus("node", "connected");
        BlockingQueue<Frame> inbox = inbox("c-1");
        subscribe("llm");
        // {"id": "x", "channel": "llm", "ts": 1, "priority": 0, "payload": "hi", "meta": {}}
        byte[] ncb =
                HexFormat.of()
                        .parseHex(
                                "86a26964a178a76368616e6e656ca36c6c6da2747301a87072696f7269747900"
                                        + "a77061796c6f6164a26869a46d65746180");

        awaitTrue(() -> publishRaw("llm", ncb) == 1);
        offer(message("llm", 1, 0, 0, "\"own\""));

        List<Delivery> got = new ArrayList<>();
        while (got.stream().map(each -> Payloads.payload(each.envelope())).noneMatch("own"::equals)
                || got.stream()
                        .map(each -> Payloads.payload(each.envelope()))
                        .noneMatch("hi"::equals)) {
            got.addAll(deliveries(inbox, 1));
        }
        Envelope atlas =
                got.stream()
                        .map(Delivery::envelope)
                        .filter(each -> "hi".equals(Payloads.payload(each)))
                        .findFirst()
                        .orElseThrow();
        assertThat(atlas.priority()).as("0 stays 0").isZero();
        awaitTrue(() -> Long.valueOf(1).equals(metrics("node").get("loops")));
    }

    @Test
    void persistentMessagesOutliveKillsOfTheServerAndFaultsOfTheWay() throws Exception {
        int count = Integer.getInteger("neuralcore.relay.messages", 4_000);
        int faults = Integer.getInteger("neuralcore.relay.faults", 8);
        long seed = Long.getLong("neuralcore.seed", System.nanoTime());
        List<Integer> kinds = new ArrayList<>(List.of(0, 1, 2, 3, 4));
        Collections.shuffle(kinds, new Random(seed));
        FaultProxy proxy = new FaultProxy(vertx, redis.port());
        create("from", Map.of("max_queue_size", 1_000_000L));
        create("to", Map.of("max_queue_size", 1_000_000L));
        Map<String, @Nullable Object> quick = Map.of("answer_timeout", 0.5, "batch_size", 100L);
        open("right", proxy.url(), quick, in("to", stream(Map.of("replay_start", "0-0"))));
        open("left", proxy.url(), quick, out("from", stream(Map.of())));

        int sent = 0;
        for (int fault = 0; fault < faults; fault++) {
            int until = count * (fault + 1) / faults;
            for (int half = 0; half < 2; half++) {
                int upTo = half == 0 ? (sent + until) / 2 : until;
                publish("from", sent + 1, upTo - sent);
                sent = upTo;
                if (half == 0) {
                    disturb(proxy, kinds.get(fault % kinds.size()));
                }
            }
        }
        proxy.set(FaultProxy.Fault.NONE);

        List<Long> arrived = new ArrayList<>();
        long end = System.nanoTime() + 4 * PATIENCE.toNanos();
        long after = 0;
        while (arrived.size() < count) {
            assertThat(System.nanoTime())
                    .as(
                            "seed %d: %d of %d came; %s; %s",
                            seed, arrived.size(), count, metrics("left"), metrics("right"))
                    .isLessThan(end);
            List<Map<String, Object>> page = history("to", after, 1_000);
            for (Map<String, Object> row : page) {
                arrived.add(Long.parseLong(((String) row.get("payload")).substring(1)));
                after = ((Number) row.get("sequence")).longValue();
            }
            if (page.isEmpty()) {
                Thread.sleep(50);
            }
        }
        List<Long> expected = new ArrayList<>();
        for (long i = 1; i <= count; i++) {
            expected.add(i);
        }
        assertThat(arrived).as("seed %d: each once, in order", seed).isEqualTo(expected);
        assertThat(proxy.accepted())
                .as("connections, of which three were the first")
                .isGreaterThan(3);
    }

    private void disturb(FaultProxy proxy, int kind) throws Exception {
        switch (kind) {
            case 0 -> proxy.reset();
            case 1 -> {
                redis.kill();
                redis.start();
            }
            case 2 -> fault(proxy, FaultProxy.Fault.BLACK_HOLE, 700);
            case 3 -> fault(proxy, FaultProxy.Fault.HALF_OPEN, 700);
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

    @Test
    void aDaemonThatDiesBetweenAnswerAndNoteSendsAgainAndItIsTakenOnce() {
        create("from", Map.of());
        create("to", Map.of());
        open("right", redis.url(), Map.of(), in("to", stream(Map.of("replay_start", "0-0"))));
        open("left", redis.url(), Map.of(), out("from", stream(Map.of())));
        publish("from", 1, 10);
        awaitTrue(() -> history("to", 0, 100).size() == 10);

        // The same message from another daemon, or from this one before its cursor was kept.
        Envelope twin = message("from", 3, 0, 0);
        addRaw("way", twin.id(), "{\"payload\":\"p3\"}");
        addRaw("way", "another", "{\"payload\":\"p11\"}");

        awaitTrue(() -> history("to", 0, 100).size() == 11);
        assertThat(history("to", 0, 100).getLast()).containsEntry("payload", "p11");
    }

    @Test
    void anIncomingRouteGoesOnWhereItWasOverRestartsOfTheBus() {
        create("to", Map.of());
        String relay =
                open(
                        "right",
                        redis.url(),
                        Map.of(),
                        in("to", stream(Map.of("replay_start", "0-0"))));
        addRaw("way", "a", "{\"payload\":\"p1\"}");
        awaitTrue(() -> history("to", 0, 100).size() == 1);
        await(vertx.undeploy(relay));
        restart();
        // The acknowledgement is lost: the group's own list of what it has handed out says so.
        addRaw("way", "b", "{\"payload\":\"p2\"}");
        assertThat(groupAt("0-0")).startsWith("+OK");

        open("right", redis.url(), Map.of(), in("to", stream(Map.of())));

        awaitTrue(() -> history("to", 0, 100).size() == 2);
        assertThat(history("to", 0, 100))
                .extracting(row -> row.get("payload"))
                .containsExactly("p1", "p2");
        awaitTrue(() -> Long.valueOf(1).equals(metrics("right").get("duplicates")));
    }

    @Test
    void whatAnotherConsumerHasLeftLyingIsTakenOver() throws Exception {
        create("to", Map.of());
        assertThat(redis.command("XGROUP", "CREATE", "way", "g", "0-0", "MKSTREAM"))
                .isEqualTo("+OK");
        addRaw("way", "a", "{\"payload\":\"left lying\"}");
        redis.command("XREADGROUP", "GROUP", "g", "gone", "COUNT", "1", "STREAMS", "way", ">");
        addRaw("way", "b", "{\"payload\":\"new\"}");
        Map<String, @Nullable Object> options = new HashMap<>(stream(Map.of("group", "g")));
        options.put("auto_claim", 0.2);
        options.put("delete_on_ack", true);

        open("right", redis.url(), Map.of(), in("to", options));

        awaitTrue(() -> history("to", 0, 100).size() == 2);
        assertThat(history("to", 0, 100))
                .extracting(row -> row.get("payload"))
                .containsExactlyInAnyOrder("left lying", "new");
        awaitTrue(() -> lengthOf("way") == 0);
    }

    @Test
    void aStreamKeepsAboutAsManyEntriesAsItsRouteSays() {
        open("left", redis.url(), Map.of(), out("from", stream(Map.of("trim_maxlen", 100L))));
        awaitStatus("left", "connected");
        for (int i = 1; i <= 1_000; i++) {
            offer(message("from", i, 0, 0));
        }

        awaitTrue(() -> Long.valueOf(1_000).equals(metrics("left").get("published")));
        assertThat(lengthOf("way")).as("it trims a node of 100 at a time").isBetween(100L, 300L);
    }

    @Test
    void aFullChannelHoldsTheStreamBackAndNothingIsLost() {
        create("to", Map.of("max_queue_size", 5L));
        call(
                Addresses.MESSAGING_SUBSCRIBE,
                Map.of(
                        "channel",
                        "to",
                        "subscription",
                        1L,
                        "credit",
                        0L,
                        "group",
                        "g",
                        "durable",
                        true));
        for (int i = 1; i <= 30; i++) {
            addRaw("way", "m" + i, "{\"payload\":\"p" + i + "\"}");
        }
        open(
                "right",
                redis.url(),
                Map.of("batch_size", 4L),
                in("to", stream(Map.of("replay_start", "0-0"))));
        awaitTrue(() -> history("to", 0, 100).size() == 5);
        assertThat(history("to", 0, 100)).hasSize(5);

        call(Addresses.MESSAGING_UNSUBSCRIBE, Map.of("subscription", 1L, "forget", true));

        awaitTrue(() -> history("to", 0, 100).size() == 30);
        assertThat(history("to", 0, 100))
                .extracting(row -> row.get("payload"))
                .first()
                .isEqualTo("p1");
        for (int i = 0; i < 30; i++) {
            assertThat(history("to", 0, 100).get(i)).containsEntry("payload", "p" + (i + 1));
        }
    }

    @Test
    void garbageInTheStreamIsPassedOverAndCounted() throws Exception {
        create("to", Map.of());
        open("right", redis.url(), Map.of(), in("to", stream(Map.of("replay_start", "0-0"))));
        addRaw("way", "a", "garbage");
        redis.command("XADD", "way", "*", "other", "field");
        addRaw("way", "b", "{\"payload\":\"good\"}");

        awaitTrue(() -> history("to", 0, 100).size() == 1);
        assertThat(metrics("right")).containsEntry("malformed", 2L);
    }

    @Test
    void aBlackHoleIsNoticedAndHealthIsAnsweredAllTheSame() throws Exception {
        FaultProxy proxy = new FaultProxy(vertx, redis.port());
        open(
                "left",
                proxy.url(),
                Map.of("answer_timeout", 0.5),
                out("here", Map.of("pubsub", "p")),
                in("there", Map.of("pubsub", "q")));
        awaitStatus("left", "connected");
        awaitTrue(() -> Boolean.TRUE.equals(ask("left", "health").get("healthy")));

        proxy.set(FaultProxy.Fault.BLACK_HOLE);

        Map<String, @Nullable Object> health = ask("left", "health");
        assertThat(health).containsEntry("healthy", false);
        assertThat((Double) health.get("answer_age")).isNotNegative();
        awaitStatus("left", "reconnecting");
        proxy.set(FaultProxy.Fault.NONE);
        awaitStatus("left", "connected");
        assertThat((Long) ask("left", "describe").get("reconnects")).isPositive();
    }

    @Test
    void aRelayGivesUpAfterAsManyAttemptsAsItMayAndCanBeSwitchedOnAgain() throws Exception {
        redis.kill();
        open(
                "left",
                redis.url(),
                Map.of("max_reconnect_attempts", 2L),
                out("here", Map.of("pubsub", "p")));
        awaitStatus("left", "failed");
        redis.start();

        ask("left", "on");

        awaitStatus("left", "connected");
    }

    @Test
    void offKeepsWhatIsPersistentAndDrainSendsItFirst() {
        create("from", Map.of());
        open("left", redis.url(), Map.of(), out("from", stream(Map.of())));
        awaitStatus("left", "connected");
        ask("left", "off");
        publish("from", 1, 5);
        assertThat(lengthOf("way")).isZero();

        ask("left", "on");
        awaitTrue(() -> lengthOf("way") == 5);
        publish("from", 6, 5);
        ask("left", "drain");

        awaitStatus("left", "disconnected");
        assertThat(lengthOf("way")).isEqualTo(10);
    }

    @Test
    void aServerThatRefusesOpensTheCircuitAndNothingIsLost() throws Exception {
        create("from", Map.of());
        redis.command("SET", "way", "a string, not a stream");
        open("left", redis.url(), Map.of(), out("from", stream(Map.of())));
        publish("from", 1, 5);
        awaitTrue(() -> "open".equals(ask("left", "describe").get("circuit")));

        redis.command("DEL", "way");

        awaitTrue(() -> lengthOf("way") == 5);
        assertThat(ask("left", "describe")).containsEntry("circuit", "closed");
    }

    @Test
    void aPublisherIsToldOnceTheServerHasItsMessage() throws Exception {
        FaultProxy proxy = new FaultProxy(vertx, redis.port());
        Map<String, @Nullable Object> urgent = new HashMap<>(out("news", Map.of("stream", "s")));
        urgent.put("priority_max", 5L);
        open("left", proxy.url(), Map.of("answer_timeout", 0.5), urgent);
        awaitStatus("left", "connected");

        assertThat(relayed(message("news", 1, 0, 0), message("news", 2, 0, 0).withPriority(9)))
                .containsExactly(ErrorCode.NO_RELAY);
        assertThat(lengthOf("s")).isEqualTo(1);
        assertThat(relayed(message("other", 3, 0, 0))).containsExactly(ErrorCode.NO_RELAY);

        proxy.set(FaultProxy.Fault.BLACK_HOLE);
        assertThat(relayed(message("news", 4, 0, 0))).containsExactly(ErrorCode.RELAY_FAILED);
        assertThat((Long) metrics("left").get("lost")).isPositive();
    }

    @Test
    void whatIsForOthersOnlyIsNotDeliveredHereButWhatComesFromThereIs() throws Exception {
        create("kept", Map.of());
        Map<String, @Nullable Object> only = new HashMap<>(out("news", Map.of("stream", "there")));
        only.put("external_only", true);
        only.put("priority_max", 5L);
        Map<String, @Nullable Object> kept = new HashMap<>(out("kept", Map.of("stream", "there")));
        kept.put("external_only", true);
        open(
                "left",
                redis.url(),
                Map.of(),
                only,
                kept,
                in("news", Map.of("stream", "there", "replay_start", "0-0")));
        awaitStatus("left", "connected");
        BlockingQueue<Frame> inbox = inbox("c-1");
        subscribe("news");
        subscribe("kept", 2);

        offer(message("news", 1, 0, 0), message("kept", 2, 0, 0));
        offer(message("news", 3, 0, 0).withPriority(9));
        awaitTrue(() -> lengthOf("there") == 2);
        addRaw("there", "x", "{\"payload\": \"from there\"}");

        List<Delivery> got = deliveries(inbox, 2);
        assertThat(got)
                .extracting(each -> Payloads.payload(each.envelope()))
                .containsExactly("p3", "from there");
        assertThat(lengthOf("there")).isEqualTo(3);
        assertThat(history("kept", 0, 10)).hasSize(1);
        ask("left", "off");
        offer(message("news", 4, 0, 0));
        assertThat(Payloads.payload(deliveries(inbox, 1).getFirst().envelope())).isEqualTo("p4");
    }

    /** Each node's messages may be for itself, as the group shares them out. */
    @Test
    void nodesThatShareAStreamTakeEachMessageOnce() {
        for (String node : List.of("left", "right")) {
            create(node, Map.of());
            open(
                    node,
                    redis.url(),
                    Map.of(),
                    out(node, stream(Map.of("external_only", true))),
                    in(node, stream(Map.of("own", true, "replay_start", "0-0", "group", "g"))));
            awaitStatus(node, "connected");
        }
        publish("left", 1, 20);
        awaitTrue(() -> cameBack("left") + cameBack("right") == 20);
        publish("right", 21, 20);
        awaitTrue(() -> cameBack("left") + cameBack("right") == 40);

        assertThat(metrics("left")).containsEntry("loops", 0L).containsEntry("published", 20L);
        assertThat(metrics("right")).containsEntry("loops", 0L).containsEntry("published", 20L);
        assertThat(lengthOf("way")).isEqualTo(40);
    }

    private long cameBack(String channel) {
        return history(channel, 0, 100).stream()
                .filter(row -> row.toString().contains("redis:way"))
                .count();
    }

    @Test
    void aPublisherIsToldWhetherWhatTheServerDoesNotAnswerIsKept() throws Exception {
        create("kept", Map.of());
        open(
                "left",
                redis.url(),
                Map.of(),
                out("kept", Map.of("stream", "k")),
                out("gone", Map.of("stream", "g")));
        awaitStatus("left", "connected");
        assertThat(relayed(message("kept", 1, 0, 0))).isEmpty();
        redis.kill();
        awaitStatus("left", "reconnecting");
        Receipts.of(vertx).patience(300);

        assertThat(relayed(message("kept", 2, 0, 0))).containsExactly(ErrorCode.RELAY_PENDING);
        assertThat(relayed(message("gone", 3, 0, 0))).containsExactly(ErrorCode.RELAY_TIMEOUT);
        redis.start();
        awaitTrue(() -> lengthOf("k") == 2);

        Receipts.of(vertx).patience(60_000);
        // Once the relay has the server's answer, the message is known, and nobody knows any more
        // what came of it.
        awaitTrue(() -> relayed(message("kept", 2, 0, 0)).equals(List.of(ErrorCode.RELAY_TIMEOUT)));
        assertThat(lengthOf("k")).isEqualTo(2);
        ask("left", "off");
        assertThat(relayed(message("kept", 5, 0, 0))).containsExactly(ErrorCode.NO_RELAY);
    }

    /** The codes of those that were not relayed. */
    private List<ErrorCode> relayed(Envelope... messages) {
        Frame.Publish publish =
                new Frame.Publish(1, Frame.Confirm.RELAYED, "atlas", List.of(messages));
        DeliveryOptions patient =
                Services.local().setSendTimeout(Duration.ofSeconds(120).toMillis());
        return await(
                        vertx.eventBus()
                                .<Frame.Published>request(
                                        Addresses.BUS_PUBLISH,
                                        new PublishBatch("c-1", "", publish),
                                        patient)
                                .map(answer -> answer.body()))
                .rejections()
                .stream()
                .map(Frame.Rejection::code)
                .toList();
    }

    @Test
    void routesChooseByPatternPriorityAndFilterAndCanBeAdded() {
        Map<String, @Nullable Object> urgent = new HashMap<>(out("jobs.*", Map.of()));
        urgent.put("stream", "urgent.{channel}");
        urgent.put("priority_max", 5L);
        open("left", redis.url(), Map.of("prefix", "x."), urgent);
        awaitStatus("left", "connected");
        offer(message("jobs.a", 1, 0, 0), message("other", 2, 0, 0));
        awaitTrue(() -> lengthOf("x.urgent.jobs.a") == 1);

        call(
                Addresses.relay("left"),
                Map.of("do", "route", "route", out("other", Map.of("stream", "more"))));
        offer(message("other", 3, 0, 0));

        awaitTrue(() -> lengthOf("x.more") == 1);
        assertThat(lengthOf("x.urgent.other")).isZero();
    }

    @Test
    void theDaemonsRelaysAreOpenedFromItsFileAndByClients() throws Exception {
        Path file =
                Files.writeString(
                        folder.resolve("relays.yaml"),
                        """
                        relays:
                          - name: filed
                            url: %s
                            namespace: atlas
                            routes: [{direction: out, channel: news, pubsub: news}]
                        """
                                .formatted(redis.url()));
        RelayVerticle relays = new RelayVerticle(relays(file), folder, registry);
        await(vertx.deployVerticle(relays));
        await(relays.openDescribed());
        awaitTrue(() -> health("filed").equals(true));
        Map<String, @Nullable Object> mine = new HashMap<>();
        mine.put("name", "mine");
        mine.put("url", redis.url());
        mine.put("routes", List.of(out("a", Map.of("stream", "s"))));

        create("a", Map.of());
        call(Addresses.RELAY_OPEN, mine);
        call(Addresses.RELAY_OPEN, mine);
        Map<String, @Nullable Object> other = new HashMap<>(mine);
        other.put("batch_size", 7L);
        assertFails(ErrorCode.ALREADY_EXISTS, () -> call(Addresses.RELAY_OPEN, other));
        assertThat((List<?>) call(Addresses.RELAY_LIST, Map.of()).get("relays")).hasSize(2);
        call(Addresses.RELAY_OFF, Map.of("name", "mine"));
        assertThat(health("mine")).isEqualTo(false);
        call(Addresses.RELAY_ON, Map.of("name", "mine"));
        awaitTrue(() -> health("mine").equals(true));
        assertThat(call(Addresses.RELAY_REDRIVE, Map.of("name", "mine")))
                .containsEntry("requeued", 0L);
        Map<String, @Nullable Object> sent =
                call(
                        Addresses.RELAY_PUBLISH,
                        Map.of(
                                "name",
                                "mine",
                                "to",
                                Map.of("stream", "direct"),
                                "messages",
                                List.of(
                                        Map.of("channel", "x", "payload", 1L),
                                        Map.of("payload", "no channel"))));
        assertThat((List<?>) sent.get("results")).first().isNull();
        assertThat((List<?>) sent.get("results")).last().isNotNull();
        assertThat(lengthOf("direct")).isEqualTo(1);
        awaitTrue(() -> meter("neuralcore.relay.published", "mine") == 1);
        assertThat(registry.get("neuralcore.relay.status").tags("relay", "mine").gauges())
                .extracting(gauge -> gauge.getId().getTag("status") + gauge.value())
                .contains("connected1.0", "failed0.0");
        call(Addresses.RELAY_CLOSE, Map.of("name", "mine", "forget", true));
        assertThat(registry.find("neuralcore.relay.published").tag("relay", "mine").meter())
                .isNull();
        assertFails(
                ErrorCode.NOT_FOUND, () -> call(Addresses.RELAY_HEALTH, Map.of("name", "mine")));
    }

    @Test
    void aRelayEndsWithTheLastOfItsOwners() throws Exception {
        await(
                vertx.deployVerticle(
                        new RelayVerticle(relays(folder.resolve("none.yaml")), folder, registry)));
        Map<String, @Nullable Object> owned = new HashMap<>();
        owned.put("name", "owned");
        owned.put("url", redis.url());
        owned.put("owned", true);

        call(Addresses.RELAY_OPEN, owned);
        assertThat((List<?>) call(Addresses.RELAY_LIST, Map.of()).get("relays")).hasSize(1);
        vertx.eventBus().publish(Addresses.CONNECTION_CLOSED, "c-1");

        awaitTrue(() -> ((List<?>) call(Addresses.RELAY_LIST, Map.of()).get("relays")).isEmpty());
    }

    private double meter(String name, String relay) {
        FunctionCounter found = registry.find(name).tag("relay", relay).functionCounter();
        return found == null ? -1 : found.count();
    }

    private Object health(String name) {
        return String.valueOf(call(Addresses.RELAY_HEALTH, Map.of("name", name)).get("healthy"))
                .equals("true");
    }

    private static RuntimeConfig.Relays relays(Path file) {
        return new RuntimeConfig.Relays(file, 1 << 20, Duration.ofSeconds(60));
    }

    // What tests ask for

    @SafeVarargs
    private String open(
            String name,
            String url,
            Map<String, @Nullable Object> options,
            Map<String, @Nullable Object>... routes) {
        Map<String, @Nullable Object> values = new HashMap<>(options);
        values.put("name", name);
        values.put("url", url);
        values.put("namespace", "atlas");
        values.put("routes", List.of(routes));
        return await(
                vertx.deployVerticle(
                        new RedisVerticle(
                                RelayConfig.of(values), new RelayNode(name, 1 << 20), "")));
    }

    private static Map<String, @Nullable Object> out(
            String channel, Map<String, @Nullable Object> more) {
        return route("out", channel, more);
    }

    private static Map<String, @Nullable Object> in(
            String channel, Map<String, @Nullable Object> more) {
        return route("in", channel, more);
    }

    private static Map<String, @Nullable Object> route(
            String direction, String channel, Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> route = new HashMap<>(more);
        route.put("direction", direction);
        route.put("channel", channel);
        return route;
    }

    private static Map<String, @Nullable Object> stream(Map<String, @Nullable Object> more) {
        Map<String, @Nullable Object> stream = new HashMap<>(more);
        stream.put("stream", "way");
        return stream;
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
        subscribe(channel, 1);
    }

    private void subscribe(String channel, long number) {
        call(
                Addresses.MESSAGING_SUBSCRIBE,
                Map.of("channel", channel, "subscription", number, "credit", 1_000L));
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

    private void addRaw(String stream, String id, String data) {
        try {
            redis.command("XADD", stream, "*", "id", id, "data", data);
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }

    private long publishRaw(String channel, byte[] data) {
        try {
            String answer =
                    redis.command(
                            "PUBLISH".getBytes(StandardCharsets.UTF_8),
                            channel.getBytes(StandardCharsets.UTF_8),
                            data);
            return Long.parseLong(answer.substring(1));
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }

    private String groupAt(String id) {
        try {
            return redis.command("XGROUP", "SETID", "way", "neuralcore", id);
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }

    private long lengthOf(String stream) {
        try {
            return Long.parseLong(redis.command("XLEN", stream).substring(1));
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }
}
