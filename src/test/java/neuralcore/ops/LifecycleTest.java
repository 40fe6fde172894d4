package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import neuralcore.eventbus.Addresses;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LifecycleTest {
    private final Vertx vertx = Vertx.vertx();

    @TempDir Path folder;

    /** Is asked to stop, says that it heard, and never does. */
    static final class Stubborn {
        public static void main(String[] arguments) throws Exception {
            CompletableFuture<String> asked = new CompletableFuture<>();
            Signals.handle(asked::complete);
            Files.createFile(Path.of(arguments[0], "started"));
            Files.createFile(Path.of(arguments[0], asked.get()));
            Thread.sleep(Long.MAX_VALUE);
        }
    }

    @Test
    void theSecondSignalEndsWhatTheFirstCouldNot() throws Exception {
        try (Jvm jvm = Jvm.start(folder, Stubborn.class, folder.toString())) {
            jvm.await(folder.resolve("started"));
            jvm.process().destroy();
            jvm.await(folder.resolve("SIGTERM"));
            jvm.process().destroy();
            assertThat(jvm.exitCode()).isEqualTo(143);
        }
    }

    @AfterEach
    void close() {
        vertx.close().await();
    }

    @Test
    void idleExitWaitsForTheLastClientToLeave() throws Exception {
        CompletableFuture<String> idle = new CompletableFuture<>();
        CountDownLatch connected = new CountDownLatch(2);
        IdleExit.start(vertx, Duration.ofSeconds(3), idle::complete);
        vertx.eventBus()
                .<Integer>localConsumer(Addresses.CONNECTIONS, change -> connected.countDown());
        vertx.eventBus().publish(Addresses.CONNECTIONS, 1);
        vertx.eventBus().publish(Addresses.CONNECTIONS, 1);
        assertThat(connected.await(10, TimeUnit.SECONDS)).isTrue();
        vertx.eventBus().publish(Addresses.CONNECTIONS, -1);
        Thread.sleep(3_200);
        assertThat(idle).as("one client is still there").isNotDone();

        vertx.eventBus().publish(Addresses.CONNECTIONS, -1);
        assertThat(idle.get(30, TimeUnit.SECONDS)).isEqualTo("no client for 3 s");
    }

    @Test
    void theOwnersEndIsNoticed() throws Exception {
        PipedOutputStream owner = new PipedOutputStream();
        PipedInputStream input = new PipedInputStream(owner);
        CompletableFuture<String> ended = new CompletableFuture<>();
        OwnerWatch.start(input, ended::complete);
        writeTo(owner);
        assertThat(ended).isNotDone();

        owner.close();
        assertThat(ended.get(30, TimeUnit.SECONDS)).contains("owner");
    }

    @Test
    void readinessIsOneForAVertxAndHearsTheEventBus() throws Exception {
        Readiness readiness = Readiness.of(vertx);
        assertThat(Readiness.of(vertx)).isSameAs(readiness);
        readiness.expect(Readiness.DOOR);
        readiness.expect(Readiness.MODEL);
        assertThat(readiness.isReady()).isFalse();

        CountDownLatch changed = new CountDownLatch(1);
        readiness.onChange(changed::countDown);
        Readiness.tell(vertx, Readiness.MODEL, true, "all-MiniLM-L6-v2");
        assertThat(changed.await(30, TimeUnit.SECONDS)).isTrue();

        assertThat(readiness.isReady(Readiness.MODEL)).isTrue();
        assertThat(readiness.detail(Readiness.MODEL)).isEqualTo("all-MiniLM-L6-v2");
        assertThat(readiness.isReady()).as("the door is not open").isFalse();
        readiness.set(Readiness.DOOR, true, "");
        assertThat(readiness.isReady()).isTrue();
        assertThat(readiness.describe()).containsOnlyKeys("door", "model");
    }

    private static void writeTo(PipedOutputStream owner) throws IOException {
        owner.write("words that mean nothing\n".getBytes(java.nio.charset.StandardCharsets.UTF_8));
        owner.flush();
    }
}
