package verticles;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.jdbcclient.JDBCConnectOptions;
import io.vertx.jdbcclient.JDBCPool;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.PoolOptions;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.Tuple;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;
import neuralcore.bus.BusService;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.journal.JournalFolder;
import neuralcore.journal.NcbFile;
import neuralcore.journal.StoredMessage;
import neuralcore.journal.StoredRow;
import neuralcore.wire.Envelope;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Payloads;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import org.jspecify.annotations.Nullable;

/**
 * What can be asked of journals besides messages as they come: history and dead letters by pages,
 * backup, import. Pages for people are read through Vert.x's JDBC client, over connections that
 * cannot write; what subscriptions replay is read by the journal itself, at ten times its speed.
 */
final class JournalServices {
    private static final int MAX_PAGE = 1_000;
    private static final int IMPORT_BATCH = 500;

    private final Vertx vertx;
    private final BusService bus;
    private final JournalFolder journals;
    private final Map<Path, Pool> pools = new HashMap<>();

    JournalServices(Vertx vertx, BusService bus, JournalFolder journals) {
        this.vertx = vertx;
        this.bus = bus;
        this.journals = journals;
    }

    Future<?> offer() {
        return Future.all(
                List.of(
                        offer(Addresses.MESSAGING_OPEN, this::open),
                        offer(Addresses.MESSAGING_HISTORY, this::history),
                        offer(Addresses.MESSAGING_DEAD_LETTERS, this::deadLetters),
                        offer(Addresses.MESSAGING_REQUEUE, this::requeue),
                        offer(Addresses.MESSAGING_PURGE, this::purge),
                        offer(Addresses.MESSAGING_PRUNE, this::prune),
                        offer(Addresses.MESSAGING_BACKUP, this::backup),
                        offer(Addresses.MESSAGING_IMPORT, this::importNcb)));
    }

    private Future<Void> offer(String address, Function<Request, Future<Reply>> service) {
        return Services.offer(vertx, address, service);
    }

    Future<?> close() {
        return Future.all(pools.values().stream().map(Pool::close).toList());
    }

    private Future<Reply> open(Request request) {
        bus.requireAdmin(request);
        Params params = request.params();
        String namespace = params.string("namespace");
        Path path = Path.of(params.string("path"));
        if (!path.isAbsolute()) {
            throw NeuralCoreException.invalid("'%s' must be an absolute path.".formatted(path));
        }
        journals.bind(namespace, path);
        if (bus.open(namespace, request.connection())) {
            Pool ofRemoved = pools.remove(journals.file(namespace));
            if (ofRemoved != null) {
                ofRemoved.close();
            }
        }
        return Future.succeededFuture(Reply.of(Map.of("path", path.toString())));
    }

    private Future<Reply> history(Request request) {
        bus.requireReplay(request);
        return messages(request, request.params().string("channel"));
    }

    private Future<Reply> deadLetters(Request request) {
        bus.requireReplay(request);
        Params params = request.params();
        String channel = params.string("channel");
        String letters =
                bus.deadLetterChannel(params.string("namespace"), request.client(), channel);
        return messages(request, letters);
    }

    private Future<Reply> messages(Request request, String channel) {
        Params params = request.params();
        long after = params.integer("after", 0);
        int limit = params.integer("limit", 100, 1, MAX_PAGE);
        return page(params.string("namespace"), channel, after, limit)
                .map(
                        page -> {
                            List<@Nullable Object> messages = new ArrayList<>();
                            page.forEach(message -> messages.add(show(message)));
                            return Reply.of(Map.of("channel", channel, "messages", messages));
                        });
    }

    private Future<List<StoredMessage>> page(
            String namespace, String channel, long after, int limit) {
        return pool(journals.file(namespace))
                .preparedQuery(StoredRow.SELECT)
                .execute(Tuple.of(channel, after, limit))
                .map(
                        rows -> {
                            List<StoredMessage> page = new ArrayList<>();
                            for (Row row : rows) {
                                page.add(
                                        StoredRow.read(
                                                channel,
                                                row.getLong(0),
                                                row.getLong(1),
                                                row.getLong(2),
                                                row.getLong(3),
                                                row.getBuffer(4).getBytes()));
                            }
                            return page;
                        });
    }

