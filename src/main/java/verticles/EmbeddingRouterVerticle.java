package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.VerticleBase;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import neuralcore.cluster.Announcement;
import neuralcore.cluster.Fleet;
import neuralcore.cluster.Fleet.Effect;
import neuralcore.embedding.EmbedCall;
import neuralcore.embedding.TextKind;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.ops.ClusterStatus;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * On a clustered node with a door: takes this node's embedding requests and has the {@link Fleet}
 * spread them over all nodes that embed, this one included if it does.
 */
public final class EmbeddingRouterVerticle extends VerticleBase {
    private static final Logger log = LoggerFactory.getLogger(EmbeddingRouterVerticle.class);
    private static final long TICK_MILLIS = 250;
    private static final int MOST_TOKENS = 512;
    private static final int BYTES_OF_A_TOKEN = 4;

    /** A request that has not been answered, and what has come of its vectors. */
    private static final class Waiting {
        private final Request request;
        private final List<String> texts;
        private final Promise<Reply> answer;
        private final long deadlineNanos;
        private @Nullable Reply first;
        private @Nullable Tensor vectors;
        private long tokens;

        Waiting(Request request, List<String> texts, Promise<Reply> answer, long deadlineNanos) {
            this.request = request;
            this.texts = texts;
            this.answer = answer;
            this.deadlineNanos = deadlineNanos;
        }

        /** Whether a part is all of it, so that request and reply pass as they are. */
        boolean isWhole(Effect.Send part) {
            return texts.isEmpty() || (part.from() == 0 && part.to() == texts.size());
        }

        Request part(Effect.Send part) {
            String address = Addresses.embeddingNode(part.node());
            List<Tensor> tensors =
                    isWhole(part)
                            ? request.tensors()
                            : List.of(Tensor.ofStrings(texts.subList(part.from(), part.to())));
            return new Request(
                    address, request.params(), tensors, request.connection(), request.client());
        }

        /** Takes a part's vectors to their places; false if they are not what was asked for. */
        boolean take(Effect.Send part, Reply reply) {
            if (isWhole(part)) {
                first = reply;
                return true;
            }
            Tensor rows = reply.tensors().getFirst();
            Tensor all = vectors;
            if (all == null) {
                int bytes = rows.data().remaining() / Math.max(1, rows.rows()) * texts.size();
                ByteBuffer data = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
                all = new Tensor(rows.type(), texts.size(), rows.columns(), data);
                vectors = all;
                first = reply;
            }
            if (rows.rows() != part.to() - part.from()
                    || rows.columns() != all.columns()
                    || rows.type() != all.type()) {
                return false;
            }
            int row = all.data().capacity() / texts.size();
            all.data().slice(part.from() * row, rows.rows() * row).put(rows.data().duplicate());
            tokens += reply.result().get("tokens") instanceof Number some ? some.longValue() : 0;
            return true;
        }

        Reply reply() {
            Reply one = Objects.requireNonNull(first);
            if (vectors == null) {
                return one;
            }
            Map<String, @Nullable Object> result = new LinkedHashMap<>(one.result());
            result.put("tokens", tokens);
            return Reply.of(result, vectors);
        }
    }

    private final Fleet fleet;
    private final ClusterMeters meters;
    private final Map<Long, Waiting> requests = new HashMap<>();

    /**
     * @param maxTexts texts that may wait here for a node
     * @param embeds whether this node embeds, too, so that a request waits for its model
     */
    public EmbeddingRouterVerticle(int maxTexts, boolean embeds, MeterRegistry registry) {
        this.fleet = new Fleet(maxTexts, embeds);
        this.meters = new ClusterMeters(registry);
    }

    @Override
    public Future<?> start() {
        Services.offerLocallyUntil(vertx, Addresses.EMBEDDING_EMBED, this::embed);
        Services.offerLocally(vertx, Addresses.EMBEDDING_NODES, request -> nodes());
        vertx.eventBus()
                .<String>localConsumer(
                        Addresses.CLUSTER_GONE, gone -> apply(fleet.memberGone(gone.body())));
        vertx.eventBus()
                .<String>consumer(Addresses.CONNECTION_CLOSED, closed -> clientGone(closed.body()));
        vertx.setPeriodic(
                TICK_MILLIS,
                timer -> {
                    apply(fleet.tick(nowMillis()));
                    meters.update(fleet);
                    ClusterStatus status = ClusterStatus.of(vertx);
                    if (status != null) {
                        status.update(fleet.seen(), fleet.waitingTexts());
                    }
                });
        return vertx.eventBus()
                .<JsonObject>consumer(
                        Addresses.CLUSTER_ANNOUNCEMENT,
                        told ->
                                apply(
                                        fleet.heard(
                                                Announcement.of(
                                                        new LinkedHashMap<>(told.body().getMap())),
                                                nowMillis())))
                .completion()
                .onSuccess(listening -> vertx.eventBus().publish(Addresses.CLUSTER_WHO, ""));
    }

