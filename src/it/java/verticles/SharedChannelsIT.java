package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static verticles.FrameClient.json;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.Payloads;
import neuralcore.wire.Settlement;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The recipe of docs/relays.md by which two daemons share a channel over Kafka, as it stands there:
 * two daemons in processes of their own and a real broker. Each message is worked on once by one of
 * them, whoever published it, and when one daemon is killed, nothing that it had confirmed is lost.
 */
@Timeout(600)
class SharedChannelsIT {
    private static final List<String> FLAGS =
            List.of("--add-modules=jdk.incubator.vector", "-Xmx256m");
    private static final Pattern RECIPE =
            Pattern.compile(
                    "### Two daemons share channels by a consumer group.*?```yaml\n(.*?)```",
                    Pattern.DOTALL);
    private static final int PARTITIONS = 8;
    private static final int CUSTOMERS = 40;
    private static final long PATIENCE_SECONDS = 120;

    @TempDir Path folder;
    private int published;

    @Test
    void twoDaemonsShareAChannelAndEitherMayDie() throws Exception {
        try (KafkaServer kafka = new KafkaServer(Files.createDirectory(folder.resolve("kafka")));
                Node one = new Node("one", kafka);
                Node two = new Node("two", kafka)) {
            makeTopic(kafka);
            one.start();
            two.start();
            await("both to have a share", () -> bothWorkOn(one, two));
            publish(one, 400);
            publish(two, 400);
            awaitAll(one, two);
            assertThat(numbers(one, two)).as("each once").hasSize(published);
            assertThat(written(kafka)).as("nothing goes round").isEqualTo(published);

            two.kill();
            int before = published;
            publish(one, 400);
            await("one to have the work of both", () -> one.has(before, published));
            two.start();
            await("both to have a share again", () -> bothWorkOn(one, two));
            awaitAll(one, two);

            // This time the one that is published to, with what it has confirmed a moment ago.
            publish(one, 400);
            one.kill();
            int without = published;
            publish(two, 400);
            await("two to have the work of both", () -> two.has(without, published));
            one.start();
            awaitAll(one, two);

            for (Node node : List.of(one, two)) {
                node.firstOfEachInOrder();
            }
        }
    }

