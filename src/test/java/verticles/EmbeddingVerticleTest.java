package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import io.vertx.junit5.VertxExtension;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.Golden;
import neuralcore.embedding.TestModel;
import neuralcore.embedding.TinyModel;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.Services;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import neuralcore.wire.Reply;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The verticle with the real model, called over the event bus as the bridge calls it. */
@ExtendWith(VertxExtension.class)
class EmbeddingVerticleTest {
    private static final String MODEL = "all-MiniLM-L6-v2";
    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    private final MeterRegistry meters = new SimpleMeterRegistry();
    private final Promise<JsonObject> readiness = Promise.promise();
    private Vertx vertx = Vertx.vertx();

    @BeforeEach
    void prepare(Vertx given) {
        vertx.close();
        vertx = given;
        Services.registerCodecs(vertx.eventBus());
        vertx.eventBus()
                .<JsonObject>consumer(
                        Addresses.READINESS, message -> readiness.tryComplete(message.body()));
    }

    private static RuntimeConfig.Embedding config(String model, int maxQueued) {
        return config(model, maxQueued, 0);
    }

    private static RuntimeConfig.Embedding config(String model, int maxQueued, long memoryLimit) {
        return config(model, maxQueued, memoryLimit, "auto");
    }

    private static RuntimeConfig.Embedding config(
            String model, int maxQueued, long memoryLimit, String isolation) {
        return new RuntimeConfig.Embedding(
                model,
                Path.of("target/no-models"),
                Path.of("target/no-hub"),
                "fp32",
                2,
                1,
                1024,
                maxQueued,
                1 << 20,
                memoryLimit,
                "cpu",
                0,
                0,
                isolation);
    }

    private String deploy(int maxQueued) {
        return vertx.deployVerticle(
                        new EmbeddingVerticle(config(MODEL, maxQueued), TestModel.CACHE, meters))
                .await();
    }

    private Future<Reply> call(String address, Map<String, ?> params, String client, Tensor... t) {
        return Services.call(
                vertx,
                new Request(address, new Params(new HashMap<>(params)), List.of(t), client),
                TIMEOUT);
    }

    private Future<Reply> embed(String client, Map<String, ?> params, String... texts) {
        return call(
                Addresses.EMBEDDING_EMBED, params, client, Tensor.ofStrings(Arrays.asList(texts)));
    }

    private static void assertFails(Future<?> future, ErrorCode code, String... words) {
        assertThatThrownBy(future::await)
                .isInstanceOfSatisfying(
                        NeuralCoreException.class, e -> assertThat(e.code()).isEqualTo(code))
                .hasMessageContainingAll(words);
    }

    private static String[] words(int count) {
        String[] texts = new String[count];
        Arrays.setAll(texts, i -> "text number " + i);
        return texts;
    }

    private double count(String name) {
        return meters.get("neuralcore.embedding." + name).counter().count();
    }

    @Test
    void requestsThatComeBeforeTheModelGetTheReferencesVectors() {
        List<Golden> goldens = new ArrayList<>(Golden.read());
        EmbeddingVerticle.preload(config(MODEL, 1000), TestModel.CACHE);
        deploy(1000);
        List<Future<Reply>> replies = new ArrayList<>();
        List<List<Golden>> parts = new ArrayList<>();
        Collections.shuffle(goldens);
        for (int from = 0; from < goldens.size(); from += 30) {
            List<Golden> part = goldens.subList(from, Math.min(from + 30, goldens.size()));
            parts.add(part);
            replies.add(
                    embed(
                            "c-" + from,
                            Map.of(),
                            part.stream().map(Golden::text).toArray(String[]::new)));
        }
        for (int i = 0; i < parts.size(); i++) {
            assertGolden(parts.get(i), replies.get(i).await());
        }
    }