    private Pool pool(Path file) {
        return pools.computeIfAbsent(
                file,
                path ->
                        JDBCPool.pool(
                                vertx,
                                new JDBCConnectOptions()
                                        .setJdbcUrl(
                                                "jdbc:sqlite:"
                                                        + path
                                                        + "?open_mode=1&busy_timeout=5000"),
                                new PoolOptions().setMaxSize(2)));
    }

    private static Map<String, @Nullable Object> show(StoredMessage message) {
        Envelope envelope = message.envelope();
        Map<String, @Nullable Object> shown = new LinkedHashMap<>();
        shown.put("sequence", message.sequence());
        shown.put("channel_sequence", message.number());
        shown.put("id", envelope.id());
        shown.put("timestamp", envelope.timestampNanos() / 1e9);
        shown.put("arrived", message.arrivedAtMillis() / 1e3);
        shown.put("priority", envelope.priority());
        shown.put("payload", Payloads.payload(envelope));
        shown.put("meta", Payloads.meta(envelope));
        return shown;
    }

    private Future<Reply> requeue(Request request) {
        bus.requireAdmin(request);
        Params params = request.params();
        String namespace = params.string("namespace");
        String letters =
                bus.deadLetterChannel(namespace, request.client(), params.string("channel"));
        int limit = params.integer("limit", MAX_PAGE, 1, MAX_PAGE);
        return page(namespace, letters, 0, limit)
                .compose(
                        page -> {
                            int requeued = bus.requeue(request, letters, page);
                            return kept(Map.of("requeued", (long) requeued), () -> {});
                        });
    }

    private Future<Reply> purge(Request request) {
        bus.requireAdmin(request);
        return kept(Map.of(), () -> bus.purge(request));
    }

    private Future<Reply> prune(Request request) {
        bus.requireAdmin(request);
        return kept(Map.of(), () -> bus.prune(request));
    }

    /** Answers once what the action did is kept. */
    private Future<Reply> kept(Map<String, @Nullable Object> answer, Runnable action) {
        action.run();
        Promise<Reply> promise = Promise.promise();
        bus.whenKept(() -> promise.complete(Reply.of(answer)));
        return promise.future();
    }

    private Future<Reply> backup(Request request) {
        bus.requireAdmin(request);
        Path target = Path.of(request.params().string("path"));
        var journal = bus.journal(request);
        return aside(
                () -> {
                    journal.backup(target.toAbsolutePath());
                    return Reply.of(Map.of("path", target.toString()));
                });
    }

    private Future<Reply> importNcb(Request request) {
        bus.requireAdmin(request);
        Path file = Path.of(request.params().string("path"));
        Context loop = vertx.getOrCreateContext();
        return aside(
                () -> {
                    NcbFile.Outcome outcome = importAll(loop, request, file);
                    return Reply.of(
                            Map.of(
                                    "imported", outcome.read(),
                                    "unreadable", outcome.unreadable()));
                });
    }

    /** Does what blocks on a worker's thread. */
    private Future<Reply> aside(Supplier<Reply> work) {
        Promise<Reply> answer = Promise.promise();
        vertx.executeBlocking(
                        () -> {
                            answer.complete(work.get());
                            return null;
                        })
                .onFailure(answer::fail);
        return answer.future();
    }

    private NcbFile.Outcome importAll(Context loop, Request request, Path file) {
        List<Envelope> batch = new ArrayList<>();
        NcbFile.Outcome outcome =
                NcbFile.read(
                        file,
                        message -> {
                            batch.add(message);
                            if (batch.size() == IMPORT_BATCH) {
                                hand(loop, request, batch);
                            }
                        });
        hand(loop, request, batch);
        return outcome;
    }

    /** Has a batch kept, and waits for it: a long file must not fill the memory. */
    private void hand(Context loop, Request request, List<Envelope> batch) {
        List<Envelope> messages = List.copyOf(batch);
        batch.clear();
        CompletableFuture<Void> kept = new CompletableFuture<>();
        loop.runOnContext(
                now -> {
                    try {
                        bus.importBatch(request, messages);
                        bus.whenKept(() -> kept.complete(null));
                    } catch (RuntimeException e) {
                        kept.completeExceptionally(e);
                    }
                });
        kept.join();
    }
}