    /** Publishes on; whether both got something of it. */
    private boolean bothWorkOn(Node one, Node two) {
        int from = published;
        try {
            publish(one, 2 * CUSTOMERS);
            await("it to arrive", () -> both(one, two).containsAll(range(from, published)));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
        return one.numbers().stream().anyMatch(number -> number >= from)
                && two.numbers().stream().anyMatch(number -> number >= from);
    }

    private void awaitAll(Node one, Node two) throws Exception {
        await("all to arrive", () -> both(one, two).equals(range(0, published)));
    }

    private static Set<Integer> both(Node one, Node two) {
        return new HashSet<>(numbers(one, two));
    }

    private static List<Integer> numbers(Node one, Node two) {
        List<Integer> all = new ArrayList<>(one.numbers());
        all.addAll(two.numbers());
        return all;
    }

    private static Set<Integer> range(int from, int to) {
        return IntStream.range(from, to).boxed().collect(Collectors.toSet());
    }

    /** Returns when the daemon has it on its disk. */
    private void publish(Node to, int count) throws Exception {
        List<Envelope> messages = new ArrayList<>();
        for (int i = 0; i < count; i++, published++) {
            messages.add(message(to.name, published));
        }
        try (FrameClient client = to.daemon().connect()) {
            client.send(new Frame.Publish(1, Frame.Confirm.DURABLE, "shop", messages));
            Frame answer = client.receive();
            while (answer instanceof Frame.Flow) {
                answer = client.receive();
            }
            assertThat(answer).isEqualTo(new Frame.Published(1, count, List.of()));
        }
    }

    private static Envelope message(String by, int number) {
        byte[] body =
                "{\"customer\":\"c%d\",\"number\":%d,\"by\":\"%s\"}"
                        .formatted(number % CUSTOMERS, number, by)
                        .getBytes(StandardCharsets.UTF_8);
        return new Envelope(
                "jobs",
                7L,
                number + 1L,
                System.currentTimeMillis() * 1_000_000,
                5,
                0,
                0,
                Envelope.JSON,
                Envelope.NONE,
                body,
                body.length);
    }

    private static void makeTopic(KafkaServer kafka) throws Exception {
        try (Admin admin = kafka.admin()) {
            admin.createTopics(List.of(new NewTopic("jobs", PARTITIONS, (short) 1)))
                    .all()
                    .get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
    }

    /** How many messages are in the topic. */
    private static long written(KafkaServer kafka) throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int i = 0; i < PARTITIONS; i++) {
            ends.put(new TopicPartition("jobs", i), OffsetSpec.latest());
        }
        try (Admin admin = kafka.admin()) {
            return admin
                    .listOffsets(ends)
                    .all()
                    .get(PATIENCE_SECONDS, TimeUnit.SECONDS)
                    .values()
                    .stream()
                    .mapToLong(end -> end.offset())
                    .sum();
        }
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("awaited: %s", what).isLessThan(end);
            Thread.sleep(20);
        }
    }

    /** One of the two daemons, with a worker that connects again whenever it can. */
    private final class Node implements AutoCloseable {
        private final String name;
        private final Path data;
        private final List<DaemonProcess> processes = new ArrayList<>();
        private final ConcurrentLinkedQueue<Map<?, ?>> done = new ConcurrentLinkedQueue<>();

        Node(String name, KafkaServer kafka) throws Exception {
            this.name = name;
            data = Files.createDirectory(folder.resolve(name));
            Matcher recipe = RECIPE.matcher(Files.readString(Path.of("docs", "relays.md")));
            assertThat(recipe.find()).isTrue();
            assertThat(recipe.group(1)).contains("localhost:9092");
            Files.writeString(
                    data.resolve("relays.yaml"),
                    recipe.group(1).replace("localhost:9092", kafka.servers()));
        }

        void start() throws Exception {
            Files.deleteIfExists(data.resolve("run/ready.json"));
            DaemonProcess process =
                    DaemonProcess.start(data, FLAGS, "--roles", "bus,bridge,relay", "--port", "0");
            processes.add(process);
            FrameClient client = process.connect();
            call(
                    client,
                    Addresses.MESSAGING_CREATE,
                    json("channel", "jobs", "persistent", true, "max_queue_size", 100_000L));
            call(
                    client,
                    Addresses.MESSAGING_SUBSCRIBE,
                    json(
                            "channel",
                            "jobs",
                            "subscription",
                            1L,
                            "credit",
                            64L,
                            "group",
                            "workers",
                            "durable",
                            true,
                            "start",
                            Map.of("at", "first")));
            Thread.ofPlatform().daemon().start(() -> work(client));
        }

        private static void call(FrameClient client, String address, Map<String, Object> params)
                throws IOException {
            Map<String, Object> all = new LinkedHashMap<>(params);
            all.put("namespace", "shop");
            Frame answer = client.call(address, all);
            assertThat(answer).isInstanceOf(Frame.Answer.class);
        }

        /** Until the daemon is killed. */
        private void work(FrameClient client) {
            try (client) {
                while (true) {
                    if (client.receive() instanceof Frame.Deliver deliver) {
                        List<Settlement> settled = new ArrayList<>();
                        for (Delivery delivery : deliver.deliveries()) {
                            done.add((Map<?, ?>) Payloads.payload(delivery.envelope()));
                            settled.add(Settlement.ack(1, delivery.sequence()));
                        }
                        client.send(new Frame.Settle(1, false, settled));
                    }
                }
            } catch (IOException e) {
                // It is dead.
            }
        }

        DaemonProcess daemon() {
            return processes.getLast();
        }

        List<Integer> numbers() {
            return done.stream().map(job -> ((Number) job.get("number")).intValue()).toList();
        }

        boolean has(int from, int to) {
            return new HashSet<>(numbers()).containsAll(range(from, to));
        }

        /**
         * Each customer's jobs, as each daemon published them; what was given again, because the
         * daemon was killed, aside.
         */
        void firstOfEachInOrder() {
            Map<Object, Integer> last = new HashMap<>();
            Set<Integer> seen = new HashSet<>();
            for (Map<?, ?> job : done) {
                int number = ((Number) job.get("number")).intValue();
                if (seen.add(number)) {
                    Integer before = last.put(job.get("by") + " " + job.get("customer"), number);
                    assertThat(before == null ? -1 : before).isLessThan(number);
                }
            }
        }

        void kill() throws InterruptedException {
            daemon().close();
        }

        @Override
        public void close() throws InterruptedException {
            for (DaemonProcess process : processes) {
                process.close();
            }
        }
    }
}
