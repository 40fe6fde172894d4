package neuralcore.bus;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import neuralcore.journal.Journal;
import neuralcore.journal.StartAt;
import neuralcore.journal.StoredMessage;
import neuralcore.wire.Burial;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
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
        this.gate = new Gate(access, interceptors);
        this.namespaces =
                new Namespaces(
                        settings,
                        interceptors.isEmpty()
                                ? surroundings
                                : surroundings.withLastLook(interceptors::beforeDelivery));
        this.outbox = new Outbox(send);
    }

    /** Opens every namespace that has a journal. Blocks on the disk. */
    public void recover() {
        namespaces.recover();
    }

    /** Who is to be told when a namespace keeps nothing any more. */
    public void onStorageFailure(BiConsumer<ErrorCode, String> listener) {
        outbox.onFailure(listener);
    }

    /** A journal has something to say. */
    public void journalSpoke(String namespace) {
        step(new BusEvent.JournalSpoke(now(), namespace));
    }

    /** Lets go of all journals; blocks until what was taken is kept. */
    public void close() {
        namespaces.closeJournals();
    }

    /** Gives an answer to the last call once what that did is kept, where it is to be. */
    public void whenKept(Runnable answer) {
        outbox.whenKept(refused -> answer.run());
    }

    /** As {@link #whenKept(Runnable)}, without the messages that could not be kept after all. */
    public void whenKept(Frame.Published published, Consumer<Frame.Published> answer) {
        outbox.whenKept(
                refused -> {
                    if (refused.isEmpty()) {
                        answer.accept(published);
                        return;
                    }
                    List<Frame.Rejection> all = new ArrayList<>(published.rejections());
                    all.addAll(refused);
                    int accepted = published.accepted() - refused.size();
                    answer.accept(new Frame.Published(published.batch(), accepted, all));
                });
    }

    /** The namespaces, to read counts from. */
    public Namespaces namespaces() {
        return namespaces;
    }

    /** Publishes a batch; a batch that is refused as a whole has each of its messages rejected. */
    public Frame.Published publish(String connection, String client, Frame.Publish frame) {
        return publish(connection, client, frame, Map.of());
    }

    /**
     * The same, some of whose messages go to their channels' dead letters. Dead letters have no
     * rules.
     *
     * @param dead by the messages' numbers, why
     */
    public Frame.Published publish(
            String connection, String client, Frame.Publish frame, Map<Long, Burial> dead) {
        if (gate.isOpen()) {
            return publish(connection, client, frame, frame.messages(), dead);
        }
        List<Envelope> living = new ArrayList<>(frame.messages());
        List<Envelope> letters = new ArrayList<>();
        if (!dead.isEmpty()) {
            letters.addAll(living);
            letters.removeIf(message -> !dead.containsKey(message.sequence()));
            living.removeIf(message -> dead.containsKey(message.sequence()));
        }
        List<Frame.Rejection> refused = new ArrayList<>();
        List<Envelope> passed = gate.pass(connection, frame.namespace(), living, refused);
        letters.addAll(0, passed);
        Frame.Published published = publish(connection, client, frame, letters, dead);
        gate.passed(connection, frame.namespace(), passed, published.rejections());
        refused.addAll(published.rejections());
        return new Frame.Published(frame.batch(), published.accepted(), refused);
    }

    private Frame.Published publish(
            String connection,
            String client,
            Frame.Publish frame,
            List<Envelope> messages,
            Map<Long, Burial> dead) {
        outbox.begin();
        try {
            namespaces.step(
                    frame.namespace(),
                    client,
                    new BusEvent.Publish(now(), connection, messages, dead),
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
        outbox.begin();
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
        if (params.bool("exclusive", false)) {
            require(Access.Operation.ADMIN, request);
        }
        Long window = params.optionalInteger("window");
        step(
                params.string("namespace"),
                request.client(),
                new BusEvent.Subscribe(
                        now(),
                        request.connection(),
                        (int) within(params, "subscription", 0xffff_ffffL),
                        params.string("channel"),
                        (int) within(params, "credit", Integer.MAX_VALUE),
                        SubscriptionParams.terms(params),
                        window == null ? BusEvent.Subscribe.UNBOUNDED : window));
        return DONE;
    }

    public Reply unsubscribe(Request request) {
        int subscription = (int) within(request.params(), "subscription", 0xffff_ffffL);
        boolean forget = request.params().bool("forget", false);
        step(new BusEvent.Unsubscribe(now(), request.connection(), subscription, forget));
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

    // Journals

    public void requireAdmin(Request request) {
        String namespace = request.params().string("namespace");
        String channel = request.params().string("channel", "**");
        gate.access().require(request.connection(), Access.Operation.ADMIN, namespace, channel);
    }

    public void requireReplay(Request request) {
        require(Access.Operation.REPLAY, request);
    }

    /**
     * Opens a namespace with its journal, for a connection. Blocks on the disk.
     *
     * @return whether its journal was opened before, and its files have been removed since
     * @throws NeuralCoreException {@code INVALID_REQUEST} if it is private; otherwise as {@link
     *     Namespaces#openKept} does
     */
    public boolean open(String namespace, String connection) {
        if (Namespaces.isPrivate(namespace)) {
            throw NeuralCoreException.invalid(
                    "Namespace '%s' is private; nothing of it is kept.".formatted(namespace));
        }
        return namespaces.openKept(namespace, connection);
    }

    /**
     * @throws NeuralCoreException {@code NOT_FOUND} if nothing is kept in the namespace
     */
    public Journal journal(Request request) {
        String namespace = request.params().string("namespace");
        Journal journal = namespaces.journal(namespace, request.client());
        if (journal == null) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_FOUND,
                    "Namespace '%s' has no persistent channel.".formatted(namespace));
        }
        return journal;
    }

    /** Where the dead letters of a channel go; the channel itself if it has no other. */
    public String deadLetterChannel(String namespace, String client, String channel) {
        ChannelConfig config = namespaces.configs(namespace, client).get(channel);
        String target = config == null ? null : config.deadLetterChannel();
        return target == null ? channel : target;
    }

    /** Puts letters back; returns how many there was room for. */
    public int requeue(Request request, String channel, List<StoredMessage> letters) {
        step(
                request.params().string("namespace"),
                request.client(),
                new BusEvent.Requeue(now(), request.connection(), channel, letters));
        return outbox.accepted();
    }

    /** All messages of a channel go. */
    public void purge(Request request) {
        purge(request, Long.MAX_VALUE, false);
    }

    /** Old messages of a channel go that nobody waits for: by number, by count or by age. */
    public void prune(Request request) {
        Params params = request.params();
        String channel = params.string("channel");
        Long upTo = params.optionalInteger("up_to");
        Long keep = params.optionalInteger("keep");
        long number;
        if (upTo != null) {
            number = upTo;
        } else if (keep != null) {
            number = journal(request).locate(channel, new StartAt.Last(keep)).afterNumber();
        } else {
            long age = Seconds.millis(params, "older_than", 0);
            long since = surroundings.epochMillis().getAsLong() - age;
            number = journal(request).locate(channel, new StartAt.Since(since)).afterNumber();
        }
        purge(request, number, true);
    }

    private void purge(Request request, long upTo, boolean settledOnly) {
        Params params = request.params();
        step(
                params.string("namespace"),
                request.client(),
                new BusEvent.Purge(
                        now(), request.connection(), params.string("channel"), upTo, settledOnly));
    }

    /** Takes messages that come from elsewhere; their channels become persistent. */
    public void importBatch(Request request, List<Envelope> messages) {
        String namespace = request.params().string("namespace");
        Params persistent = new Params(Map.of("persistent", true));
        for (String channel :
                messages.stream().map(Envelope::channel).collect(Collectors.toSet())) {
            ChannelConfig known = namespaces.configs(namespace, request.client()).get(channel);
            if (known == null || !known.storage().persistent()) {
                step(
                        namespace,
                        request.client(),
                        new BusEvent.ConfigureChannel(now(), "", channel, persistent));
            }
        }
        step(namespace, request.client(), new BusEvent.Publish(now(), "", messages));
    }

    // What was due before an event is sent even where the event itself is refused.
    private void step(String namespace, String client, BusEvent.InNamespace event) {
        outbox.begin();
        try {
            namespaces.step(namespace, client, event, outbox);
        } finally {
            outbox.send();
        }
    }

    private void step(BusEvent.Everywhere event) {
        outbox.begin();
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
