package verticles;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Context;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.ThreadingModel;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.FloatBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import neuralcore.config.ConfigLoader;
import neuralcore.config.Given;
import neuralcore.config.Platform;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.BatchPlanner;
import neuralcore.embedding.EmbedCall;
import neuralcore.embedding.EmbeddingModel;
import neuralcore.embedding.EmbeddingScheduler;
import neuralcore.embedding.ModelFile;
import neuralcore.embedding.ModelSpec;
import neuralcore.embedding.Pooling;
import neuralcore.embedding.Precision;
import neuralcore.embedding.Provider;
import neuralcore.embedding.TokenBatch;
import neuralcore.embedding.VectorCache;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.ops.ClusteredVertx;
import neuralcore.wire.Reply;

/**
 * A node that embeds, with a network that only takes its time: cluster, event bus, announcements,
 * scheduler and batches are the real ones; in place of computing, a batch waits so many
 * microseconds a token. A text's vector begins with a number made of the text, so that a wrong one
 * is seen. So many nodes fit on a machine that could not compute for one of them.
 *
 * <p>{@code StandIn MICROSECONDS key=value…}: the keys are of the daemon's configuration.
 */
final class StandIn {
    static final int DIMENSION = 384;
    private static final String NONE = "0".repeat(64);
    private static final Duration DRAIN = Duration.ofSeconds(50);
    private static final int CHARACTERS_OF_A_TOKEN = 4;

    private StandIn() {}

    /** The number that a text's vector begins with. */
    static float number(String text) {
        return text.hashCode() & 0xffff;
    }

    public static void main(String[] arguments) throws Exception {
        List<Given> given = new ArrayList<>();
        given.add(Given.text("roles", "embedding", "stand-in"));
        given.add(Given.text("cluster.enabled", "true", "stand-in"));
        for (int i = 1; i < arguments.length; i++) {
            given.add(Given.assignment(arguments[i]));
        }
        RuntimeConfig config =
                ConfigLoader.load(null, Map.of(), given, Platform.current()).config();
        long nanosAToken = TimeUnit.MICROSECONDS.toNanos(Long.parseLong(arguments[0]));
        VertxOptions options =
                new VertxOptions()
                        .setEventLoopPoolSize(1)
                        .setWorkerPoolSize(2)
                        .setInternalBlockingPoolSize(2);
        Vertx vertx = ClusteredVertx.build(options, config, Map.of()).await(1, TimeUnit.MINUTES);
        Services.registerCodecs(vertx.eventBus(), config.cluster().maxFrame());
        Context context = vertx.getOrCreateContext();
        context.runOnContext(now -> begin(vertx, config.embedding(), new Waiting(nanosAToken)));
        new PrintStream(new FileOutputStream(FileDescriptor.out), true).println("started");
        while (System.in.read() >= 0) {
            // Goes with whoever started it, or when it is told to.
        }
        NodeAnnouncements.leave(vertx, DRAIN).await(1, TimeUnit.MINUTES);
        vertx.close().await(1, TimeUnit.MINUTES);
        Runtime.getRuntime().halt(0);
    }

    /** For measuring the way to another node and back: what comes goes back as it is. */
    private static final String ECHO = "neuralcore.vectors.echo";

    private static void begin(Vertx vertx, RuntimeConfig.Embedding config, Waiting model) {
        VectorCache cache = new VectorCache(0);
        EmbeddingScheduler scheduler =
                new EmbeddingScheduler(
                        DIMENSION, new BatchPlanner(config.batchTokens()), 1_000_000, cache);
        EmbeddingRequests requests =
                new EmbeddingRequests(
                        vertx,
                        model.spec(),
                        () -> Future.succeededFuture(model),
                        scheduler,
                        new EmbeddingMeters(new SimpleMeterRegistry(), "stand-in", cache),
                        cache);
        NodeAnnouncements node =
                new NodeAnnouncements(
                        vertx,
                        config.batchTokens(),
                        new NodeAnnouncements.Work() {
                            @Override
                            public int waitingTexts() {
                                return requests.waitingTexts();
                            }

                            @Override
                            public boolean isIdle() {
                                return requests.isIdle();
                            }
                        });
        DeploymentOptions worker = new DeploymentOptions().setThreadingModel(ThreadingModel.WORKER);
        Services.offer(
                vertx,
                ECHO,
                request ->
                        Future.succeededFuture(
                                new Reply(request.params().values(), request.tensors())));
        node.start()
                .compose(
                        started ->
                                Services.offer(
                                        vertx,
                                        Addresses.embeddingNode(node.node()),
                                        request -> requests.embed(EmbedCall.of(request))))
                .compose(
                        offered ->
                                vertx.deployVerticle(
                                        new EmbeddingWorkerVerticle(node.node(), model), worker))
                .onSuccess(
                        deployed -> {
                            requests.workerJoined(node.node(), config.batchTokens());
                            node.ready(model.spec());
                        })
                .onFailure(failure -> Runtime.getRuntime().halt(1));
    }

    /** The network: takes its time, and a batch begins when the one before has ended. */
    private record Waiting(long nanosAToken) implements EmbeddingModel {
        @Override
        public ModelSpec spec() {
            return new ModelSpec(
                    "stand-in",
                    List.of(),
                    "",
                    DIMENSION,
                    512,
                    Pooling.MEAN,
                    false,
                    "",
                    "",
                    List.of("input_ids"),
                    "output",
                    Precision.FP32,
                    new ModelFile("network", "", 1, NONE),
                    new ModelFile("tokenizer", "", 1, NONE),
                    "a test");
        }

        @Override
        public Provider provider() {
            return Provider.CPU;
        }

        /** A token for four characters; the first says which text it is. */
        @Override
        public int[][] encode(List<String> texts) {
            return texts.stream()
                    .map(
                            text -> {
                                int[] ids = new int[2 + text.length() / CHARACTERS_OF_A_TOKEN];
                                ids[0] = (int) number(text);
                                return ids;
                            })
                    .toArray(int[][]::new);
        }

        @Override
        public BatchRunner newRunner() {
            return new BatchRunner() {
                private long endsNanos;

                @Override
                public void run(TokenBatch batch, FloatBuffer vectors) {
                    int at = 0;
                    for (int text = 0; text < batch.texts(); text++) {
                        vectors.put(text * DIMENSION, batch.ids()[at]);
                        at += batch.lengths()[text];
                    }
                    endsNanos = Math.max(System.nanoTime(), endsNanos) + nanosAToken * at;
                    while (System.nanoTime() < endsNanos) {
                        LockSupport.parkNanos(endsNanos - System.nanoTime());
                    }
                }
            };
        }

        @Override
        public void close() {}
    }
}
