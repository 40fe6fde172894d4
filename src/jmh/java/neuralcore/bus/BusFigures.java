package neuralcore.bus;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Settlement;

/**
 * Figures of the bus's core that want a whole situation and not a loop: how cost grows with
 * channels and subscribers, a hundred connections with a hundred subscriptions each, a full queue,
 * what a queued message takes, what acknowledging costs, and whether a stopped subscriber is felt.
 * Each line is {@code name TAB unit TAB a value a round}; {@code benchmarks/engine.py} reads them.
 */
public final class BusFigures {
    private static final int ROUNDS = 7;
    private static final int BODY = 150;

    private final byte[] body = new byte[BODY];
    private final Random random = new Random(1);
    private long published;
    private boolean ownBodies;

    private static final class Sink implements Effects {
        long delivered;
        long lost;
        long lastSequence;

        @Override
        public void deliver(String connection, Delivery delivery) {
            delivered++;
            lastSequence = delivery.sequence();
        }

        @Override
        public void rejected(long sequence, ErrorCode code) {
            lost++;
        }

        @Override
        public void evicted(String connection, long sequence) {
            lost++;
        }

        @Override
        public void room(String connection, String namespace, String channel, int messages) {}

        @Override
        public void settled(int settled, int unknown) {}

        @Override
        public void published(int accepted) {}

        @Override
        public void stored(String namespace, long position) {}

        @Override
        public void kept(String namespace, long position) {}

        @Override
        public void notKept(String namespace, long position, ErrorCode code) {}

        @Override
        public void refused(String connection, long sequence, ErrorCode code) {}

        @Override
        public void failed(String namespace, ErrorCode code, String message) {}

        @Override
        public void created(boolean created) {}
    }

    private interface Round {
        /** One measurement. */
        double run();
    }

    public static void main(String[] args) {
        BusFigures figures = new BusFigures();
        for (int channels : new int[] {1, 10, 36, 100, 1_000}) {
            print("channels " + channels, "ns a message", () -> figures.channels(channels));
        }
        for (int subscribers : new int[] {1, 10, 100, 1_000, 10_000}) {
            print(
                    "subscribers " + subscribers,
                    "ns a delivery",
                    () -> figures.subscribers(subscribers));
        }
        for (int patterns : new int[] {1, 10, 100, 1_000}) {
            print("patterns " + patterns, "ns a delivery", () -> figures.patterns(patterns));
        }
        print("100 connections x 100 subscriptions x 100 messages", "ns a delivery", figures::mesh);
        print("drop_old, queue of 10,000 full", "ns a message", figures::dropOld);
        print("acknowledged: publish, deliver, ack", "ns a message", figures::acknowledged);
        print("memory of a queued message beyond its payload", "bytes", figures::memory);
        for (boolean stopped : new boolean[] {false, true}) {
            print(
                    "publish to delivery p99, "
                            + (stopped ? "three running, one stopped" : "four running"),
                    "ns",
                    () -> figures.stepP99(stopped));
        }
    }

    private static void print(String name, String unit, Round round) {
        double[] values = new double[ROUNDS];
        for (int i = -4; i < ROUNDS; i++) {
            double value = round.run();
            if (i >= 0) {
                values[i] = value;
            }
        }
        StringBuilder line = new StringBuilder(name).append('\t').append(unit);
        for (double value : values) {
            line.append('\t').append(String.format(Locale.ROOT, "%.2f", value));
        }
        System.out.println(line);
    }

    private static Namespace open(int maxQueueSize) {
        return new Namespace(
                "figures",
                new BusSettings(
                        maxQueueSize,
                        100,
                        DropPolicy.DROP_OLD,
                        10,
                        20_000,
                        100,
                        Duration.ofDays(1),
                        Profiles.NONE),
                new Surroundings(() -> 0, () -> 0, new Random(1)));
    }

