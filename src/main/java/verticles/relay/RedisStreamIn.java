package verticles.relay;

import io.vertx.core.Future;
import io.vertx.redis.client.Command;
import io.vertx.redis.client.RedisConnection;
import io.vertx.redis.client.Request;
import io.vertx.redis.client.Response;
import java.util.List;
import neuralcore.relay.Inbound;
import neuralcore.relay.Incoming;
import neuralcore.relay.Positions;
import neuralcore.relay.Route;
import neuralcore.relay.Target;
import neuralcore.wire.Envelope;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An incoming route from a Redis stream by a consumer group. After each connection it first reads
 * what the group has handed to it and has not heard of since, then what is new, all in the stream's
 * order; an entry is acknowledged once the bus has it.
 */
final class RedisStreamIn {
    private static final Logger log = LoggerFactory.getLogger(RedisStreamIn.class);

    /** How long the server holds a request for new entries; its silence beyond that is its end. */
    private static final long BLOCK_MILLIS = 500;

    private static final long FIRST_PAUSE_MILLIS = 10;
    private static final long LONGEST_PAUSE_MILLIS = 500;
    private static final String NEW = ">";

    private final RelayContext relay;
    private final Route.In route;
    private final Target.StreamGroup stream;
    private final Inbound inbound;
    private final long publisher;

    /** Counts connections, so that answers to an old one's questions are known. */
    private int generation;

    private @Nullable RedisCommands commands;
    private @Nullable RedisConnection reader;
    private @Nullable RedisConnections connections;
    private boolean reading;
    private boolean stopped;
    private long readSinceNanos;
    private long claimedMillis;
    private String position = "0";
    private String claimCursor = "0-0";
    private long pauseMillis = FIRST_PAUSE_MILLIS;

    RedisStreamIn(RelayContext relay, Route.In route, Target.StreamGroup stream) {
        this.relay = relay;
        this.route = route;
        this.stream = stream;
        this.inbound = new Inbound(relay.recent());
        this.publisher =
                Positions.publisher(
                        relay.config().url(),
                        stream.name(),
                        stream.group(),
                        consumer(),
                        route.namespace(),
                        route.channel());
    }

    private String consumer() {
        return stream.consumer().isEmpty() ? relay.node() : stream.consumer();
    }

    /** Makes the group, if it is not there. */
    Future<Void> prepare(RedisCommands by) {
        Request create =
                Request.cmd(Command.XGROUP)
                        .arg("CREATE")
                        .arg(stream.name())
                        .arg(stream.group())
                        .arg(stream.replayStart())
                        .arg("MKSTREAM");
        return by.send(create)
                .<Void>mapEmpty()
                .recover(
                        error ->
                                String.valueOf(error.getMessage()).startsWith("BUSYGROUP")
                                        ? Future.succeededFuture()
                                        : Future.failedFuture(error));
    }

    /**
     * @param own a connection for this route alone: requests for new entries wait on it
     */
    void connected(RedisConnections all, RedisCommands by, RedisConnection own) {
        generation++;
        connections = all;
        commands = by;
        reader = own;
        position = "0";
        reading = false;
        read();
    }

    void disconnected() {
        generation++;
        reader = null;
        commands = null;
        inbound.clear();
    }

    /** Nothing more is read; what is here goes on to the bus. */
    void stop() {
        stopped = true;
    }

    void resume() {
        stopped = false;
        read();
    }

    int size() {
        return inbound.size();
    }

    /** How long the server has been silent although it should have answered a read. */
    long overdueNanos() {
        return reading && reader != null
                ? System.nanoTime() - readSinceNanos - BLOCK_MILLIS * 1_000_000
                : 0;
    }

    private void read() {
        RedisConnection from = reader;
        int most = relay.config().batchSize();
        if (from == null || reading || stopped || inbound.size() >= 2 * most) {
            return;
        }
        reading = true;
        readSinceNanos = System.nanoTime();
        int asked = generation;
        Request request =
                Request.cmd(Command.XREADGROUP)
                        .arg("GROUP")
                        .arg(stream.group())
                        .arg(consumer())
                        .arg("COUNT")
                        .arg(most);
        if (position.equals(NEW)) {
            request.arg("BLOCK").arg(BLOCK_MILLIS);
        }
        from.send(request.arg("STREAMS").arg(stream.name()).arg(position))
                .onComplete(
                        answer -> {
                            if (asked == generation) {
                                reading = false;
                                taken(answer);
                            }
                        },
                        error -> {
                            if (asked == generation) {
                                reading = false;
                                end("reading %s: %s".formatted(stream.name(), error.getMessage()));
                            }
                        });
    }

    private void taken(@Nullable Response answer) {
        Response entries = answer == null ? null : answer.get(stream.name());
        boolean old = !position.equals(NEW);
        if (entries != null) {
            for (Response entry : entries) {
                add(entry, publisher, old);
            }
        }
        if (old && (entries == null || entries.size() == 0)) {
            position = NEW;
        }
        claim();
        pump();
        read();
    }

