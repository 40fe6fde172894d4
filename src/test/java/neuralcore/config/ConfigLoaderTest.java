package neuralcore.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigLoaderTest {
    private static final Platform LINUX = new Platform("Linux", Path.of("/home/ann"));

    @TempDir Path folder;

    @Test
    void defaultsAreThoseOfTheDocuments() {
        RuntimeConfig config = load(null, Map.of()).config();

        assertThat(config.roles()).containsExactlyInAnyOrder(RuntimeConfig.Role.values());
        assertThat(config.data().folder()).isEqualTo(Path.of("/home/ann/.local/share/neuralcore"));
        assertThat(config.bridge().socket())
                .isEqualTo(Path.of("/home/ann/.local/share/neuralcore/run/daemon.sock"));
        assertThat(config.bridge().maxTextFrame()).isEqualTo(1 << 20);
        assertThat(config.bridge().maxBinaryFrame()).isEqualTo(16 << 20);
        assertThat(config.bridge().idle()).isEqualTo(Duration.ofSeconds(60));
        assertThat(config.bridge().outbound()).containsExactly("neuralcore.bus.*");
        assertThat(config.vectors().maxBytes()).isEqualTo(4L << 30);
        assertThat(config.embedding().models())
                .isEqualTo(Path.of("/home/ann/.local/share/neuralcore/models"));
        assertThat(config.lifecycle())
                .isEqualTo(
                        new RuntimeConfig.Lifecycle(false, Duration.ZERO, Duration.ofSeconds(10)));
        assertThat(config.cluster().enabled()).isFalse();
        assertThat(config.web().allowedHosts()).contains("[::1]");
    }

    @Test
    void aLaterSourceWinsAndEachValueNamesItsSource() throws IOException {
        Path file = file("bridge:\n  port: 1\n  idle: 5s\nweb: {port: 2}\nbus:\n");
        LoadedConfig loaded =
                load(
                        file,
                        Map.of("NEURALCORE_BRIDGE_PORT", "3", "NEURALCORE_WEB_PORT", "4"),
                        Given.text("bridge.port", "5", "--port"),
                        Given.assignment("bus.max_queue_size=6"),
                        Given.assignment("bus.max_queue_size=7"));

        assertThat(loaded.config().bridge().port()).isEqualTo(5);
        assertThat(loaded.config().web().port()).isEqualTo(4);
        assertThat(loaded.config().bridge().idle()).isEqualTo(Duration.ofSeconds(5));
        assertThat(loaded.config().bus().maxQueueSize()).isEqualTo(7);
        assertThat(source(loaded, "bridge.port")).isEqualTo("--port");
        assertThat(source(loaded, "web.port")).isEqualTo("NEURALCORE_WEB_PORT");
        assertThat(source(loaded, "bridge.idle")).isEqualTo(file + " line 3");
        assertThat(source(loaded, "bus.max_queue_size")).isEqualTo("--set");
        assertThat(source(loaded, "log.level")).isEqualTo("default");
        assertThat(loaded.entries()).hasSize(Settings.all().size());
        assertThat(loaded.table()).containsPattern("bridge\\.port +5 +--port\n");
    }

    @Test
    void allProblemsAreToldAtOnceWithKeyValueSourceAndNearestName() throws IOException {
        Path file = file("brigde:\n  port: 7\nbus:\n  max_queue_size: -3\n");

        assertThatThrownBy(
                        () ->
                                load(
                                        file,
                                        Map.of("NEURALCORE_LOG_LEVLE", "debug"),
                                        Given.text("bridge.port", "70000", "--port")))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.CONFIG_INVALID))
                .hasMessageContaining("4 settings cannot be used")
                .hasMessageContaining(
                        "brigde.port = 7 (%s line 2): no such setting; the nearest is bridge.port"
                                .formatted(file))
                .hasMessageContaining(
                        "bus.max_queue_size = -3 (%s line 4): it must be a whole number between 1"
                                .formatted(file))
                .hasMessageContaining("NEURALCORE_LOG_LEVLE=debug: no such setting")
                .hasMessageContaining("the nearest is NEURALCORE_LOG_LEVEL")
                .hasMessageContaining("bridge.port = 70000 (--port)");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bridge.port|-1",
                "bridge.port|1.5",
                "bridge.port|99999999999999999999",
                "bridge.host|0.0.0.0",
                "bridge.host|example.org",
                "web.host|192.168.1.7",
                "web.host|::",
                "bridge.idle|10",
                "bridge.idle|-1s",
                "bridge.idle|0",
                "bridge.max_text_frame|1 furlong",
                "bridge.max_text_frame|0",
                "bridge.max_binary_frame|9000000000000 TiB",
                "roles|bus,bridges",
                "roles|[]",
                "log.level|loud",
                "lifecycle.owned|maybe",
                "web.allowed_origins|*",
                "cluster.join|nowhere",
                "bridge.inbound|neuralcore.*.bus",
                "embedding.model|../../etc/passwd",
            })
    void refusesValuesThatCannotBe(String key, String value) {
        assertThatThrownBy(() -> load(null, Map.of(), Given.text(key, value, "--set")))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageStartingWith(key + " = " + value + " (--set): it must be ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bridge.slow_reader_grace|500ms|500ms",
                "bridge.idle|5m|5m",
                "bridge.idle|2 h|2h",
                "bridge.max_text_frame|65536|64 KiB",
                "bridge.max_text_frame|2mib|2 MiB",
                "bridge.max_text_frame|2M|2 MiB",
                "bridge.host|localhost|localhost",
                "bridge.host|::1|::1",
                "bridge.host|127.8.8.8|127.8.8.8",
                "roles|bridge, BUS|[bus, bridge]",
                "roles|[web]|[web]",
                "cluster.join|''|[]",
                "cluster.join|a:1,[::1]:2|[a:1, \"[::1]:2\"]",
                "lifecycle.owned|yes|true",
                "log.level|DEBUG|debug",
                "data.folder|/a/../b|/b",
            })
    void readsValuesAsPeopleWriteThem(String key, String value, String shown) {
        LoadedConfig loaded = load(null, Map.of(), Given.text(key, value, "--set"));

        assertThat(entry(loaded, key).value()).isEqualTo(shown);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bridge: [1, 2]",
                "bridge:\n  port: {a: 1}",
                "bridge:\n  port:",
                "bridge:\n  port: 1\n  port: 2",
                "bridge: {port: 1}\nbridge.port: 2",
                "- 1",
                "bridge: {port: [1]}",
                "bridge:\n\tport: 1",
                "a: &a [*a]",
                "roles: [[bus]]",
            })
    void refusesFilesOfAnotherForm(String text) throws IOException {
        Path file = file(text);

        assertThatThrownBy(() -> load(file, Map.of()))
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining(file.toString());
    }

    @Test
    void aFileThatWasNamedMustExist() {
        assertThatThrownBy(() -> load(folder.resolve("gone.yaml"), Map.of()))
                .hasMessageContaining("there is no such configuration file");
    }

    @Test
    void olderNamesAreUnderstoodAndTold() throws IOException {
        Path file = file("num_threads: 3\nverbose: true\nmodels_path: m\npersistence_path: /p\n");
        LoadedConfig loaded = load(file, Map.of());

        assertThat(loaded.config().embedding().threads()).isEqualTo(3);
        assertThat(loaded.config().vectors().threads()).isEqualTo(3);
        assertThat(loaded.config().log().level()).isEqualTo("debug");
        assertThat(loaded.config().embedding().models()).isEqualTo(folder.resolve("m"));
        assertThat(loaded.config().data().folder()).isEqualTo(Path.of("/p"));
        assertThat(loaded.notes())
                .hasSize(4)
                .anySatisfy(note -> assertThat(note).contains("it sets data.folder"));
        assertThat(source(loaded, "data.folder")).endsWith("line 4 (as persistence_path)");
    }

    @Test
    void aKeysOwnNameWinsOverItsOlderNameInOneSource() {
        LoadedConfig loaded =
                load(
                        null,
                        Map.of(
                                "NEURALCORE_VECTORS_THREADS", "2",
                                "NEURALCORE_NUM_THREADS", "3",
                                "NEURALCORE_HOME", "/home-of-it",
                                "NEURALCORE_DATA_FOLDER", "/folder-of-it"));

        assertThat(loaded.config().vectors().threads()).isEqualTo(2);
        assertThat(loaded.config().embedding().threads()).isEqualTo(3);
        assertThat(loaded.config().data().folder()).isEqualTo(Path.of("/folder-of-it"));
    }

    @Test
    void theLaunchersNamesAreNotOurs() {
        Map<String, String> environment =
                Map.of(
                        "NEURALCORE_JAVA", "x",
                        "NEURALCORE_URL", "x",
                        "NEURALCORE_CONFIG", "x",
                        "NEURALCORE_CLIENT_TIMEOUT", "x");

        assertThat(load(null, environment).entries()).hasSize(Settings.all().size());
    }

    @Test
    void theDataFolderFollowsThePlatform() {
        Platform mac = new Platform("Mac OS X", Path.of("/Users/ann"));

        assertThat(ConfigLoader.load(null, Map.of(), List.of(), mac).config().data().folder())
                .isEqualTo(Path.of("/Users/ann/Library/Application Support/neuralcore"));
        assertThat(load(null, Map.of("XDG_DATA_HOME", "/x")).config().data().folder())
                .isEqualTo(Path.of("/x/neuralcore"));
        assertThat(load(null, Map.of("XDG_DATA_HOME", "relative")).config().data().folder())
                .isEqualTo(Path.of("/home/ann/.local/share/neuralcore"));
    }

    @Test
    void aDeepDataFolderHasItsSocketElsewhere() {
        String deep = "/" + "d".repeat(120);
        LoadedConfig first = load(null, Map.of("NEURALCORE_HOME", deep));
        LoadedConfig second = load(null, Map.of("NEURALCORE_HOME", deep + "2"));

        assertThat(first.config().bridge().socket().toString())
                .matches("/tmp/neuralcore-\\d+-[0-9a-f]{16}/daemon\\.sock");
        assertThat(first.config().bridge().socket())
                .isNotEqualTo(second.config().bridge().socket());
        assertThatThrownBy(() -> load(null, Map.of(), Given.text("bridge.socket", deep, "--set")))
                .hasMessageContaining("at most 100 bytes");
    }

    @Test
    void aStrangersValueCannotForgeTheMessage() {
        assertThatThrownBy(
                        () ->
                                load(
                                        null,
                                        Map.of(),
                                        Given.text("log.level", "x\n\u001b[2Jok", "--set")))
                .hasMessageContaining("x\\u000a\\u001b[2Jok");
    }

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("neuralcore.yaml"), text);
    }

    private static LoadedConfig load(
            Path file, Map<String, String> environment, Given... commandLine) {
        return ConfigLoader.load(file, environment, List.of(commandLine), LINUX);
    }

    private static String source(LoadedConfig loaded, String key) {
        return entry(loaded, key).source();
    }

    private static LoadedConfig.Entry entry(LoadedConfig loaded, String key) {
        return loaded.entries().stream().filter(e -> e.key().equals(key)).findFirst().orElseThrow();
    }
}