    private List<Envelope> batch(int size, String... channels) {
        List<Envelope> batch = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
            batch.add(
                    new Envelope(
                            channels[i % channels.length],
                            1,
                            ++published,
                            0,
                            random.nextInt(10),
                            0,
                            0,
                            Envelope.JSON,
                            Envelope.NONE,
                            ownBodies ? new byte[BODY] : body,
                            BODY));
        }
        return batch;
    }

    /** Publish to delivery over so many channels with a subscription each, of one connection. */
    private double channels(int channels) {
        Namespace bus = open(0);
        Sink sink = new Sink();
        String[] names = new String[channels];
        for (int i = 0; i < channels; i++) {
            names[i] = "channel-" + i;
            bus.step(new BusEvent.Subscribe(0, "reader", i, names[i], 1 << 30, Terms.PLAIN), sink);
        }
        int batches = 200;
        long spent = 0;
        for (int i = 0; i < batches; i++) {
            BusEvent event = new BusEvent.Publish(0, "writer", batch(1_000, names));
            long begin = System.nanoTime();
            bus.step(event, sink);
            spent += System.nanoTime() - begin;
        }
        check(sink.delivered == batches * 1_000L);
        return (double) spent / sink.delivered;
    }

    /** One channel, so many connections that each subscribe to it. */
    private double subscribers(int subscribers) {
        Namespace bus = open(0);
        Sink sink = new Sink();
        for (int i = 0; i < subscribers; i++) {
            bus.step(new BusEvent.Subscribe(0, "reader-" + i, 1, "a", 1 << 30, Terms.PLAIN), sink);
        }
        int messages = Math.max(20, 200_000 / subscribers);
        long spent = 0;
        for (int i = 0; i < messages; i += 10) {
            BusEvent event = new BusEvent.Publish(0, "writer", batch(10, "a"));
            long begin = System.nanoTime();
            bus.step(event, sink);
            spent += System.nanoTime() - begin;
        }
        check(sink.delivered == (long) messages * subscribers);
        return (double) spent / sink.delivered;
    }

    /** So many connections that subscribe by a pattern, over 36 channels. */
    private double patterns(int patterns) {
        Namespace bus = open(0);
        Sink sink = new Sink();
        String[] names = new String[36];
        for (int i = 0; i < names.length; i++) {
            names[i] = "llm.channel-" + i;
        }
        for (int i = 0; i < patterns; i++) {
            bus.step(
                    new BusEvent.Subscribe(0, "reader-" + i, 1, "llm.*", 1 << 30, Terms.PLAIN),
                    sink);
        }
        int messages = Math.max(36, 36 * (200_000 / 36 / patterns));
        long spent = 0;
        for (int i = 0; i < messages; i += 36) {
            BusEvent event = new BusEvent.Publish(0, "writer", batch(36, names));
            long begin = System.nanoTime();
            bus.step(event, sink);
            spent += System.nanoTime() - begin;
        }
        check(sink.delivered == (long) messages * patterns);
        return (double) spent / sink.delivered;
    }

    /** Each of 100 connections subscribes to 100 channels, and each channel gets 100 messages. */
    private double mesh() {
        Namespace bus = open(0);
        Sink sink = new Sink();
        String[] names = new String[100];
        for (int channel = 0; channel < 100; channel++) {
            names[channel] = "channel-" + channel;
            for (int connection = 0; connection < 100; connection++) {
                bus.step(
                        new BusEvent.Subscribe(
                                0,
                                "reader-" + connection,
                                channel,
                                names[channel],
                                100,
                                Terms.PLAIN),
                        sink);
            }
        }
        long spent = 0;
        for (int i = 0; i < 100; i++) {
            BusEvent event = new BusEvent.Publish(0, "writer", batch(100, names));
            long begin = System.nanoTime();
            bus.step(event, sink);
            spent += System.nanoTime() - begin;
        }
        check(sink.delivered == 1_000_000 && bus.totals().queued() == 0);
        return (double) spent / sink.delivered;
    }

    /** Everything published has to push something out, or is pushed out itself. */
    private double dropOld() {
        Namespace bus = open(10_000);
        Sink sink = new Sink();
        bus.step(new BusEvent.Subscribe(0, "reader", 1, "a", 0, Terms.PLAIN), sink);
        bus.step(new BusEvent.Publish(0, "writer", batch(10_000, "a")), sink);
        check(sink.lost == 0);
        long spent = 0;
        for (int i = 0; i < 200; i++) {
            BusEvent event = new BusEvent.Publish(0, "writer", batch(1_000, "a"));
            long begin = System.nanoTime();
            bus.step(event, sink);
            spent += System.nanoTime() - begin;
        }
        check(sink.lost == 200_000 && bus.totals().queued() == 10_000);
        return spent / 200_000.0;
    }

    private double acknowledged() {
        Namespace bus = open(0);
        Sink sink = new Sink();
        bus.step(new BusEvent.Subscribe(0, "reader", 1, "a", 1 << 20, Terms.ACKNOWLEDGED), sink);
        long spent = 0;
        long settled = 0;
        for (int i = 0; i < 400; i++) {
            BusEvent event = new BusEvent.Publish(0, "writer", batch(500, "a"));
            List<Settlement> acks = new ArrayList<>(500);
            for (int j = 0; j < 500; j++) {
                acks.add(Settlement.ack(1, ++settled));
            }
            BusEvent settle = new BusEvent.Settle(0, "reader", acks);
            long begin = System.nanoTime();
            bus.step(event, sink);
            bus.step(settle, sink);
            spent += System.nanoTime() - begin;
        }
        check(bus.totals().acknowledged() == 200_000);
        return spent / 200_000.0;
    }

    /** Half a million queued messages of ten priorities, what is used with and without them. */
    private double memory() {
        int messages = 500_000;
        Namespace bus = open(0);
        Sink sink = new Sink();
        bus.step(new BusEvent.Subscribe(0, "reader", 1, "a", 0, Terms.PLAIN), sink);
        bus.step(new BusEvent.Publish(0, "writer", batch(1, "a")), sink);
        ownBodies = true;
        long before = used();
        for (int i = 0; i < messages; i += 1_000) {
            bus.step(new BusEvent.Publish(0, "writer", batch(1_000, "a")), sink);
        }
        long after = used();
        ownBodies = false;
        check(bus.totals().queued() == messages + 1);
        return (double) (after - before) / messages - BODY;
    }

    private static long used() {
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    /**
     * The time of a step that publishes one message to three subscribers, and perhaps to a fourth.
     */
    private double stepP99(boolean stopped) {
        Namespace bus = open(1_000);
        Sink sink = new Sink();
        for (int i = 0; i < 3; i++) {
            bus.step(new BusEvent.Subscribe(0, "reader-" + i, 1, "a", 1 << 30, Terms.PLAIN), sink);
        }
        bus.step(
                new BusEvent.Subscribe(0, "fourth", 1, "a", stopped ? 0 : 1 << 30, Terms.PLAIN),
                sink);
        int messages = 100_000;
        long[] spent = new long[messages];
        for (int i = 0; i < messages; i++) {
            BusEvent event = new BusEvent.Publish(0, "writer", batch(1, "a"));
            long begin = System.nanoTime();
            bus.step(event, sink);
            spent[i] = System.nanoTime() - begin;
        }
        check(sink.delivered == (stopped ? 3L : 4L) * messages);
        Arrays.sort(spent);
        return spent[messages * 99 / 100];
    }

    private static void check(boolean holds) {
        if (!holds) {
            throw new IllegalStateException("what was measured is not what happened");
        }
    }
}
