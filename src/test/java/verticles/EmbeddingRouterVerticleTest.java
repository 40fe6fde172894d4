package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import io.vertx.junit5.VertxExtension;
import java.nio.FloatBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.stream.IntStream;
import neuralcore.cluster.Announcement;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The router and the fleet behind it, with nodes that give each text the vector of its number. */
@ExtendWith(VertxExtension.class)
class EmbeddingRouterVerticleTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    private static final int TEXTS = 1_000;

    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final Queue<String> asked = new ConcurrentLinkedQueue<>();
    private final Queue<String> gone = new ConcurrentLinkedQueue<>();
    private Vertx vertx = Vertx.vertx();

    @BeforeEach
    void prepare(Vertx given) {
        vertx.close();
        vertx = given;
        Services.registerCodecs(vertx.eventBus());
        vertx.deployVerticle(new EmbeddingRouterVerticle(100_000, false, meters)).await();
    }

    private void node(String name, long since, Function<Request, Future<Reply>> service) {
        Services.offer(
                        vertx,
                        Addresses.embeddingNode(name),
                        request -> {
                            asked.add(name);
                            return service.apply(request);
                        })
                .await();
        tell(name, since, "digest");
        vertx.setPeriodic(
                500,
                timer -> {
                    if (!gone.contains(name)) {
                        tell(name, since, "digest");
                    }
                });
    }

    private void tell(String name, long since, String digest) {
        Announcement told =
                new Announcement(
                        name,
                        "m-" + name,
                        since,
                        "1",
                        "model",
                        digest,
                        "int8",
                        512,
                        0,
                        false,
                        false);
        vertx.eventBus().publish(Addresses.CLUSTER_ANNOUNCEMENT, new JsonObject(told.toMap()));
    }

    /** Each text is a number, and its vector that number twice. */
    private static Future<Reply> numbers(Request request) {
        List<String> texts = request.tensor(0, "texts").toStrings();
        Tensor vectors = Tensor.ofFloats(texts.size(), 2);
        FloatBuffer values = vectors.floats();
        for (String text : texts) {
            float number = Float.parseFloat(text.substring(text.lastIndexOf(' ') + 1));
            values.put(number).put(number);
        }
        return Future.succeededFuture(
                Reply.of(Map.of("model", "model", "tokens", (long) texts.size()), vectors));
    }

    private Future<Reply> embed(int texts) {
        List<String> all =
                IntStream.range(0, texts).mapToObj(i -> "a text of some words, no. " + i).toList();
        return Services.call(
                vertx,
                new Request(
                        Addresses.EMBEDDING_EMBED,
                        Params.EMPTY,
                        List.of(Tensor.ofStrings(all)),
                        "c1"),
                TIMEOUT);
    }

    private static void assertNumbers(Reply reply, int texts) {
        float[] vectors = reply.tensors().getFirst().toFloatArray();
        assertThat(vectors).hasSize(2 * texts);
        for (int i = 0; i < texts; i++) {
            assertThat(vectors[2 * i]).isEqualTo(i);
        }
        assertThat(reply.result()).containsEntry("tokens", (long) texts);
    }

    @Test
    void theVectorsOfManyNodesAreInTheOrderOfTheTexts() {
        node("a", 1, EmbeddingRouterVerticleTest::numbers);
        node("b", 2, EmbeddingRouterVerticleTest::numbers);
        assertNumbers(embed(TEXTS).await(), TEXTS);
        assertThat(asked).contains("a", "b").hasSizeGreaterThan(3);
        assertNumbers(embed(1).await(), 1);
    }

    @Test
    void whatANodeHadThatLeavesTheClusterIsDoneByAnother() {
        Promise<Void> has = Promise.promise();
        node(
                "dead",
                1,
                request -> {
                    has.tryComplete();
                    return Promise.<Reply>promise().future();
                });
        Future<Reply> all = embed(TEXTS);
        has.future().await();
        node("alive", 2, EmbeddingRouterVerticleTest::numbers);
        gone.add("dead");
        vertx.eventBus().publish(Addresses.CLUSTER_GONE, "m-dead", Services.local());
        assertNumbers(all.await(), TEXTS);
        assertThat(asked).contains("dead", "alive");
        assertThat(meters.get("neuralcore.cluster.parts.resent").counter().count()).isPositive();
    }

    @Test
    void aNodeThatRefusesAPartIsNotAskedForItAgain() {
        node(
                "full",
                1,
                request ->
                        Future.failedFuture(
                                new NeuralCoreException(ErrorCode.UNAVAILABLE, "full", 1.0)));
        assertThatThrownBy(() -> embed(3).await())
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.UNAVAILABLE));
        assertThat(asked).hasSize(1);
        node("free", 2, EmbeddingRouterVerticleTest::numbers);
        assertNumbers(embed(3).await(), 3);
    }

    @Test
    void aRequestThatIsWrongFailsWithTheNodesReason() {
        node("a", 1, request -> Future.failedFuture(NeuralCoreException.invalid("No such model.")));
        assertThatThrownBy(() -> embed(TEXTS).await()).hasMessageContaining("No such model.");
    }

    @Test
    void nodesAreListedWithWhyOneIsRefused() {
        node("a", 1, EmbeddingRouterVerticleTest::numbers);
        tell("b", 2, "another");
        Reply reply =
                Services.call(
                                vertx,
                                new Request(Addresses.EMBEDDING_NODES, Params.EMPTY, List.of()),
                                TIMEOUT)
                        .await();
        assertThat(reply.result().get("nodes").toString())
                .contains("node=a", "node=b", "refused=its files of model are others");
        assertNumbers(embed(TEXTS).await(), TEXTS);
        assertThat(asked).containsOnly("a");
    }

    @Test
    void withoutANodeTheErrorSaysHowToStartOne() {
        assertThatThrownBy(() -> embed(1).await()).hasMessageContaining("--join");
    }
}