    private void add(Response entry, long from, boolean old) {
        String id = entry.get(0).toString();
        if (old) {
            position = id;
        }
        Response fields = entry.get(1);
        if (fields == null) {
            inbound.add(new Inbound.Entry(id, "", null)); // Deleted while it waited.
            return;
        }
        byte[] data = null;
        String key = "";
        for (int i = 0; i + 1 < fields.size(); i += 2) {
            String name = fields.get(i).toString();
            if (name.equals(RedisCommands.DATA)) {
                data = fields.get(i + 1).toBytes();
            } else if (name.equals(RedisCommands.ID) && fields.get(i + 1).toBytes().length <= 64) {
                key = fields.get(i + 1).toString();
            }
        }
        inbound.add(entry(id, key, data, from));
    }

    private Inbound.Entry entry(String id, String key, byte @Nullable [] data, long from) {
        try {
            if (data == null) {
                throw NeuralCoreException.invalid("It has no field 'data'.");
            }
            Incoming incoming = relay.codec().decode(data);
            if (incoming.isLoop(relay.node()) && !(route.own() && incoming.isOwn(relay.node()))) {
                relay.metrics().loops++;
                return new Inbound.Entry(id, key, null);
            }
            long number = Positions.ofStream(id);
            Envelope message =
                    incoming.toEnvelope(
                            route.channel(),
                            number < 0 ? Positions.publisher(Long.toHexString(from), id) : from,
                            number < 0 ? Positions.numberOf(id) : number,
                            RelayContext.nowEpochNanos(),
                            relay.config().name(),
                            relay.place(stream.name()));
            return new Inbound.Entry(id, key, message, relay.refusal(message, incoming));
        } catch (NeuralCoreException e) {
            if (relay.metrics().malformed++ == 0) {
                log.warn(
                        "Relay {}: entry {} of {} is passed over, as more may be: {}",
                        relay.config().name(),
                        id,
                        stream.name(),
                        e.getMessage());
            }
            return new Inbound.Entry(id, key, null);
        }
    }

    /** Takes over what another consumer of the group has left lying. */
    private void claim() {
        RedisCommands by = commands;
        long now = RelayContext.nowMillis();
        if (by == null
                || stream.autoClaimMillis() == 0
                || inbound.size() > 0 // Our own that wait for the bus are idle as well.
                || now - claimedMillis < stream.autoClaimMillis() / 2) {
            return;
        }
        claimedMillis = now;
        int asked = generation;
        Request request =
                Request.cmd(Command.XAUTOCLAIM)
                        .arg(stream.name())
                        .arg(stream.group())
                        .arg(consumer())
                        .arg(stream.autoClaimMillis())
                        .arg(claimCursor)
                        .arg("COUNT")
                        .arg(relay.config().batchSize());
        by.send(request)
                .onSuccess(
                        answer -> {
                            if (asked != generation) {
                                return;
                            }
                            claimCursor = answer.get(0).toString();
                            for (Response entry : answer.get(1)) {
                                if (entry == null) {
                                    continue; // Deleted; older servers say so.
                                }
                                String id = entry.get(0).toString();
                                // Older than what was taken by number: each on its own account.
                                add(
                                        entry,
                                        Positions.publisher("claimed", stream.name(), id),
                                        false);
                            }
                            pump();
                        });
    }

    private void pump() {
        if (inbound.isOffering() || inbound.size() == 0) {
            return;
        }
        List<Envelope> messages = inbound.offer(relay.config().batchSize());
        if (messages.isEmpty()) {
            answered(new Frame.Published(0, 0, List.of()));
            return;
        }
        int asked = generation;
        relay.bus()
                .publish(
                        route.namespace(), messages, relay.routeName(stream.name()), inbound.dead())
                .onComplete(
                        published -> {
                            if (asked == generation) {
                                answered(published);
                            }
                        },
                        error -> {
                            if (asked == generation) {
                                inbound.unanswered();
                                pause();
                            }
                        });
    }

    private void answered(Frame.Published published) {
        Inbound.Outcome outcome = inbound.answered(published);
        relay.metrics().received += outcome.taken();
        relay.metrics().duplicates += outcome.duplicates();
        relay.metrics().invalid += outcome.buried();
        RedisCommands by = commands;
        if (by != null && !outcome.done().isEmpty()) {
            by.done(stream, outcome.done())
                    .onFailure(error -> end("acknowledging: " + error.getMessage()));
        }
        if (outcome.refused() != null) {
            pause();
            return;
        }
        pauseMillis = FIRST_PAUSE_MILLIS;
        pump();
        read();
    }

    /** The bus has no room: the broker keeps what we do not take. */
    private void pause() {
        int asked = generation;
        long wait = pauseMillis;
        pauseMillis = Math.min(LONGEST_PAUSE_MILLIS, 2 * wait);
        relay.vertx()
                .setTimer(
                        wait,
                        timer -> {
                            if (asked == generation) {
                                pump();
                            }
                        });
    }

    private void end(String reason) {
        relay.metrics().errors++;
        if (connections != null) {
            connections.end(reason);
        }
    }
}