    private static void assertGolden(List<Golden> goldens, Reply reply) {
        Tensor vectors = reply.tensors().getFirst();
        assertThat(vectors.rows()).isEqualTo(goldens.size());
        float[] values = vectors.toFloatArray();
        for (int i = 0; i < goldens.size(); i++) {
            float[] vector = Arrays.copyOfRange(values, i * 384, (i + 1) * 384);
            assertThat(TestModel.cosine(vector, goldens.get(i).vector()))
                    .as(goldens.get(i).shown())
                    .isGreaterThanOrEqualTo(0.9999);
        }
    }

    @Test
    void replyReadinessModelsAndMetersTellWhatHappened() {
        deploy(1000);
        assertThat(readiness.future().await())
                .isEqualTo(
                        new JsonObject()
                                .put("part", "model")
                                .put("ready", true)
                                .put("detail", MODEL));
        Reply reply =
                embed(
                                "c-1",
                                Map.of("kind", "query", "model", "sentence-transformers/" + MODEL),
                                "hello world",
                                "hello world",
                                "other")
                        .await();
        assertThat(reply.result())
                .containsExactlyInAnyOrderEntriesOf(
                        Map.of("model", MODEL, "dimension", 384, "tokens", 11L));
        Reply models = call(Addresses.EMBEDDING_MODELS, Map.of(), "").await();
        assertThat(models.result().get("models"))
                .asInstanceOf(InstanceOfAssertFactories.list(Map.class))
                .singleElement(InstanceOfAssertFactories.MAP)
                .containsAllEntriesOf(
                        Map.of(
                                "name",
                                MODEL,
                                "dimension",
                                384,
                                "max_tokens",
                                256,
                                "ready",
                                true,
                                "state",
                                "ready",
                                "provider",
                                "cpu",
                                "precision",
                                "fp32"));
        assertThat(count("texts")).isEqualTo(3);
        assertThat(count("tokens")).isEqualTo(11);
        assertThat(meters.get("neuralcore.embedding.batch.texts").summary().totalAmount())
                .as("texts that were run: equal ones once")
                .isEqualTo(2);
    }

    @Test
    void textsMayComeAsAListOfParameters() {
        deploy(1000);
        Reply listed =
                call(Addresses.EMBEDDING_EMBED, Map.of("texts", List.of("a", "\uD83D b")), "c")
                        .await();
        Reply attached = embed("c", Map.of(), "a", "\uFFFD b").await();
        assertThat(listed.tensors().getFirst().toFloatArray())
                .containsExactly(attached.tensors().getFirst().toFloatArray());
    }

    @Test
    void noTextsGiveNoVectors() {
        deploy(1000);
        Tensor vectors = embed("c", Map.of()).await().tensors().getFirst();
        assertThat(vectors.rows()).isZero();
        assertThat(vectors.columns()).isEqualTo(384);
    }

    @Test
    void whatCannotBeDoneIsRefusedWithTheReason() {
        deploy(40);
        assertFails(
                embed("c", Map.of("model", "gpt-9"), "a"),
                ErrorCode.MODEL_NOT_FOUND,
                "gpt-9",
                MODEL);
        assertFails(embed("c", Map.of("kind", "verse"), "a"), ErrorCode.INVALID_REQUEST, "verse");
        assertFails(
                call(Addresses.EMBEDDING_EMBED, Map.of(), "c"), ErrorCode.INVALID_REQUEST, "texts");
        assertFails(
                call(Addresses.EMBEDDING_EMBED, Map.of("texts", List.of(1)), "c"),
                ErrorCode.INVALID_REQUEST,
                "list of strings");
        assertFails(embed("c", Map.of(), words(31)), ErrorCode.INVALID_REQUEST, "1 to 30 texts");
        assertFails(
                vertx.deployVerticle(
                        new EmbeddingVerticle(config("gpt-9", 1), TestModel.CACHE, meters)),
                ErrorCode.MODEL_NOT_FOUND,
                "gpt-9");
    }

