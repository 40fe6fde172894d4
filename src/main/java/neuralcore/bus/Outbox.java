package neuralcore.bus;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
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
    private List<Answers.Place> places = List.of();
    private final Answers answers = new Answers();
    private final Map<String, List<Frame.Rejection>> refusals = new LinkedHashMap<>();
    private BiConsumer<ErrorCode, String> onFailure = (code, message) -> {};

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
    public void stored(String namespace, long position) {
        if (places.isEmpty()) {
            places = new ArrayList<>();
        }
        places.add(new Answers.Place(namespace, position));
    }

    @Override
    public void refused(String publisher, long sequence, ErrorCode code) {
        refusals.computeIfAbsent(publisher, unused -> new ArrayList<>())
                .add(new Frame.Rejection(sequence, code));
    }

    @Override
    public void notKept(String namespace, long position, ErrorCode code) {
        List<Frame.Rejection> all = new ArrayList<>();
        refusals.values().forEach(all::addAll);
        if (!answers.refused(namespace, position, all)) {
            refusals.forEach(
                    (to, list) ->
                            evictions
                                    .computeIfAbsent(to, unused -> new ArrayList<>())
                                    .addAll(list));
        }
        refusals.clear();
    }

    @Override
    public void kept(String namespace, long position) {
        answers.kept(namespace, position);
    }

    @Override
    public void failed(String namespace, ErrorCode code, String message) {
        onFailure.accept(code, message);
    }

    /** Who is to be told when nothing is kept any more. */
    void onFailure(BiConsumer<ErrorCode, String> listener) {
        onFailure = listener;
    }

    /** What was to be kept before this is nobody's business any more. */
    void begin() {
        places = List.of();
        rejections = List.of();
    }

    int accepted() {
        return accepted;
    }

    /** Gives an answer to the last step once what it tells of is kept. */
    void whenKept(Consumer<List<Frame.Rejection>> answer) {
        List<Answers.Place> last = places;
        places = List.of();
        answers.await(last, answer);
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
