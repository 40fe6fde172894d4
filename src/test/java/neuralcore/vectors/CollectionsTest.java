package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import neuralcore.vectors.simd.KernelProvider;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class CollectionsTest {
    private static final long PLENTY = 1L << 30;

    private final Collections collections = of(PLENTY);

    private static Collections of(long maxBytes) {
        return of(maxBytes, 16 << 20);
    }

    private static Collections of(long maxBytes, int frameBytes) {
        return new Collections(
                KernelProvider.kernels(),
                new CollectionLimits(1_000, maxBytes, Integer.MAX_VALUE, frameBytes));
    }

    private static void assertRefused(ErrorCode code, String message, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOf(NeuralCoreException.class)
                .hasMessageContaining(message)
                .extracting(e -> ((NeuralCoreException) e).code())
                .isEqualTo(code);
    }

    private static Batch batch(float[] vectors, String... ids) {
        return new Batch(List.of((Object[]) ids), vectors, null);
    }

    private static List<Hit> nearest(Collection collection, float[] query, int k) {
        return collection
                .search(Query.nearest(query, query.length, k), Parallel.sequential())
                .hits()
                .getFirst();
    }

    @Test
    void collectionsAreMadeListedAndDropped() {
        collections.create("b", 3, Metric.COSINE, false);
        collections.create("a", 2, Metric.EUCLIDEAN, false);
        collections.get("a").upsert(batch(new float[] {1, 2}, "x"), 2);
        assertThat(collections.list())
                .extracting(CollectionInfo::name, CollectionInfo::dimension, CollectionInfo::count)
                .containsExactly(tuple("a", 2, 1), tuple("b", 3, 0));
        assertThat(collections.rows()).isEqualTo(1);
        assertThat(collections.drop("a")).isTrue();
        assertThat(collections.drop("a")).isFalse();
        assertThat(collections.bytes()).isZero();
        assertRefused(ErrorCode.NOT_FOUND, "'a'", () -> collections.get("a"));
    }

    @Test
    void aNameIsGivenOnce() {
        Collection made = collections.create("c", 3, Metric.COSINE, false);
        assertThat(collections.create("c", 3, Metric.COSINE, true)).isSameAs(made);
        assertRefused(
                ErrorCode.ALREADY_EXISTS,
                "dimension 3 and metric cosine",
                () -> collections.create("c", 3, Metric.COSINE, false));
        assertRefused(
                ErrorCode.ALREADY_EXISTS,
                "It cannot have others",
                () -> collections.create("c", 4, Metric.COSINE, true));
    }

    @Test
    void impossibleNamesAndDimensionsAreRefused() {
        assertRefused(
                ErrorCode.INVALID_REQUEST,
                "0 bytes",
                () -> collections.create("", 3, Metric.COSINE, false));
        assertRefused(
                ErrorCode.INVALID_REQUEST,
                "258 bytes",
                () -> collections.create("é".repeat(129), 3, Metric.COSINE, false));
        assertRefused(
                ErrorCode.INVALID_REQUEST,
                "at least 1",
                () -> collections.create("c", 0, Metric.COSINE, false));
        assertRefused(
                ErrorCode.LIMIT_EXCEEDED,
                "vectors.max_dimension allows 1000",
                () -> collections.create("c", 1_001, Metric.COSINE, false));
    }

    @Test
    void aBatchThatDoesNotFitChangesNothing() {
        Collections small = of(100_000);
        Collection collection = small.create("c", 100, Metric.COSINE, false);
        collection.upsert(batch(new float[100], "kept"), 100);
        long before = small.bytes();
        String[] ids = IntStream.range(0, 500).mapToObj(String::valueOf).toArray(String[]::new);
        assertRefused(
                ErrorCode.LIMIT_EXCEEDED,
                "vectors.max_bytes allows 100000",
                () -> collection.upsert(batch(new float[50_000], ids), 100));
        assertThat(small.bytes()).isEqualTo(before);
        assertThat(collection.count()).isEqualTo(1);
        assertThat(collection.get("", List.of("kept", "0"), true).rows()).hasSize(1);
        Map<String, Object> large = Map.of("text", "x".repeat(90_000));
        Batch described = new Batch(List.of("kept"), new float[100], List.of(large));
        assertRefused(
                ErrorCode.LIMIT_EXCEEDED, "max_bytes", () -> collection.upsert(described, 100));
    }

    @Test
    void malformedRowsAreRefused() {
        Collection collection = collections.create("c", 2, Metric.COSINE, false);
        assertThatThrownBy(() -> collection.upsert(batch(new float[3], "x"), 3))
                .hasMessage("Vector length mismatch: 3 vs 2");
        assertRefused(
                ErrorCode.DIMENSION_MISMATCH,
                "5 vs 2",
                () -> collection.search(Query.nearest(new float[5], 5, 1), Parallel.sequential()));
        assertRefused(
                ErrorCode.NOT_FINITE,
                "row 1, column 0 is -Infinity",
                () ->
                        collection.upsert(
                                batch(new float[] {1, 2, Float.NEGATIVE_INFINITY, 4}, "x", "y"),
                                2));
        assertRefused(
                ErrorCode.INVALID_REQUEST,
                "2 ids came with 1 vectors",
                () -> collection.upsert(batch(new float[2], "x", "y"), 2));
        assertRefused(ErrorCode.INVALID_REQUEST, "Id 0 has 0", () -> batch(new float[2], ""));
        assertThat(collection.count()).isZero();
    }

    @Test
    void deletedSlotsAreUsedAgainAndTheOrderOfEqualsStays() {
        Collection collection = collections.create("c", 1, Metric.DOT_PRODUCT, false);
        collection.upsert(batch(new float[] {1, 1, 1}, "a", "b", "c"), 1);
        long bytes = collections.bytes();
        for (int i = 0; i < 1_000; i++) {
            collection.delete("", List.of("a"));
            collection.upsert(batch(new float[] {1}, "a"), 1);
        }
        assertThat(collections.bytes()).isEqualTo(bytes);
        assertThat(nearest(collection, new float[] {1}, 3))
                .extracting(Hit::id)
                .containsExactly("b", "c", "a");
        collection.delete("", List.of("a", "b", "c"));
        assertThat(nearest(collection, new float[] {1}, 3)).isEmpty();
    }

    @Test
    void aDroppedCollectionRefusesThoseWhoStillHoldIt() {
        Collection collection = collections.create("c", 1, Metric.COSINE, false);
        collections.drop("c");
        assertRefused(
                ErrorCode.NOT_FOUND,
                "'c'",
                () -> collection.upsert(batch(new float[] {1}, "a"), 1));
        assertThat(collections.bytes()).isZero();
    }

    /**
     * Every batch gives all its rows one value, so a search that saw half of one would show two.
     */
    @Test
    void searchesSeeWholeBatches() throws Exception {
        Collection collection = collections.create("c", 8, Metric.DOT_PRODUCT, false);
        String[] ids = IntStream.range(0, 700).mapToObj(String::valueOf).toArray(String[]::new);
        AtomicBoolean done = new AtomicBoolean();
        float[] query = new float[8];
        Arrays.fill(query, 1);
        Callable<Boolean> reader =
                () -> {
                    boolean consistent = true;
                    while (!done.get()) {
                        List<Hit> hits = nearest(collection, query, 700);
                        consistent &= hits.stream().map(Hit::score).distinct().count() <= 1;
                        consistent &= hits.isEmpty() || hits.size() == 700;
                    }
                    return consistent;
                };
        try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
            List<Future<Boolean>> readers = new ArrayList<>();
            readers.add(pool.submit(reader));
            readers.add(pool.submit(reader));
            Random random = new Random(8);
            for (int i = 0; i < 300; i++) {
                if (random.nextInt(10) == 0) {
                    collection.delete("", List.of((Object[]) ids));
                } else {
                    float[] vectors = new float[700 * 8];
                    Arrays.fill(vectors, i);
                    collection.upsert(batch(vectors, ids), 8);
                }
            }
            done.set(true);
            for (Future<Boolean> each : readers) {
                assertThat(each.get()).isTrue();
            }
        }
    }

    @Test
    void aSearchIsQuickIfItComparesLittle() {
        Random random = new Random(5);
        Collection few = collections.create("few", 3, Metric.COSINE, false);
        few.upsert(batch(Reference.gaussian(random, 6), "a", "b"), 3);
        Query query = Query.nearest(new float[] {1, 2, 3}, 3, 1);
        assertThat(few.searchIfQuick(query)).isEqualTo(few.search(query, Parallel.sequential()));
        Query two = Query.nearest(new float[] {1, 2, 3, 4, 5, 6}, 3, 1);
        assertThat(few.searchIfQuick(two)).isNull();
        assertRefused(
                ErrorCode.DIMENSION_MISMATCH,
                "2",
                () -> few.searchIfQuick(Query.nearest(new float[2], 2, 1)));

        int dimension = 1_000;
        int count = 5_000;
        Collection many = collections.create("many", dimension, Metric.COSINE, false);
        Object[] ids = IntStream.range(0, count).mapToObj(i -> (Object) (long) i).toArray();
        float[] vectors = Reference.gaussian(random, count * dimension);
        many.upsert(new Batch(List.of(ids), vectors, null), dimension);
        Query near = Query.nearest(Arrays.copyOf(vectors, dimension), dimension, 1);
        assertThat(many.searchIfQuick(near)).isNull();
        assertThat(many.search(near, Parallel.sequential()).hits().getFirst().getFirst().row().id())
                .isEqualTo(0L);
    }

    /** Rows of about 10 kB each, of which a page of 64 kB has six. */
    private static Collection ofLargeRows(Collections small, int rows) {
        Collection collection = small.create("c", 2, Metric.EUCLIDEAN, false);
        List<Object> ids = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        float[] vectors = new float[2 * rows];
        for (int i = 0; i < rows; i++) {
            ids.add((long) i);
            texts.add("x".repeat(10_000));
            vectors[2 * i] = i;
        }
        collection.upsert(new Batch("", ids, vectors, null, texts), 2);
        return collection;
    }

    @Test
    void aPageEndsWhereAnAnswerIsFull() {
        Collection collection = ofLargeRows(of(PLENTY, 256_000), 20);
        Page page = collection.scroll(Scope.DEFAULT, -1, 100, true);
        assertThat(page.rows()).extracting(StoredRow::id).containsExactly(0L, 1L, 2L, 3L, 4L, 5L);
        assertThat(collection.scroll(Scope.DEFAULT, page.next(), 3, true).rows())
                .extracting(StoredRow::id)
                .containsExactly(6L, 7L, 8L);
        assertThat(collection.scroll(Scope.DEFAULT, 14, 5, true).next()).isNotEqualTo(Page.END);
        assertThat(collection.scroll(Scope.DEFAULT, 14, 6, true).next()).isEqualTo(Page.END);

        List<Object> wanted = List.of("none", 7L, 7L, "none", 7L, 7L, 7L, 7L, "none", 3L);
        Page got = collection.get("", wanted, true);
        assertThat(got.rows()).hasSize(6);
        assertThat(got.next()).isEqualTo(9);
        Page rest = collection.get("", wanted.subList(9, 10), true);
        assertThat(rest.rows()).extracting(StoredRow::id).containsExactly(3L);
        assertThat(rest.next()).isEqualTo(Page.END);
    }

    @Test
    void aRowThatIsLargerThanAPageIsAPage() {
        Collection collection = ofLargeRows(of(PLENTY, 36_000 + (64 << 10)), 1);
        collection.upsert(
                new Batch("", List.of(0L, 1L), new float[4], null, List.of("x".repeat(34_000), "")),
                2);
        Page page = collection.scroll(Scope.DEFAULT, -1, 100, true);
        assertThat(page.rows()).hasSize(1);
        assertThat(collection.scroll(Scope.DEFAULT, page.next(), 100, true).rows()).hasSize(1);
        assertThat(collection.get("", List.of(0L, 1L), true).next()).isEqualTo(1);
    }

    @Test
    void aSearchSaysHowManyHitsHaveRoom() {
        Collection collection = ofLargeRows(of(PLENTY, 256_000), 20);
        float[] queries = new float[4];
        Query query = new Query(queries, 2, 4, Scope.DEFAULT, null, true, true, false, 0);
        Found found = collection.search(query, Parallel.sequential());
        assertThat(found.complete()).isEqualTo(6);
        assertThat(found.hits()).allSatisfy(hits -> assertThat(hits).hasSize(4));
        assertThat(found.hits().get(1))
                .extracting(hit -> hit.row().vector() != null)
                .containsExactly(true, true, false, false);
        Query bare = new Query(queries, 2, 4, Scope.DEFAULT, null, false, false, false, 0);
        assertThat(collection.search(bare, Parallel.sequential()).complete()).isEqualTo(8);
    }

    @Test
    void aRowThatNoAnswerHasRoomForIsRefused() {
        Collections small = of(PLENTY, 100_000);
        Collection collection = small.create("c", 2, Metric.EUCLIDEAN, false);
        List<Object> ids = List.of("a", "b");
        List<String> escaped = List.of("", "\u0001".repeat(6_000));
        assertRefused(
                ErrorCode.LIMIT_EXCEEDED,
                "Row 'b' would take 36",
                () -> collection.upsert(new Batch("", ids, new float[4], null, escaped), 2));
        List<Map<String, Object>> large = new ArrayList<>();
        large.add(Map.of("k", "x".repeat(40_000)));
        large.add(null);
        assertRefused(
                ErrorCode.LIMIT_EXCEEDED,
                "Row 'a' would take 40",
                () -> collection.upsert(new Batch(ids, new float[4], large), 2));
        assertThat(collection.count()).isZero();
        List<String> plain = List.of("", "x".repeat(30_000));
        collection.upsert(new Batch("", ids, new float[4], null, plain), 2);
        assertThat(collection.count()).isEqualTo(2);
    }
}
