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
    private final Map<String, List<Frame.Rejection>> rejections = new LinkedHashMap<>();
    private String connection = "";
    private List<Delivery> deliveries = new ArrayList<>();
    private int bytes;
    private int accepted;
    private boolean created;

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
    public void rejected(String publisher, long sequence, ErrorCode code) {
        rejections
                .computeIfAbsent(publisher, unused -> new ArrayList<>())
                .add(new Frame.Rejection(sequence, code));
    }

    @Override
    public void published(String publisher, int count) {
        accepted = count;
    }

    @Override
    public void created(String channel, boolean fresh) {
        created = fresh;
    }

    /** Whether the step created the channel it was asked for. */
    public boolean created() {
        return created;
    }

    /** The end of a step that was not a {@code Publish}. */
    public void send() {
        if (!deliveries.isEmpty()) {
            sendDeliveries();
        }
        rejections.forEach((to, list) -> send.accept(to, new Frame.Published(0, 0, list)));
        rejections.clear();
    }

    /**
     * The end of a {@code Publish}: sends what is for others, and returns what the publisher is to
     * be told. That can name messages of its earlier batches.
     */
    public Frame.Published published(int batch, String publisher) {
        List<Frame.Rejection> own = rejections.remove(publisher);
        send();
        return new Frame.Published(batch, accepted, own == null ? List.of() : own);
    }

    private void sendDeliveries() {
        send.accept(connection, new Frame.Deliver(deliveries));
        deliveries = new ArrayList<>();
        bytes = 0;
    }
}
