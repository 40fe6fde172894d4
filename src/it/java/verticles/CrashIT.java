package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.Settlement;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The whole daemon, killed again and again while clients publish with durable confirmations and a
 * durable group acknowledges: what was confirmed is in the log once and in order, was delivered,
 * and once its acknowledgement was confirmed never again; and nothing is there that nobody sent.
 * {@code -Dneuralcore.kills=200} is the long form.
 */
class CrashIT {
    private static final String NAMESPACE = "crash";
    private static final int PRODUCERS = 3;
    private static final int BATCH = 40;
    private static final int IN_FLIGHT = 4;

    /** What a client waits for after the last kill comes within this, or is a violation. */
    private static final Duration PATIENCE = Duration.ofMinutes(3);

    /** Before each kill, so that there is something to lose. */
    private static final int CONFIRMED_PER_KILL = 100;

    @TempDir Path folder;

    private final AtomicBoolean publishing = new AtomicBoolean(true);
    private final AtomicBoolean consuming = new AtomicBoolean(true);
    private final Map<String, Boolean> sent = new ConcurrentHashMap<>();
    private final Map<String, Boolean> confirmed = new ConcurrentHashMap<>();
    private final Map<String, Boolean> delivered = new ConcurrentHashMap<>();

    /** Acknowledged, whether that was confirmed or nobody knows. */
    private final Map<String, Boolean> settling = new ConcurrentHashMap<>();

    private final Map<String, Boolean> acknowledged = new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<String> violations = new ConcurrentLinkedQueue<>();
    private final AtomicLong lastDelivery = new AtomicLong(System.nanoTime());
    private volatile Path socket = Path.of("/nowhere");

    @Test
    void nothingAcknowledgedIsLost() throws Exception {
        long seed = Long.getLong("neuralcore.seed", System.nanoTime());
        Random random = new Random(seed);
        int kills = Integer.getInteger("neuralcore.kills", 20);
        Path data = folder.resolve("data");
        List<Long> startMillis = new ArrayList<>();
        DaemonProcess daemon = start(data, startMillis);
        List<Thread> clients = new ArrayList<>();
        for (int i = 1; i <= PRODUCERS; i++) {
            long publisher = i * 1_000_003L;
            clients.add(Thread.ofPlatform().daemon().start(() -> produce(publisher)));
        }
        Thread consumer = Thread.ofPlatform().daemon().start(this::consume);
        for (int kill = 0; kill < kills; kill++) {
            Thread.sleep(200 + random.nextInt(700));
            awaitConfirmations((kill + 1) * CONFIRMED_PER_KILL);
            daemon.close();
            daemon = start(data, startMillis);
        }
        publishing.set(false);
        for (Thread client : clients) {
            if (!client.join(PATIENCE)) {
                violations.add("I8: a publisher still waits for confirmations");
            }
        }
        lastDelivery.set(System.nanoTime());
        while (System.nanoTime() - lastDelivery.get() < 3_000_000_000L) {
            Thread.sleep(100);
        }
        consuming.set(false);
        long left = left();
        Map<String, Long> log = new ConcurrentHashMap<>();
        Thread reader = Thread.ofPlatform().daemon().start(() -> readLog(log));
        if (!reader.join(PATIENCE)) {
            violations.add("I1: the log ends before all of it was read");
        }
        daemon.close();
        reader.join();
        consumer.join();
        System.err.printf(
                "seed %d: %d kills, %d sent, %d confirmed, %d in the log, %d delivered, %d"
                        + " acknowledged; starts took %s ms%n",
                seed,
                kills,
                sent.size(),
                confirmed.size(),
                log.size(),
                delivered.size(),
                acknowledged.size(),
                startMillis);
        assertThat(violations).as("seed %d", seed).isEmpty();
        assertThat(missing(confirmed, log)).as("I1 lost, seed %d", seed).isEmpty();
        assertThat(missing(log, sent)).as("I2 phantom, seed %d", seed).isEmpty();
        assertThat(missing(delivered, log)).as("I2 delivered, seed %d", seed).isEmpty();
        assertThat(missing(log, delivered)).as("I8, seed %d", seed).isEmpty();
        assertThat(missing(log, settling)).as("I8, seed %d", seed).isEmpty();
        assertThat(left).as("I8: left for the group, seed %d", seed).isZero();
        assertThat(confirmed.size()).isGreaterThanOrEqualTo(kills * CONFIRMED_PER_KILL);
    }