    @Test
    void aFullQueueRefusesAndAClientThatLeavesMakesRoom() {
        deploy(40);
        Future<Reply> waiting = embed("c-1", Map.of(), words(30));
        Future<Reply> refused = embed("c-1", Map.of(), words(30));
        assertThatThrownBy(refused::await)
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.retryAfterSeconds()).isPositive());
        vertx.eventBus().publish(Addresses.CONNECTION_CLOSED, "c-1");
        Future<Reply> next = embed("c-2", Map.of(), words(30));
        assertFails(waiting, ErrorCode.UNAVAILABLE, "left");
        assertThat(next.await().tensors().getFirst().rows()).isEqualTo(30);
    }

    /** Waits until models are in these states. */
    private void awaitStates(Map<String, String> expected) throws InterruptedException {
        long end = System.nanoTime() + TIMEOUT.toNanos();
        Map<String, String> states = new HashMap<>();
        while (!states.entrySet().containsAll(expected.entrySet())) {
            assertThat(System.nanoTime()).as("%s", states).isLessThan(end);
            Thread.sleep(20);
            Reply reply = call(Addresses.EMBEDDING_MODELS, Map.of(), "").await();
            for (Object entry : (List<?>) reply.result().get("models")) {
                Map<?, ?> model = (Map<?, ?>) entry;
                states.put((String) model.get("name"), (String) model.get("state"));
            }
        }
    }

    /** The name of the model that is there, once it is loaded. */
    private String load(Path path, Map<String, Object> config) {
        Map<String, Object> given = Map.of("path", path.toString(), "config", config);
        Reply loaded = call(Addresses.EMBEDDING_LOAD, given, "c").await();
        return (String) ((Map<?, ?>) loaded.result().get("model")).get("name");
    }

    @Test
    void underALimitTheModelNotUsedForLongestMakesRoom(@TempDir Path folder) throws Exception {
        TinyModel.write(folder.resolve("tiny"));
        vertx.deployVerticle(new EmbeddingVerticle(config(MODEL, 100, 1), TestModel.CACHE, meters))
                .await();
        embed("c", Map.of(), "a text").await();
        String tiny = load(folder.resolve("tiny"), Map.of("dimension", 2L));
        awaitStates(Map.of(MODEL, "unloaded", tiny, "ready"));
        Reply reply = embed("c", Map.of("model", tiny), "two").await();
        assertThat(reply.tensors().getFirst().toFloatArray()).containsExactly(0, 1);
        Reply again = embed("c", Map.of(), "another text").await();
        assertThat(again.tensors().getFirst().columns()).isEqualTo(384);
        awaitStates(Map.of(MODEL, "ready", tiny, "unloaded"));
        assertThat(embed("c", Map.of("model", tiny), "one").await().tensors()).hasSize(1);
    }

    @Test
    void whatIsAtWorkMakesRoomWhenItIsIdle(@TempDir Path folder) throws Exception {
        TinyModel.write(folder.resolve("tiny"));
        vertx.deployVerticle(new EmbeddingVerticle(config(MODEL, 1000, 1), TestModel.CACHE, meters))
                .await();
        embed("c", Map.of(), "a text").await();
        Future<Reply> work = embed("c", Map.of(), words(400));
        String tiny = load(folder.resolve("tiny"), Map.of("dimension", 2L));
        assertThat(work.isComplete()).as("it was at work").isFalse();
        embed("c", Map.of("model", tiny), "two").await();
        assertThat(work.await().tensors().getFirst().rows()).isEqualTo(400);
        awaitStates(Map.of(MODEL, "unloaded", tiny, "ready"));
    }

    @Test
    void whatIsKeptOfAModelIsNotGivenForAnother(@TempDir Path folder) throws Exception {
        Path network = TinyModel.write(folder.resolve("tiny")).resolve("model.onnx");
        vertx.deployVerticle(new EmbeddingVerticle(config(MODEL, 100, 1), TestModel.CACHE, meters))
                .await();
        Map<String, Object> config = Map.of("dimension", 2L, "normalize", false);
        String tiny = load(network, config);
        Reply before = embed("c", Map.of("model", tiny), "one").await();
        assertThat(before.tensors().getFirst().toFloatArray()).containsExactly(1, 0);
        embed("c", Map.of(), "a text").await();
        awaitStates(Map.of(MODEL, "ready", tiny, "unloaded"));
        Files.write(network, TinyModel.otherNetwork());
        Reply after = embed("c", Map.of("model", tiny), "one").await();
        assertThat(after.tensors().getFirst().toFloatArray()).containsExactly(0, 2);
    }

    @Test
    void aModelInQuarantineIsNotReady() throws Exception {
        Set<ProcessHandle> others = children();
        vertx.deployVerticle(
                        new EmbeddingVerticle(
                                config(MODEL, 100, 0, "process"), TestModel.CACHE, meters))
                .await();
        embed("c", Map.of(), "a text").await();
        assertThat(readiness.future().await().getBoolean("ready")).isTrue();
        Promise<JsonObject> next = Promise.promise();
        vertx.eventBus()
                .<JsonObject>consumer(
                        Addresses.READINESS, message -> next.tryComplete(message.body()));
        long end = System.nanoTime() + TIMEOUT.toNanos();
        while (!next.future().isComplete() && System.nanoTime() < end) {
            Set<ProcessHandle> processes = children();
            processes.removeAll(others);
            processes.forEach(ProcessHandle::destroyForcibly);
            Thread.sleep(20);
        }
        assertThat(next.future().isComplete()).isTrue();
        assertThat(next.future().await().getBoolean("ready")).isFalse();
        assertThat(next.future().await().getString("detail")).contains("3 times");
        Reply told = call(Addresses.EMBEDDING_MODELS, Map.of("all", true), "c").await();
        assertThat((List<?>) told.result().get("models"))
                .filteredOn(entry -> MODEL.equals(((Map<?, ?>) entry).get("name")))
                .singleElement(InstanceOfAssertFactories.MAP)
                .containsEntry("state", "failed")
                .containsEntry("ready", false);
        assertFails(embed("c", Map.of(), "b"), ErrorCode.MODEL_NOT_READY, "3 times");
    }

    private static Set<ProcessHandle> children() {
        return ProcessHandle.current().children().collect(Collectors.toSet());
    }

    @Test
    void aStopAnswersWhatWaits() {
        String id = deploy(1000);
        Future<Reply> waiting = embed("c-1", Map.of(), words(300));
        vertx.undeploy(id).await();
        assertFails(waiting, ErrorCode.SHUTTING_DOWN, "stopping");
    }

    @Test
    void aModelThatCouldNotBeLoadedIsTriedAgain(@TempDir Path folder) throws Exception {
        Path cache = Files.createFile(folder.resolve("cache"));
        vertx.deployVerticle(new EmbeddingVerticle(config(MODEL, 100), cache, meters)).await();
        assertThatThrownBy(() -> embed("c", Map.of(), "text").await())
                .isInstanceOf(NeuralCoreException.class);
        Files.delete(cache);
        Tensor vectors = null;
        while (vectors == null) {
            try {
                vectors = embed("c", Map.of(), "text").await().tensors().getFirst();
            } catch (NeuralCoreException e) {
                Thread.sleep(100); // It is not tried with each request.
            }
        }
        assertThat(vectors.rows()).isEqualTo(1);
    }

    @Test
    void aModelThatCannotBeLoadedFailsRequestsWithTheReason() {
        Path blocked = Path.of("pom.xml/cache");
        vertx.deployVerticle(new EmbeddingVerticle(config(MODEL, 10), blocked, meters)).await();
        assertFails(embed("c", Map.of(), "a"), ErrorCode.UNAVAILABLE, "pom.xml");
        JsonObject told = readiness.future().await();
        assertThat(told.getBoolean("ready")).isFalse();
        assertThat(told.getString("detail")).contains("pom.xml");
    }
}
