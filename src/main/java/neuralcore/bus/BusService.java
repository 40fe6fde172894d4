package neuralcore.bus;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * The bus in the protocol's words: frames and requests in, frames and replies out. Gives each event
 * its time and sends what follows from it. Not thread-safe.
 */
public final class BusService {
    private static final Reply DONE = Reply.of(Map.of());

    private final BusSettings settings;
    private final Surroundings surroundings;
    private final Namespaces namespaces;
    private final Outbox outbox;
    private final Gate gate;

    /**
     * @param send takes a connection and a frame for its client: a {@link Frame.Deliver}, a {@link
     *     Frame.Published} with batch 0 for messages that were accepted earlier and have lost their
     *     place since, or a {@link Frame.Flow}
     */
    public BusService(
            BusSettings settings,
            Surroundings surroundings,
            Access access,
            Interceptors interceptors,
            BiConsumer<String, Frame> send) {
        this.settings = settings;
        this.surroundings = surroundings;
        this.namespaces = new Namespaces(settings, surroundings);
        Gate gate = new Gate(access, interceptors);
        this.gate = gate;
        this.outbox =
                new Outbox(
                        interceptors.isEmpty()
                                ? send
                                : (to, frame) ->
                                        send.accept(
                                                to,
                                                frame instanceof Frame.Deliver deliver
                                                        ? gate.deliver(to, deliver)
                                                        : frame));
    }

    /** The namespaces, to read counts from. */
    public Namespaces namespaces() {
        return namespaces;
    }

    /** Publishes a batch; a batch that is refused as a whole has each of its messages rejected. */
    public Frame.Published publish(String connection, String client, Frame.Publish frame) {
        if (gate.isOpen()) {
            return publish(connection, client, frame, frame.messages());
        }
        List<Frame.Rejection> refused = new ArrayList<>();
        List<Envelope> passed = gate.pass(connection, frame.namespace(), frame.messages(), refused);
        Frame.Published published = publish(connection, client, frame, passed);
        gate.passed(connection, frame.namespace(), passed, published.rejections());
        refused.addAll(published.rejections());
        return new Frame.Published(frame.batch(), published.accepted(), refused);
    }

    private Frame.Published publish(
            String connection, String client, Frame.Publish frame, List<Envelope> messages) {
        try {
            namespaces.step(
                    frame.namespace(),
                    client,
                    new BusEvent.Publish(now(), connection, messages),
                    outbox);
        } catch (NeuralCoreException e) {
            return new Frame.Published(
                    frame.batch(),
                    0,
                    messages.stream()
                            .map(message -> new Frame.Rejection(message.sequence(), e.code()))
                            .toList());
        }
        return outbox.answer(frame.batch());
    }

    public void credit(String connection, Frame.Credit credit) {
        step(new BusEvent.Credit(now(), connection, credit.grants()));
    }

    public Frame.Settled settle(String connection, Frame.Settle settle) {
        namespaces.step(new BusEvent.Settle(now(), connection, settle.settlements()), outbox);
        return outbox.settledAnswer(settle.correlation());
    }

    public void connectionClosed(String connection) {
        step(new BusEvent.ConnectionClosed(now(), connection));
    }

    /** Does what is due. */
    public void tick() {
        step(new BusEvent.Tick(now()));
    }

    /** How long nothing is due but by events, in milliseconds; 0 if something is due now. */
    public long quietMillis() {
        return Math.max(0, namespaces.nextDue() - now());
    }

    public Reply subscribe(Request request) {
        Params params = request.params();
        require(Access.Operation.SUBSCRIBE, request);
        step(
                params.string("namespace"),
                request.client(),
                new BusEvent.Subscribe(
                        now(),
                        request.connection(),
                        (int) within(params, "subscription", 0xffff_ffffL),
                        params.string("channel"),
                        (int) within(params, "credit", Integer.MAX_VALUE),
                        SubscriptionParams.terms(params)));
        return DONE;
    }

    public Reply unsubscribe(Request request) {
        int subscription = (int) within(request.params(), "subscription", 0xffff_ffffL);
        step(new BusEvent.Unsubscribe(now(), request.connection(), subscription));
        return DONE;
    }

    public Reply create(Request request) {
        require(Access.Operation.ADMIN, request);
        ChannelConfig config = ChannelConfig.of(request.params(), settings);
        step(
                request.params().string("namespace"),
                request.client(),
                new BusEvent.CreateChannel(now(), request.connection(), config));
        return Reply.of(Map.of("created", outbox.created()));
    }

    public Reply configure(Request request) {
        require(Access.Operation.ADMIN, request);
        Params params = request.params();
        String channel = params.string("channel");
        step(
                params.string("namespace"),
                request.client(),
                new BusEvent.ConfigureChannel(now(), request.connection(), channel, params));
        return DONE;
    }

    public Reply remove(Request request) {
        require(Access.Operation.ADMIN, request);
        Params params = request.params();
        step(
                params.string("namespace"),
                request.client(),
                new BusEvent.RemoveChannel(now(), request.connection(), params.string("channel")));
        return DONE;
    }

    /** Loads a shipped profile into a namespace. */
    public Reply profile(Request request) {
        Params params = request.params();
        String namespace = params.string("namespace");
        gate.access().require(request.connection(), Access.Operation.ADMIN, namespace, "**");
        Profile profile = Profile.shipped(params.string("name"));
        step(
                namespace,
                request.client(),
                new BusEvent.LoadProfile(now(), request.connection(), profile));
        return Reply.of(Map.of("channels", (long) profile.channels().size()));
    }

    private void require(Access.Operation operation, Request request) {
        Params params = request.params();
        gate.access()
                .require(
                        request.connection(),
                        operation,
                        params.string("namespace"),
                        params.string("channel"));
    }

    public Reply channels(Request request) {
        List<@Nullable Object> channels = new ArrayList<>();
        namespaces
                .configs(request.params().string("namespace"), request.client())
                .values()
                .forEach(config -> channels.add(config.toMap()));
        return Reply.of(Map.of("channels", channels));
    }

    public Reply stats(Request request) {
        Map<String, @Nullable Object> channels = new LinkedHashMap<>();
        namespaces
                .stats(request.params().string("namespace"), request.client())
                .forEach((channel, stats) -> channels.put(channel, stats.toMap()));
        return Reply.of(Map.of("channels", channels));
    }

    public Reply close(Request request) {
        namespaces.close(request.params().string("namespace"), request.client());
        return DONE;
    }

    // What was due before an event is sent even where the event itself is refused.
    private void step(String namespace, String client, BusEvent.InNamespace event) {
        try {
            namespaces.step(namespace, client, event, outbox);
        } finally {
            outbox.send();
        }
    }

    private void step(BusEvent.Everywhere event) {
        try {
            namespaces.step(event, outbox);
        } finally {
            outbox.send();
        }
    }

    private long now() {
        return surroundings.nowMillis().getAsLong();
    }

    private static long within(Params params, String name, long max) {
        long value = params.integer(name);
        if (value < 0 || value > max) {
            throw NeuralCoreException.invalid(
                    "'%s' is %d; it must be between 0 and %d.".formatted(name, value, max));
        }
        return value;
    }
}
