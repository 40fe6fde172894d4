package neuralcore.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Configurations of channels: whole, in part, and by profile. */
class ProfilesTest extends NamespaceFixture {
    private final BusSettings standard = BusSettings.of(1_000, 100);

    private ChannelConfig config(String channel) {
        return Objects.requireNonNull(bus.configs().get(channel));
    }

    @Test
    void theProfileOfAtlasHasItsChannels() {
        step(new BusEvent.LoadProfile(now, "bob", new Profile(shippedWithin(5))));
        Profile atlas = Profile.shipped("atlas");

        assertThat(atlas.channels()).hasSize(39);
        List<ChannelConfig> configs =
                atlas.channels().entrySet().stream()
                        .map(e -> standard.channel(e.getKey()).with(e.getValue()))
                        .toList();
        assertThat(configs.stream().filter(c -> c.storage().persistent())).hasSize(22);
        assertThat(configs.stream().filter(c -> c.dropPolicy() == DropPolicy.DROP_OLD)).hasSize(14);
        assertThat(configs)
                .filteredOn(c -> c.deadLetterChannel() != null)
                .extracting(ChannelConfig::name)
                .containsExactly("llm.error", "tool.error");
        ChannelConfig stream =
                configs.stream().filter(c -> c.name().equals("llm.stream")).findFirst().get();
        assertThat(stream.maxQueueSize()).isEqualTo(10_000);
        assertThat(stream.defaultPriority()).isEqualTo(8);
    }

    private static java.util.SortedMap<String, Params> shippedWithin(int most) {
        java.util.SortedMap<String, Params> some = new java.util.TreeMap<>();
        Profile.shipped("atlas").channels().entrySet().stream()
                .limit(most)
                .forEach(entry -> some.put(entry.getKey(), entry.getValue()));
        return some;
    }

    @Test
    void aNamespaceBeginsWithItsProfile(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("own.yaml");
        Files.writeString(file, "channels:\n  jobs: {max_queue_size: 7, drop_policy: block}\n");
        Namespaces bus =
                new Namespaces(
                        standard.withProfiles(
                                new Profiles(List.of("atlas", "mine=" + file, "copy=atlas"))),
                        new Surroundings(() -> 0, () -> 0, new Random(1)));
        for (String namespace : List.of("atlas", "mine", "copy", "other")) {
            bus.step(
                    namespace,
                    new BusEvent.Publish(now, "bob", List.of(Messages.message("x", 5, 1))),
                    effects);
        }

        assertThat(bus.configs("atlas", "bob")).hasSize(40).containsKey("system.dlq");
        assertThat(bus.configs("copy", "bob")).hasSize(40);
        assertThat(bus.configs("other", "bob")).hasSize(1);
        assertThat(bus.configs("mine", "bob").get("jobs"))
                .isEqualTo(new ChannelConfig("jobs", 7, 100, DropPolicy.BLOCK));
    }

    @Test
    void aProfileThatIsNoneIsRefused() {
        for (String name : List.of("nothing", "../atlas", "")) {
            assertThatThrownBy(() -> Profile.shipped(name))
                    .extracting(e -> ((NeuralCoreException) e).code())
                    .isEqualTo(ErrorCode.NOT_FOUND);
        }
        for (String yaml : List.of("", "a: [", "channels: 3", "channels: {a: 3}")) {
            assertThatThrownBy(() -> Profile.parse("own", yaml))
                    .isInstanceOf(NeuralCoreException.class)
                    .hasMessageContaining("own");
        }
    }

    @Test
    void configuringChangesWhatIsNamed() {
        configure("a", Map.of("max_queue_size", 5L, "ttl", 1.5, "dead_letter_channel", "dead"));
        configure("a", Map.of("drop_policy", "drop_old", "rate_per_second", 2.5, "burst", 4L));

        assertThat(config("a").maxQueueSize()).isEqualTo(5);
        assertThat(config("a").ttlMillis()).isEqualTo(1_500);
        assertThat(config("a").dropPolicy()).isEqualTo(DropPolicy.DROP_OLD);
        assertThat(config("a").rate()).isEqualTo(new Rate(2.5, 4));
        configure("a", Map.of("rate_per_second", 0L, "dead_letter_channel", ""));
        assertThat(config("a").rate()).isNull();
        assertThat(config("a").deadLetterChannel()).isNull();
    }

    @Test
    void aConfigurationReadsBackAsItWasWritten() {
        ChannelConfig config =
                standard.channel("a")
                        .with(
                                new Params(
                                        Map.ofEntries(
                                                Map.entry("max_queue_size", -1L),
                                                Map.entry("default_priority", 3L),
                                                Map.entry("drop_policy", "block"),
                                                Map.entry("block_timeout", 0.25),
                                                Map.entry("rate_per_second", 12.5),
                                                Map.entry("burst", 3L),
                                                Map.entry("ttl", 60L),
                                                Map.entry("ageing", 0.5),
                                                Map.entry("max_attempts", 4L),
                                                Map.entry("dead_letter_channel", "dead"),
                                                Map.entry("idempotency_key_field", "id"),
                                                Map.entry("idempotency_ttl", 9.0),
                                                Map.entry("idempotency_keys", 77L),
                                                Map.entry("persistent", true),
                                                Map.entry("durability", "os"),
                                                Map.entry("retention_age", 3_600.0),
                                                Map.entry("retention_rows", 1_000L),
                                                Map.entry("retention_bytes", 1L << 40),
                                                Map.entry("client", Map.of("compress", true)))));

        assertThat(standard.channel("a").with(new Params(config.toMap()))).isEqualTo(config);
        assertThat(standard.channel("b").with(new Params(standard.channel("b").toMap())))
                .isEqualTo(standard.channel("b"));
    }

    @Test
    void impossibleValuesAreRefused() {
        for (Map<String, @org.jspecify.annotations.Nullable Object> wrong :
                List.<Map<String, @org.jspecify.annotations.Nullable Object>>of(
                        Map.of("ttl", -1.0),
                        Map.of("max_attempts", -1L),
                        Map.of("rate_per_second", -2.0),
                        Map.of("durability", "tape"),
                        Map.of("drop_policy", "drop_all"),
                        Map.of("retention_rows", -1L),
                        Map.of("idempotency_key_field", "id", "idempotency_keys", 0L),
                        Map.of("dead_letter_channel", "a.*"))) {
            assertRefused(
                    ErrorCode.INVALID_REQUEST,
                    new BusEvent.ConfigureChannel(now, "bob", "a", new Params(wrong)));
        }
    }

    @Test
    void aRemovedChannelIsGone() {
        configure("a", Map.of("max_queue_size", 5L));
        subscribe("alice", 1, "a", 0);
        publish(Messages.message("a", 5, 1));

        step(new BusEvent.RemoveChannel(now, "bob", "a"));

        assertThat(bus.stats()).isEmpty();
        assertThat(bus.totals().abandoned()).isEqualTo(1);
        assertThat(bus.totals().subscriptions()).isZero();
        assertRefused(ErrorCode.NOT_FOUND, new BusEvent.RemoveChannel(now, "bob", "a"));
    }
}
