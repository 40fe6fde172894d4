package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import neuralcore.Main;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real processes: how they end, and what they leave. */
class ExitCodesTest {
    @TempDir Path folder;

    @Test
    void aWrongCommandLineIs64AndSaysWhatIsNear() throws Exception {
        try (Jvm jvm = Jvm.start(folder, Main.class, "serve", "--prot", "1")) {
            assertThat(jvm.exitCode()).isEqualTo(64);
            assertThat(jvm.errors())
                    .startsWith("neuralcore: 'neuralcore serve' has no option --prot")
                    .contains("the nearest is --port");
        }
    }

    @Test
    void aWrongConfigurationIs78() throws Exception {
        try (Jvm jvm = serve("--set", "bridge.prot=1", "--set", "web.host=0.0.0.0")) {
            assertThat(jvm.exitCode()).isEqualTo(78);
            assertThat(jvm.errors())
                    .contains(
                            "bridge.prot = 1 (--set): no such setting; the nearest is bridge.port")
                    .contains("web.host = 0.0.0.0 (--set): it must be a loopback address");
        }
        assertThat(folder.resolve("data")).doesNotExist();
    }

    @Test
    void aBusyPortIs75AndIsNamed() throws Exception {
        try (ServerSocket busy = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Jvm jvm = serve("--port", String.valueOf(busy.getLocalPort()))) {
            assertThat(jvm.exitCode()).isEqualTo(75);
            assertThat(jvm.errors())
                    .contains("neuralcore: ")
                    .contains(String.valueOf(busy.getLocalPort()))
                    .contains("bridge.port");
        }
        assertThat(folder.resolve("data/run/ready.json")).doesNotExist();
        assertThat(folder.resolve("data/logs/daemon.log"))
                .content()
                .contains("The daemon did not start");
    }

    @Test
    void aSecondDaemonOnTheFolderIs73AndTheFirstLivesUntilItIsTerminated() throws Exception {
        Path ready = folder.resolve("data/run/ready.json");
        try (Jvm first = serve()) {
            first.await(ready);
            try (Jvm second = serve()) {
                assertThat(second.exitCode()).isEqualTo(73);
                assertThat(second.errors())
                        .contains("process " + first.process().pid())
                        .contains("--data");
            }
            assertThat(ready).as("the second took nothing from the first").exists();
            first.process().destroy();
            assertThat(first.exitCode()).isZero();
        }
        assertThat(ready).doesNotExist();
        assertThat(folder.resolve("data/run/daemon.sock")).doesNotExist();
        assertThat(folder.resolve("data/run/token")).exists();
        assertThat(folder.resolve("data/logs/daemon.log"))
                .content()
                .contains("Stopping: SIGTERM")
                .endsWith("Stopped\n");
    }

    @Test
    void aFolderThatCannotBeUsedIs73() throws Exception {
        Files.createFile(folder.resolve("data"));
        try (Jvm jvm = serve()) {
            assertThat(jvm.exitCode()).isEqualTo(73);
            assertThat(jvm.errors()).contains("is a file, not a folder");
        }
    }

    @Test
    void anOwnedDaemonEndsWithItsOwner() throws Exception {
        Path told = folder.resolve("told.json");
        try (Jvm jvm = serve("--owned", "--ready-file", told.toString())) {
            jvm.await(told);
            jvm.process().getOutputStream().close();
            assertThat(jvm.exitCode()).isZero();
        }
        assertThat(told).doesNotExist();
    }

    @Test
    void aDaemonThatWasKilledDoesNotStandInTheWayOfTheNext() throws Exception {
        Path ready = folder.resolve("data/run/ready.json");
        try (Jvm first = serve()) {
            first.await(ready);
        }
        assertThat(ready).as("a killed process tidies nothing").exists();
        Files.writeString(ready, "{\"stale\": true}");
        try (Jvm second = serve("--idle-exit", "1s")) {
            assertThat(second.exitCode()).isZero();
            assertThat(second.errors()).contains("no client for 1 s");
        }
        assertThat(ready).doesNotExist();
    }

    private Jvm serve(String... options) throws IOException {
        List<String> arguments =
                new ArrayList<>(
                        List.of(
                                "serve",
                                "--data",
                                folder.resolve("data").toString(),
                                "--roles",
                                "bridge"));
        arguments.addAll(List.of(options));
        return Jvm.start(folder, Main.class, arguments.toArray(new String[0]));
    }
}