    /** A machine busy with other things may have had no time to confirm anything. */
    private void awaitConfirmations(int count) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (confirmed.size() < count && System.nanoTime() < end) {
            Thread.sleep(10);
        }
    }

    /** What of the first map is not in the second. Hundreds of thousands of each: no list. */
    private static Set<String> missing(Map<String, ?> expected, Map<String, ?> found) {
        Set<String> missing = new TreeSet<>(expected.keySet());
        missing.removeIf(found::containsKey);
        return missing;
    }

    private DaemonProcess start(Path data, List<Long> startMillis) throws Exception {
        Files.deleteIfExists(data.resolve("run/ready.json"));
        long began = System.nanoTime();
        DaemonProcess daemon =
                DaemonProcess.start(
                        data,
                        List.of("--add-modules", "jdk.incubator.vector", "-Xmx256m"),
                        "--roles",
                        "bus,bridge",
                        "--port",
                        "0");
        startMillis.add((System.nanoTime() - began) / 1_000_000);
        socket = Path.of((String) daemon.ready().get("socket"));
        return daemon;
    }

    private static String id(Envelope message) {
        return message.publisher() + "-" + message.sequence();
    }

    private static Envelope message(long publisher, long number) {
        byte[] body = new byte[100];
        ByteBuffer.wrap(body).putLong(publisher).putLong(number);
        return new Envelope(
                "tasks",
                publisher,
                number,
                System.currentTimeMillis() * 1_000_000,
                number % 3,
                0,
                0,
                Envelope.BYTES,
                Envelope.NONE,
                body,
                body.length);
    }

    // Publishing

    private void produce(long publisher) {
        long next = 1;
        Map<Integer, List<Envelope>> unconfirmed = new java.util.LinkedHashMap<>();
        int batch = 0;
        while (publishing.get() || !unconfirmed.isEmpty()) {
            try (FrameClient client = FrameClient.unix(socket)) {
                create(client);
                // What was not confirmed is sent again, with the numbers it had.
                for (Map.Entry<Integer, List<Envelope>> again : unconfirmed.entrySet()) {
                    send(client, again.getKey(), again.getValue());
                }
                while (publishing.get() || !unconfirmed.isEmpty()) {
                    if (publishing.get() && unconfirmed.size() < IN_FLIGHT) {
                        List<Envelope> messages = new ArrayList<>();
                        for (int i = 0; i < BATCH; i++) {
                            messages.add(message(publisher, next++));
                        }
                        unconfirmed.put(++batch, messages);
                        send(client, batch, messages);
                    } else {
                        Frame frame = client.receive();
                        if (frame instanceof Frame.Published published) {
                            take(published, unconfirmed.remove(published.batch()));
                        } else {
                            violations.add("a publisher got " + frame);
                        }
                    }
                }
            } catch (IOException e) {
                pause();
            }
        }
    }

    private static void create(FrameClient client) throws IOException {
        client.call(
                "neuralcore.messaging.create",
                FrameClient.json(
                        "namespace",
                        NAMESPACE,
                        "channel",
                        "tasks",
                        "persistent",
                        true,
                        "max_queue_size",
                        0L));
    }

    private void send(FrameClient client, int batch, List<Envelope> messages) throws IOException {
        messages.forEach(message -> sent.put(id(message), true));
        client.send(new Frame.Publish(batch, Frame.Confirm.DURABLE, NAMESPACE, messages));
    }

    private void take(Frame.Published published, List<Envelope> messages) {
        if (messages == null) {
            return;
        }
        Map<Long, ErrorCode> rejected = new HashMap<>();
        published.rejections().forEach(one -> rejected.put(one.sequence(), one.code()));
        for (Envelope message : messages) {
            ErrorCode code = rejected.get(message.sequence());
            if (code == null || code == ErrorCode.DUPLICATE) {
                confirmed.put(id(message), true);
            } else {
                violations.add("rejected: " + id(message) + " " + code);
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    // Consuming

    private void consume() {
        Map<Integer, List<String>> open = new HashMap<>();
        int correlation = 0;
        while (consuming.get()) {
            open.clear();
            try (FrameClient client = FrameClient.unix(socket)) {
                create(client);
                client.call(
                        "neuralcore.messaging.subscribe",
                        FrameClient.json(
                                "namespace",
                                NAMESPACE,
                                "channel",
                                "tasks",
                                "subscription",
                                7L,
                                "credit",
                                300L,
                                "durable",
                                true,
                                "group",
                                "workers",
                                "start",
                                Map.of("at", "first")));
                while (true) {
                    Frame frame = client.receive();
                    if (frame instanceof Frame.Deliver deliver) {
                        List<Settlement> acks = new ArrayList<>();
                        List<String> ids = new ArrayList<>();
                        for (Delivery delivery : deliver.deliveries()) {
                            String id = id(delivery.envelope());
                            if (acknowledged.containsKey(id)) {
                                violations.add("I9: delivered after its acknowledgement: " + id);
                            }
                            delivered.put(id, true);
                            settling.put(id, true);
                            ids.add(id);
                            acks.add(
                                    new Settlement(
                                            7, Settlement.Kind.ACK, delivery.sequence(), 0, ""));
                        }
                        lastDelivery.set(System.nanoTime());
                        open.put(++correlation, ids);
                        client.send(new Frame.Settle(correlation, true, acks));
                    } else if (frame instanceof Frame.Settled settled) {
                        List<String> ids = open.remove(settled.correlation());
                        if (settled.unknown() == 0) {
                            ids.forEach(id -> acknowledged.put(id, true));
                        }
                    }
                }
            } catch (IOException e) {
                pause();
            }
        }
    }

    /** What waits for the group, or is handed out and not settled. */
    private long left() throws IOException {
        try (FrameClient client = FrameClient.unix(socket)) {
            Frame.Answer answer =
                    (Frame.Answer)
                            client.call(
                                    "neuralcore.messaging.stats",
                                    FrameClient.json("namespace", NAMESPACE));
            Map<?, ?> tasks =
                    (Map<?, ?>) ((Map<?, ?>) answer.result().get("channels")).get("tasks");
            return (Long) tasks.get("queued") + (Long) tasks.get("in_flight");
        }
    }

    /**
     * Puts everything in the log, by id, into the map; its numbers have no holes and each
     * producer's are in order.
     */
    private void readLog(Map<String, Long> log) {
        Map<Long, Long> lastOf = new HashMap<>();
        try (FrameClient client = FrameClient.unix(socket)) {
            client.call(
                    "neuralcore.messaging.subscribe",
                    FrameClient.json(
                            "namespace",
                            NAMESPACE,
                            "channel",
                            "tasks",
                            "subscription",
                            9L,
                            "credit",
                            100_000_000L,
                            "start",
                            Map.of("at", "first")));
            long expected = 0;
            Set<String> awaited = new HashSet<>(confirmed.keySet());
            awaited.addAll(delivered.keySet());
            while (!awaited.isEmpty()) {
                if (!(client.receive() instanceof Frame.Deliver deliver)) {
                    continue;
                }
                for (Delivery delivery : deliver.deliveries()) {
                    Envelope message = delivery.envelope();
                    if (delivery.channelSequence() != ++expected) {
                        violations.add("I4: " + delivery.channelSequence() + ", not " + expected);
                    }
                    awaited.remove(id(message));
                    if (log.put(id(message), delivery.channelSequence()) != null) {
                        violations.add("I3: twice in the log: " + id(message));
                    }
                    Long before = lastOf.put(message.publisher(), message.sequence());
                    if (before != null && before > message.sequence()) {
                        violations.add("I5: " + id(message) + " after " + before);
                    }
                }
            }
        } catch (IOException e) {
            violations.add("reading the log: " + e);
        }
    }
}
