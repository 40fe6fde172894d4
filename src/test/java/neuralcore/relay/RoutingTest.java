package neuralcore.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a relay is told to do, and what it makes of the bus's answers. */
class RoutingTest {
    @TempDir Path folder;

    @Test
    void theShippedExampleIsRead() {
        List<RelayConfig> relays = RelayFile.read(Path.of("conf/relays.example.yaml"));

        assertThat(relays).extracting(RelayConfig::name).containsExactly("atlas", "work", "events");
        assertThat(relays.get(1).redis().master()).isEqualTo("work");
        assertThat(relays.get(2).redis().cluster()).isTrue();
    }

    @Test
    void placesThatCannotBeAreRefused() {
        Map<String, @Nullable Object> relay = new HashMap<>();
        relay.put("name", "main");
        relay.put("url", "redis://127.0.0.1");
        for (Map<String, @Nullable Object> wrong :
                List.<Map<String, @Nullable Object>>of(
                        Map.of("url", "http://127.0.0.1"),
                        Map.of("url", "rediss://user:secret@127.0.0.1"),
                        Map.of("master", "main"),
                        Map.of("sentinels", List.of("redis://127.0.0.1:1")),
                        Map.of("sentinels", List.of("redis://x:y@127.0.0.1:1"), "master", "m"),
                        Map.of(
                                "sentinels",
                                List.of("redis://127.0.0.1:1"),
                                "master",
                                "m",
                                "cluster",
                                true),
                        Map.of("key_file", "k"),
                        Map.of(
                                "cluster",
                                true,
                                "routes",
                                List.of(
                                        Map.of(
                                                "direction",
                                                "out",
                                                "channel",
                                                "a.*",
                                                "stream",
                                                "{channel}"))),
                        Map.of(
                                "routes",
                                List.of(
                                        Map.of(
                                                "direction",
                                                "out",
                                                "channel",
                                                "a.*",
                                                "stream",
                                                "{channel}",
                                                "external_only",
                                                true))),
                        Map.of("dictionaries", List.of(1L)))) {
            Map<String, @Nullable Object> values = new HashMap<>(relay);
            values.putAll(wrong);
            assertThatThrownBy(() -> RelayConfig.of(values))
                    .as("%s", wrong)
                    .isInstanceOf(NeuralCoreException.class)
                    .hasMessageNotContaining("secret");
        }
    }

    @Test
    void aFileOfRelaysIsRead() throws Exception {
        Path file =
                Files.writeString(
                        folder.resolve("relays.yaml"),
                        """
                        relays:
                          - name: main
                            url: redis://127.0.0.1:6379/2
                            password_env: REDIS_PASSWORD
                            namespace: atlas
                            prefix: "atlas."
                            batch_timeout: 0.005
                            routes:
                              - {direction: out, channel: jobs, stream: jobs, trim_maxlen: 1000,
                                 serializer: json, compression: zlib, priority_min: 1, priority_max: 5,
                                 filter: "meta.k == 'v'"}
                              - {direction: in, channel: results, stream: results, group: g,
                                 replay_start: 0-0, auto_claim: 60, delete_on_ack: true}
                              - {direction: out, channel: "events.**", pubsub: "ev.{channel}"}
                        """);

        RelayConfig relay = RelayFile.read(file).getFirst();

        assertThat(relay.batchMillis()).isEqualTo(5);
        assertThat(relay.password()).isEqualTo(new Secret("REDIS_PASSWORD", null, null));
        Route.Out out = (Route.Out) relay.routes().getFirst();
        assertThat(out.target()).isEqualTo(new Target.Stream("atlas.jobs", 1_000));
        assertThat(out.filter()).isEqualTo("priority >= 1 and priority <= 5 and (meta.k == 'v')");
        assertThat(relay.routes().get(1).target())
                .isEqualTo(new Target.StreamGroup("atlas.results", "g", "", "0-0", 60_000, true));
        assertThat(relay.routes().get(2).target())
                .isEqualTo(new Target.PubSub("atlas.ev.{channel}"));
        assertThat(RelayFile.read(folder.resolve("none.yaml"))).isEmpty();
    }

    @Test
    void whatCannotBeIsRefusedByName() {
        assertRefused("colour", relay(Map.of("colour", "red")));
        assertRefused("colour", route(Map.of("colour", "red")));
        assertRefused("user", relay(Map.of("url", "redis://:secret@host/0")));
        assertRefused("redis://", relay(Map.of("url", "http://host")));
        assertRefused("name", relay(Map.of("name", "a b")));
        assertRefused("direction", route(Map.of("direction", "up")));
        assertRefused("one channel", route(Map.of("direction", "in", "channel", "a.*")));
        assertRefused("durable", route(Map.of("channel", "a.*", "durable", true)));
        assertRefused("pubsub", route(Map.of("pubsub", "x")));
        assertRefused("serializer", route(Map.of("serializer", "xml")));
        assertRefused("auto_claim", route(Map.of("direction", "in", "auto_claim", -1.0)));
        assertRefused("replay_start", route(Map.of("direction", "in", "replay_start", "now")));
        assertRefused("own", route(Map.of("own", true)));
        Map<String, @Nullable Object> heard = new HashMap<>();
        heard.putAll(Map.of("direction", "in", "channel", "a", "pubsub", "p", "own", true));
        assertThatThrownBy(() -> RouteParams.of(heard, "default", ""))
                .hasMessageContaining("no groups");
    }