    private Future<Reply> embed(Request request, long deadlineNanos) {
        EmbedCall call = EmbedCall.of(request);
        // What is not sent as an attachment stays in one piece.
        if (request.tensors().isEmpty() || call.count() <= 1) {
            int bytes =
                    request.tensors().isEmpty()
                            ? 0
                            : request.tensors().getFirst().data().remaining();
            int tokens =
                    Math.max(1, call.count()) * Math.min(MOST_TOKENS, 2 + bytes / BYTES_OF_A_TOKEN);
            return send(request, call, List.of(), new int[] {tokens}, deadlineNanos);
        }
        return vertx.executeBlocking(call::texts, false)
                .map(Objects::requireNonNull)
                .compose(
                        texts ->
                                send(
                                        request,
                                        call,
                                        texts,
                                        texts.stream()
                                                .mapToInt(EmbeddingRouterVerticle::tokens)
                                                .toArray(),
                                        deadlineNanos));
    }

    private void clientGone(String connection) {
        requests.entrySet()
                .removeIf(
                        entry -> {
                            boolean gone = entry.getValue().request.connection().equals(connection);
                            if (gone) {
                                fleet.abandon(entry.getKey());
                            }
                            return gone;
                        });
    }

    /** About how many tokens a text has; it only decides who gets it. */
    private static int tokens(String text) {
        return Math.min(MOST_TOKENS, 2 + text.length() / BYTES_OF_A_TOKEN);
    }

    private Future<Reply> send(
            Request request, EmbedCall call, List<String> texts, int[] tokens, long deadlineNanos) {
        long deadlineMillis = deadlineNanos / 1_000_000;
        Fleet.Admitted admitted =
                fleet.admit(tokens, call.kind() == TextKind.QUERY, texts.isEmpty(), deadlineMillis);
        Promise<Reply> answer = Promise.promise();
        requests.put(admitted.request(), new Waiting(request, texts, answer, deadlineNanos));
        apply(admitted.effects());
        return answer.future();
    }

    private void apply(List<Effect> effects) {
        for (Effect effect : effects) {
            switch (effect) {
                case Effect.Send part -> send(part);
                case Effect.Completed done -> {
                    Waiting waiting = requests.remove(done.request());
                    if (waiting != null) {
                        waiting.answer.complete(waiting.reply());
                    }
                }
                case Effect.Failed failed -> {
                    Waiting waiting = requests.remove(failed.request());
                    if (waiting != null) {
                        waiting.answer.fail(failed.reason());
                    }
                }
                case Effect.Accepted node -> {
                    meters.accepted(node.node());
                    log.info("Node {} embeds for this one from now on", node.node());
                    tellNode(node.node(), "");
                }
                case Effect.Refused node -> {
                    log.warn(
                            "Node {} is not sent anything to embed: {}",
                            node.node(),
                            node.reason());
                    tellNode(node.node(), node.reason());
                }
                case Effect.Lost node -> {
                    meters.lost(node.node(), node.parts());
                    log.warn(
                            "Node {} no longer embeds: {}. {} parts of requests go elsewhere",
                            node.node(),
                            node.reason(),
                            node.parts());
                }
            }
        }
    }

    private void tellNode(String node, String reason) {
        JsonObject told = new JsonObject().put("node", node).put("reason", reason);
        vertx.eventBus().publish(Addresses.CLUSTER_REFUSED, told);
    }

    private void send(Effect.Send part) {
        Waiting waiting = requests.get(part.request());
        if (waiting == null) {
            return;
        }
        long began = System.nanoTime();
        Duration patience = Duration.ofNanos(Math.max(1_000_000, waiting.deadlineNanos - began));
        Services.call(vertx, waiting.part(part), patience)
                .onSuccess(reply -> answered(part, waiting, reply, began))
                .onFailure(
                        failure ->
                                apply(
                                        fleet.failed(
                                                part.part(), EmbeddingRequests.reason(failure))));
    }

    private void answered(Effect.Send part, Waiting waiting, Reply reply, long began) {
        if (!fleet.awaits(part.part())) {
            return; // its node was given up, and another has the part
        }
        if (waiting.take(part, reply)) {
            long took = (System.nanoTime() - began) / 1_000_000;
            apply(fleet.answered(part.part(), took));
        } else {
            apply(
                    fleet.failed(
                            part.part(),
                            new NeuralCoreException(
                                    ErrorCode.INTERNAL,
                                    "Node %s answered %d texts with other vectors than they have."
                                            .formatted(part.node(), part.to() - part.from()))));
        }
    }

    private Future<Reply> nodes() {
        List<Object> told = new ArrayList<>();
        for (Fleet.Seen seen : fleet.seen()) {
            told.add(ClusterStatus.described(seen));
        }
        return Future.succeededFuture(
                Reply.of(Map.of("nodes", told, "waiting_texts", (long) fleet.waitingTexts())));
    }

    private static long nowMillis() {
        return System.nanoTime() / 1_000_000;
    }
}
