package verticles;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.junit5.VertxExtension;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import neuralcore.config.RuntimeConfig;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ElementType;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Every vector service over the event bus. */
@ExtendWith(VertxExtension.class)
class VectorsVerticleTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private Vertx vertx;

    @BeforeEach
    void deploy(Vertx started, @TempDir Path folder) throws Exception {
        vertx = started;
        Services.registerCodecs(vertx.eventBus());
        RuntimeConfig.Vectors config = new RuntimeConfig.Vectors(512, 1 << 26, 2, 20_000);
        vertx.deployVerticle(new VectorsVerticle(config, 16 << 20, folder, meters))
                .toCompletionStage()
                .toCompletableFuture()
                .get(60, TimeUnit.SECONDS);
    }

    private Reply call(String address, Map<String, @Nullable Object> params, Tensor... tensors)
            throws Exception {
        Request request = new Request(address, new Params(params), List.of(tensors));
        return Services.call(vertx, request, TIMEOUT)
                .toCompletionStage()
                .toCompletableFuture()
                .get(60, TimeUnit.SECONDS);
    }

    private ErrorCode refusal(
            String message, String address, Map<String, @Nullable Object> params, Tensor... tensors)
            throws Exception {
        try {
            call(address, params, tensors);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof NeuralCoreException refusal) {
                assertThat(refusal).hasMessageContaining(message);
                return refusal.code();
            }
            throw e;
        }
        throw new AssertionError(address + " was not refused");
    }

    private static Tensor floats(int rows, int columns, float... values) {
        Tensor tensor = Tensor.ofFloats(rows, columns);
        tensor.floats().put(values);
        return tensor;
    }

    private static Tensor strings(String... values) {
        return Tensor.ofStrings(List.of(values));
    }

    @Test
    void similarityOfAttachedArrays() throws Exception {
        Tensor queries = floats(2, 2, 1, 0, 0, 2);
        Tensor documents = floats(3, 2, 3, 0, 0, 0, 1, 1);
        Reply reply =
                call(Addresses.VECTORS_SIMILARITY, Map.of("metric", "cosine"), queries, documents);
        Tensor scores = reply.tensors().getFirst();
        float half = (float) Math.sqrt(0.5);
        assertThat(List.of(scores.rows(), scores.columns())).containsExactly(2, 3);
        assertThat(scores.toFloatArray()).containsExactly(1, 0, half, 0, 0, half);
        Reply product =
                call(
                        Addresses.VECTORS_SIMILARITY,
                        Map.of("metric", "inner_product"),
                        floats(2, 0, 1, 2),
                        documents);
        assertThat(product.tensors().getFirst().toFloatArray()).containsExactly(3, 0, 3);
    }

    /** Some seconds of work for two cores. */
    private Future<Reply> longWork(String connection, Duration timeout) {
        Request request =
                new Request(
                        Addresses.VECTORS_TOP_K,
                        new Params(Map.of("metric", "cosine", "k", 1L)),
                        List.of(
                                floats(1 << 14, 512, new float[1 << 23]),
                                floats(1 << 14, 512, new float[1 << 23])),
                        connection);
        return Services.call(vertx, request, timeout);
    }

    private long answers(String outcome) {
        return meters.get("neuralcore.vectors.requests")
                .tags("operation", "topk", "outcome", outcome)
                .timer()
                .count();
    }

    private void awaitOneFailure() throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
        while (answers("failure") + answers("success") == 0 && System.nanoTime() < deadline) {
            Thread.sleep(5);
        }
        assertThat(answers("failure")).isOne();
        assertThat(answers("success")).isZero();
    }

    @Test
    void workEndsWithThePatienceOfItsCaller() throws Exception {
        longWork("c-impatient", Duration.ofMillis(50));
        awaitOneFailure();
    }

    @Test
    void workEndsWithTheConnectionOfItsCaller() throws Exception {
        Future<Reply> reply = longWork("c-gone", Duration.ofMinutes(10));
        vertx.eventBus().publish(Addresses.CONNECTION_CLOSED, "c-gone");
        awaitOneFailure();
        assertThat(reply.toCompletionStage().toCompletableFuture())
                .failsWithin(60, TimeUnit.SECONDS)
                .withThrowableThat()
                .withMessageContaining("the caller had gone");
    }

    @Test
    void whoeverElseLeavesChangesNothing() throws Exception {
        Tensor rows = floats(2, 2, 1, 0, 0, 1);
        vertx.eventBus().publish(Addresses.CONNECTION_CLOSED, "c-other");
        Reply reply =
                call(Addresses.VECTORS_TOP_K, Map.of("metric", "cosine", "k", 1L), rows, rows);
        assertThat(reply.tensors().getFirst().rows()).isEqualTo(2);
    }

    @Test
    void topKOfAttachedArrays() throws Exception {
        Reply reply =
                call(
                        Addresses.VECTORS_TOP_K,
                        Map.of("metric", "euclidean", "k", 2L),
                        floats(1, 2, 0, 0),
                        floats(4, 2, 3, 4, 0, 1, 5, 12, 0, 1));
        Tensor indexes = reply.tensors().get(0);
        Tensor scores = reply.tensors().get(1);
        assertThat(indexes.type()).isEqualTo(ElementType.INT64);
        assertThat(List.of(indexes.rows(), indexes.columns())).containsExactly(1, 2);
        assertThat(indexes.toLongArray()).containsExactly(1, 3);
        assertThat(scores.toFloatArray()).containsExactly(1, 1);
    }

    @Test
    void largeComparisonsGiveWhatSmallOnesGive() throws Exception {
        float[] values = new float[400 * 300];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 17 - 8 + i % 3;
        }
        Tensor rows = floats(400, 300, values);
        float[] all =
                call(Addresses.VECTORS_SIMILARITY, Map.of("metric", "dot_product"), rows, rows)
                        .tensors()
                        .getFirst()
                        .toFloatArray();
        Tensor one = floats(1, 300, Arrays.copyOfRange(values, 300 * 77, 300 * 78));
        float[] row =
                call(Addresses.VECTORS_SIMILARITY, Map.of("metric", "dot_product"), one, one)
                        .tensors()
                        .getFirst()
                        .toFloatArray();
        assertThat(all[77 * 400 + 77]).isEqualTo(row[0]);
    }

    @Test
    void aCollectionFromCreationToDrop() throws Exception {
        Map<String, @Nullable Object> name = Map.of("collection", "notes");
        call(Addresses.VECTORS_CREATE, Map.of("collection", "notes", "dimension", 2L));
        List<@Nullable Object> metadata = new ArrayList<>();
        metadata.add(Map.of("page", 1L));
        metadata.add(null);
        Reply upserted =
                call(
                        Addresses.VECTORS_UPSERT,
                        Map.of("collection", "notes", "metadata", metadata),
                        strings("a", "b"),
                        floats(2, 2, 1, 0, 0, 3));
        assertThat(upserted.result()).isEqualTo(Map.of("inserted", 2, "updated", 0));

        Reply got = call(Addresses.VECTORS_GET, name, strings("b", "nothing", "a"));
        assertThat(got.result().get("found")).isEqualTo(List.of("b", "a"));
        assertThat(got.result().get("metadata")).isEqualTo(Arrays.asList(null, Map.of("page", 1L)));
        assertThat(got.tensors().getFirst().toFloatArray()).containsExactly(0, 3, 1, 0);

        Reply found =
                call(
                        Addresses.VECTORS_SEARCH,
                        Map.of("collection", "notes", "k", 5L, "include_metadata", true),
                        floats(2, 2, 5, 0, 0, 1));
        assertThat(found.result().get("counts")).isEqualTo(List.of(2, 2));
        assertThat(found.result().get("metadata"))
                .isEqualTo(Arrays.asList(Map.of("page", 1L), null, null, Map.of("page", 1L)));
        assertThat(found.tensors().get(0).toStrings()).containsExactly("a", "b", "b", "a");
        assertThat(found.tensors().get(1).toFloatArray()).containsExactly(1, 0, 1, 0);

        assertThat(call(Addresses.VECTORS_LIST, Map.of()).result().get("collections"))
                .asInstanceOf(InstanceOfAssertFactories.LIST)
                .singleElement()
                .asInstanceOf(InstanceOfAssertFactories.MAP)
                .containsEntry("name", "notes")
                .containsEntry("dimension", 2)
                .containsEntry("metric", "cosine")
                .containsEntry("count", 2)
                .containsKey("bytes");
        assertThat(meters.get("neuralcore.vectors.resident").gauge().value()).isEqualTo(2);
        assertThat(meters.get("neuralcore.vectors.memory").gauge().value()).isPositive();

        assertThat(call(Addresses.VECTORS_DELETE, name, strings("a", "zz")).result())
                .isEqualTo(Map.of("deleted", 1));
        assertThat(call(Addresses.VECTORS_DROP, name).result()).isEqualTo(Map.of("dropped", true));
        assertThat(meters.get("neuralcore.vectors.memory").gauge().value()).isZero();
    }

    @Test
    void nothingIsAnAnswerToo() throws Exception {
        call(
                Addresses.VECTORS_CREATE,
                Map.of("collection", "c", "dimension", 3L, "metric", "euclidean"));
        Map<String, @Nullable Object> name = Map.of("collection", "c", "k", 3L);
        assertThat(call(Addresses.VECTORS_UPSERT, name, strings(), floats(0, 0)).result())
                .isEqualTo(Map.of("inserted", 0, "updated", 0));
        Reply none = call(Addresses.VECTORS_SEARCH, name, floats(1, 3, 1, 2, 3));
        assertThat(none.result()).isEqualTo(Map.of("counts", List.of(0)));
        assertThat(none.tensors().get(0).toStrings()).isEmpty();
        assertThat(call(Addresses.VECTORS_SEARCH, name, floats(0, 3)).result())
                .isEqualTo(Map.of("counts", List.of()));
        assertThat(call(Addresses.VECTORS_GET, name, strings("x")).result().get("found"))
                .isEqualTo(List.of());
    }

    @Test
    void refusalsNameWhatIsWrong() throws Exception {
        Map<String, @Nullable Object> cosine = Map.of("metric", "cosine");
        assertThat(
                        refusal(
                                "Vector length mismatch: 3 vs 2",
                                Addresses.VECTORS_SIMILARITY,
                                cosine,
                                floats(1, 3, 1, 2, 3),
                                floats(1, 2, 1, 2)))
                .isEqualTo(ErrorCode.DIMENSION_MISMATCH);
        assertThat(
                        refusal(
                                "documents: the value at row 0, column 1 is NaN",
                                Addresses.VECTORS_TOP_K,
                                Map.of("metric", "cosine", "k", 1L),
                                floats(1, 2, 1, 2),
                                floats(1, 2, 1, Float.NaN)))
                .isEqualTo(ErrorCode.NOT_FINITE);
        assertThat(
                        refusal(
                                "'metric' is 'taxi'",
                                Addresses.VECTORS_SIMILARITY,
                                Map.of("metric", "taxi"),
                                floats(1, 1, 1),
                                floats(1, 1, 1)))
                .isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(
                        refusal(
                                "attachment 1 (documents)",
                                Addresses.VECTORS_SIMILARITY,
                                cosine,
                                floats(1, 1, 1)))
                .isEqualTo(ErrorCode.INVALID_REQUEST);
        assertThat(
                        refusal(
                                "vectors.max_dimension",
                                Addresses.VECTORS_CREATE,
                                Map.of("collection", "c", "dimension", 10_000L)))
                .isEqualTo(ErrorCode.LIMIT_EXCEEDED);
        assertThat(
                        refusal(
                                "no collection 'none'",
                                Addresses.VECTORS_SEARCH,
                                Map.of("collection", "none", "k", 1L),
                                floats(1, 1, 1)))
                .isEqualTo(ErrorCode.NOT_FOUND);
        assertThat(
                        meters.get("neuralcore.vectors.requests")
                                .tags("operation", "similarity", "outcome", "failure")
                                .timer()
                                .count())
                .isEqualTo(3);
    }
}