    @Test
    void aWrongRouteIsNamedByItsPlace() {
        Map<String, @Nullable Object> good =
                Map.of("direction", "out", "channel", "a", "stream", "s");
        Map<String, @Nullable Object> wrong = new HashMap<>(good);
        wrong.put("priority_min", "x");
        Map<String, @Nullable Object> relay =
                relay(Map.of("name", "cache", "routes", List.of(good, wrong)));

        assertThatThrownBy(() -> RelayConfig.of(relay))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageStartingWith("Relay 'cache', route 2: ")
                .hasMessageContaining("priority_min");
    }

    @Test
    void aPasswordIsNeverShown() {
        RelayConfig relay = RelayConfig.of(relay(Map.of("password", "hush")));

        assertThat(relay.toString()).doesNotContain("hush");
        assertThat(relay.password().read(Map.of())).isEqualTo("hush");
        assertThatThrownBy(() -> new Secret("NOT_SET", null, null).read(Map.of()))
                .hasMessageContaining("NOT_SET");
    }

    @Test
    void placesInAStreamRiseWithItsIds() {
        assertThat(Positions.ofStream("1700000000000-0"))
                .isLessThan(Positions.ofStream("1700000000000-1"))
                .isLessThan(Positions.ofStream("1700000000001-0"));
        assertThat(Positions.ofStream("18446744073709551615-1")).isEqualTo(-1);
        assertThat(Positions.ofStream("1-1048576")).isEqualTo(-1);
        assertThat(Positions.publisher("a", "bc")).isNotEqualTo(Positions.publisher("ab", "c"));
    }

    @Test
    void whatTheBusHasNoRoomForIsOfferedAgainInOrder() {
        Inbound inbound = new Inbound(new RecentIds(10));
        for (int i = 1; i <= 4; i++) {
            inbound.add(entry(i));
        }
        inbound.offer(10);

        Inbound.Outcome outcome =
                inbound.answered(
                        published(
                                Map.of(
                                        1L,
                                        ErrorCode.DUPLICATE,
                                        3L,
                                        ErrorCode.QUEUE_FULL,
                                        4L,
                                        ErrorCode.QUEUE_FULL)));

        assertThat(outcome)
                .isEqualTo(new Inbound.Outcome(List.of("e1", "e2"), 2, 1, 0, ErrorCode.QUEUE_FULL));
        assertThat(inbound.offer(10)).extracting(Envelope::sequence).containsExactly(3L, 4L);
        assertThat(inbound.answered(published(Map.of())).done()).containsExactly("e3", "e4");
    }

    @Test
    void whatIsRefusedThoughALaterOneWasTakenGoesOnByItself() {
        Inbound inbound = new Inbound(new RecentIds(10));
        inbound.add(entry(1));
        inbound.add(entry(2));
        long publisher = inbound.offer(10).getFirst().publisher();

        inbound.answered(published(Map.of(1L, ErrorCode.RATE_LIMITED)));

        List<Envelope> again = inbound.offer(10);
        assertThat(again).extracting(Envelope::sequence).containsExactly(1L, 2L);
        assertThat(again.getFirst().publisher()).isNotEqualTo(publisher);
        assertThat(again.getLast().publisher()).isEqualTo(publisher);
    }

    @Test
    void whatWasWrittenTwiceIsTakenOnce() {
        Inbound inbound = new Inbound(new RecentIds(10));
        inbound.add(entry(1));
        inbound.offer(10);
        inbound.answered(published(Map.of()));
        Inbound.Entry twin = entry(2);
        inbound.add(new Inbound.Entry("e2", "key1", twin.message()));

        assertThat(inbound.offer(10)).isEmpty();
        assertThat(inbound.answered(published(Map.of())).done()).containsExactly("e2");
    }

    private static Inbound.Entry entry(int i) {
        byte[] body = {'1'};
        return new Inbound.Entry(
                "e" + i,
                "key" + i,
                new Envelope("c", 5, i, 0, 0, 0, 0, Envelope.JSON, Envelope.NONE, body, 1));
    }

    private static Frame.Published published(Map<Long, ErrorCode> rejections) {
        return new Frame.Published(
                1,
                0,
                rejections.entrySet().stream()
                        .map(each -> new Frame.Rejection(each.getKey(), each.getValue()))
                        .toList());
    }

    private static Map<String, @Nullable Object> relay(Map<String, ?> more) {
        Map<String, @Nullable Object> relay = new HashMap<>();
        relay.put("name", "main");
        relay.put("url", "redis://127.0.0.1:6379");
        relay.putAll(more);
        return relay;
    }

    private static Map<String, @Nullable Object> route(Map<String, ?> more) {
        Map<String, @Nullable Object> route = new HashMap<>();
        route.put("direction", "out");
        route.put("channel", "a");
        route.put("stream", "s");
        route.putAll(more);
        return relay(Map.of("routes", List.of(route)));
    }

    private static void assertRefused(String word, Map<String, @Nullable Object> values) {
        assertThatThrownBy(() -> RelayConfig.of(values))
                .isInstanceOf(NeuralCoreException.class)
                .satisfies(e -> assertThat(Objects.requireNonNull(e.getMessage())).contains(word));
    }
}
