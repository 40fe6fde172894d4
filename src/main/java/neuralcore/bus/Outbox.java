package neuralcore.bus;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import neuralcore.wire.Delivery;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;

/**
 * Gathers the effects of one step into frames: one {@link Frame.Deliver} for each connection, or
 * several where it would hold more than 512 messages or 1 MiB of bodies. Not thread-safe.
 */
public final class Outbox implements Effects {
    static final int MAX_MESSAGES = 512;
    static final int MAX_BYTES = 1 << 20;

    private final BiConsumer<String, Frame> send;
    private final Map<String, List<Frame.Rejection>> evictions = new LinkedHashMap<>();
    private final Map<Publisher, List<Frame.Room>> rooms = new LinkedHashMap<>();
    private List<Frame.Rejection> rejections = List.of();
    private String connection = "";
    private List<Delivery> deliveries = new ArrayList<>();
    private int bytes;
    private int accepted;
    private boolean created;
    private int settled;
    private int unknown;

    private record Publisher(String connection, String namespace) {}

    /**
     * @param send takes a connection and a frame for its client
     */
    public Outbox(BiConsumer<String, Frame> send) {
        this.send = send;
    }

    @Override
    public void deliver(String to, Delivery delivery) {
        int length = delivery.envelope().body().length;
        if (!deliveries.isEmpty()
                && (!to.equals(connection)
                        || deliveries.size() == MAX_MESSAGES
                        || bytes + length > MAX_BYTES)) {
            sendDeliveries();
        }
        connection = to;
        deliveries.add(delivery);
        bytes += length;
    }

    @Override
    public void rejected(long sequence, ErrorCode code) {
        if (rejections.isEmpty()) {
            rejections = new ArrayList<>();
        }
        rejections.add(new Frame.Rejection(sequence, code));
    }

    @Override
    public void evicted(String publisher, long sequence) {
        evictions
                .computeIfAbsent(publisher, unused -> new ArrayList<>())
                .add(new Frame.Rejection(sequence, ErrorCode.QUEUE_FULL));
    }

    @Override
    public void room(String publisher, String namespace, String channel, int messages) {
        rooms.computeIfAbsent(new Publisher(publisher, namespace), unused -> new ArrayList<>())
                .add(new Frame.Room(channel, messages));
    }

    @Override
    public void settled(int some, int others) {
        settled += some;
        unknown += others;
    }

    @Override
    public void published(int count) {
        accepted = count;
    }

    @Override
    public void created(boolean fresh) {
        created = fresh;
    }

    /** Whether the step created the channel it was asked for. */
    public boolean created() {
        return created;
    }

    /** The end of a step: sends what is left. */
    public void send() {
        if (!deliveries.isEmpty()) {
            sendDeliveries();
        }
        evictions.forEach((to, list) -> send.accept(to, new Frame.Published(0, 0, list)));
        evictions.clear();
        rooms.forEach((to, list) -> send.accept(to.connection, new Frame.Flow(to.namespace, list)));
        rooms.clear();
    }

    /** The end of a {@code Settle}: {@link #send}, and what its sender is to be told. */
    public Frame.Settled settledAnswer(int correlation) {
        send();
        Frame.Settled answer = new Frame.Settled(correlation, settled, unknown);
        settled = 0;
        unknown = 0;
        return answer;
    }

    /** The end of a {@code Publish}: {@link #send}, and what its sender is to be told. */
    public Frame.Published answer(int batch) {
        send();
        Frame.Published published = new Frame.Published(batch, accepted, rejections);
        rejections = List.of();
        return published;
    }

    private void sendDeliveries() {
        send.accept(connection, new Frame.Deliver(deliveries));
        deliveries = new ArrayList<>();
        bytes = 0;
    }
}
