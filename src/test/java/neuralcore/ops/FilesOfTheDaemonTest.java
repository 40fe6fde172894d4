package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import neuralcore.config.ConfigLoader;
import neuralcore.config.Given;
import neuralcore.config.Platform;
import neuralcore.config.RuntimeConfig;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FilesOfTheDaemonTest {
    @TempDir Path folder;

    @Test
    void theReadyFileSaysWhatTheProtocolShows() throws IOException {
        Path file = folder.resolve("ready.json");
        ReadyFile ready = new ReadyFile(List.of(file));
        ready.write(() -> contents(true));

        assertThat(read(file))
                .containsEntry("pid", 4711L)
                .containsEntry("socket", "/run/daemon.sock")
                .containsEntry("host", "127.0.0.1")
                .containsEntry("port", 40123L)
                .containsEntry("http_host", "::1")
                .containsEntry("http_port", 40124L)
                .containsEntry("token_file", "/run/token")
                .containsEntry("version", Version.NUMBER)
                .containsEntry("protocol", 1L)
                .containsEntry("started", "2026-11-21T12:00:00Z")
                .containsEntry("open", true)
                .containsEntry("roles", List.of("bus", "bridge"))
                .containsEntry("idle_exit_ms", 600_000L)
                .containsEntry("model_ready", true)
                .hasSize(14);
        assertThat(PrivateFiles.mode(file)).isEqualTo("600");

        ready.close();
        assertThat(file).doesNotExist();
        ready.write(() -> contents(true));
        assertThat(file).as("a late change does not bring it back").doesNotExist();
    }

    @Test
    void aReaderSeesAWholeFileOrNone() throws Exception {
        Path file = folder.resolve("ready.json");
        ReadyFile ready = new ReadyFile(List.of(file));
        AtomicBoolean done = new AtomicBoolean();
        AtomicInteger seen = new AtomicInteger();
        Thread reader =
                Thread.ofPlatform()
                        .start(
                                () -> {
                                    while (!done.get()) {
                                        try {
                                            assertThat(read(file)).hasSize(14);
                                            seen.incrementAndGet();
                                        } catch (NoSuchFileException e) {
                                            Thread.onSpinWait();
                                        } catch (IOException | RuntimeException | Error e) {
                                            seen.set(Integer.MIN_VALUE);
                                            return;
                                        }
                                    }
                                });
        for (int i = 0; i < 500 || seen.get() == 0; i++) {
            boolean modelReady = i % 2 == 0;
            ready.write(() -> contents(modelReady));
        }
        done.set(true);
        reader.join();

        assertThat(seen.get()).isPositive();
        try (var files = Files.list(folder)) {
            assertThat(files).as("nothing is left beside it").containsExactly(file);
        }
    }

    @Test
    void theTokenIsKeptUnlessOthersCouldReadIt() throws IOException {
        String first = TokenFile.readOrCreate(folder);
        Path file = TokenFile.in(folder);

        assertThat(first).matches("[0-9a-f]{64}");
        assertThat(PrivateFiles.mode(file)).isEqualTo("600");
        assertThat(TokenFile.readOrCreate(folder)).isEqualTo(first);

        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        String second = TokenFile.readOrCreate(folder);
        assertThat(second).isNotEqualTo(first);
        assertThat(PrivateFiles.mode(file)).isEqualTo("600");

        Files.writeString(file, "short");
        assertThat(TokenFile.readOrCreate(folder)).matches("[0-9a-f]{64}");
    }

    @Test
    void foldersAreClosedToOthers() throws IOException {
        RuntimeConfig config = config(folder.resolve("a/b"));
        DataFolder.prepare(config);

        for (Path made :
                List.of(folder.resolve("a/b"), config.data().run(), config.data().logs())) {
            assertThat(PrivateFiles.mode(made)).as("%s", made).isEqualTo("700");
        }
    }

    @Test
    void anEmptyFolderIsClosedAndOneThatOthersCanChangeIsRefused() throws IOException {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        Files.setPosixFilePermissions(empty, PosixFilePermissions.fromString("rwxr-xr-x"));
        DataFolder.prepare(config(empty));
        assertThat(PrivateFiles.mode(empty)).isEqualTo("700");

        Path shared = Files.createDirectory(folder.resolve("shared"));
        Files.createFile(shared.resolve("something"));
        Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> DataFolder.prepare(config(shared)))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(ExitCode.of(e.code())).isEqualTo(ExitCode.DATA_FOLDER))
                .hasMessageContaining("chmod 700");
        assertThat(PrivateFiles.mode(shared)).isEqualTo("777");
    }

    @Test
    void aFileInTheFoldersPlaceIsRefused() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));

        assertThatThrownBy(() -> DataFolder.prepare(config(file)))
                .hasMessageContaining("is a file, not a folder");
    }

    @Test
    void aSocketOfNobodyIsRemovedAndAnythingElseIsKept() throws IOException {
        Path file = Files.writeString(folder.resolve("precious"), "data");
        assertThatThrownBy(() -> StaleSocket.remove(file))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.PORT_IN_USE));
        assertThat(file).hasContent("data");

        Path socket = folder.resolve("s");
        var address = java.net.UnixDomainSocketAddress.of(socket);
        var server =
                java.nio.channels.ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX);
        server.bind(address);
        assertThatThrownBy(() -> StaleSocket.remove(socket)).hasMessageContaining("answers on");
        assertThat(socket).exists();
        server.close();
        StaleSocket.remove(socket);
        assertThat(socket).doesNotExist();
        StaleSocket.remove(socket);
    }

    private static RuntimeConfig config(Path data) {
        List<Given> given = List.of(Given.text("data.folder", data.toString(), "test"));
        return ConfigLoader.load(null, Map.of(), given, Platform.current()).config();
    }

    private static ReadyFile.Contents contents(boolean modelReady) {
        return new ReadyFile.Contents(
                4711,
                Path.of("/run/daemon.sock"),
                "127.0.0.1",
                40123,
                "::1",
                40124,
                Path.of("/run/token"),
                Instant.parse("2026-11-21T12:00:00Z"),
                List.of("bus", "bridge"),
                600_000,
                modelReady);
    }

    private static Map<String, @Nullable Object> read(Path file) throws IOException {
        return Json.readObject(ByteBuffer.wrap(Files.readAllBytes(file)));
    }
}
