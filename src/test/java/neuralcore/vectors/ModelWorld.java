package neuralcore.vectors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import neuralcore.vectors.filter.FilterModel;
import neuralcore.vectors.filter.FilterParser;
import neuralcore.vectors.simd.Kernels;
import neuralcore.vectors.simd.TestKernels;
import neuralcore.vectors.store.ForgetfulDisk;
import neuralcore.vectors.store.StoreFolder;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * A collection on a disk that may be cut off, and beside it a map that is searched by looking at
 * everything. Every step is drawn from the seed.
 */
final class ModelWorld {
    private static final List<String> NAMESPACES = List.of("", "", "", "other", "élan");

    private record Key(String namespace, Object id) {}

    private record Row(
            float[] vector,
            @Nullable Map<String, @Nullable Object> metadata,
            @Nullable String text) {}

    private final Random random;
    private final String name;
    private final int dimension;
    private final Metric metric;
    private final Kernels kernels;
    private final Path folder;
    private final ForgetfulDisk disk;
    private final Parallel parallel;
    private final int exactBelow;
    private int graphHits;
    private int graphHitsThatBelong;
    private Collections collections;
    private Collection collection;

    /** In the order in which ids were first put. */
    private Map<Key, Row> model = new LinkedHashMap<>();

    ModelWorld(long seed, Path folder, Parallel parallel) throws IOException {
        this.random = new Random(seed);
        List<Kernels> kinds = TestKernels.all();
        this.kernels = kinds.get(random.nextInt(kinds.size()));
        this.exactBelow = random.nextInt(3) == 0 ? 30 : Integer.MAX_VALUE;
        this.dimension = 1 + random.nextInt(40);
        this.metric = Metric.values()[random.nextInt(Metric.values().length)];
        this.name = "seed %d (%s, %s, %d)".formatted(seed, kernels.name(), metric, dimension);
        this.folder = folder;
        this.parallel = parallel;
        Files.createDirectories(folder.resolve("trash"));
        this.disk = new ForgetfulDisk(folder.resolve("trash"));
        this.collections = open();
        this.collection = collections.create("c", dimension, metric, false);
    }

    private Collections open() {
        return new Collections(
                kernels,
                new CollectionLimits(100, 1L << 30, exactBelow, 16 << 20),
                Runnable::run,
                Parallel.sequential(),
                random,
                StoreFolder.open(disk, folder.resolve("store")));
    }

    void step() throws IOException {
        switch (random.nextInt(20)) {
            case 0, 1, 2, 3, 4 -> upsert();
            case 5, 6 -> delete();
            case 7 -> deleteByFilter();
            case 8, 9 -> get();
            case 10 -> scroll();
            case 11 -> count();
            case 12 -> collection.snapshot();
            case 13 -> restart();
            case 14 -> cutPower();
            default -> search();
        }
        assertThat(collection.count()).as(name).isEqualTo(model.size());
    }

    /** Drops everything and sees that nothing is left. */
    void end() throws IOException {
        assertThat(collections.bytes()).as(name).isEqualTo(collection.info().bytes());
        collections.drop("c");
        assertThat(collections.bytes()).as(name).isZero();
        try (Stream<Path> left = Files.list(folder.resolve("store"))) {
            assertThat(left).as(name).isEmpty();
        }
    }

    private void restart() {
        collections.close();
        reopen();
    }

    private void reopen() {
        collections = open();
        collection = collections.get("c");
    }

    /** Sometimes in the middle of a change, which then has happened wholly or not at all. */
    private void cutPower() throws IOException {
        Map<Key, Row> before = new LinkedHashMap<>(model);
        boolean torn = random.nextBoolean();
        if (torn) {
            disk.failSyncs();
            try {
                switch (random.nextInt(3)) {
                    case 0 -> upsert();
                    case 1 -> delete();
                    default -> collection.snapshot();
                }
            } catch (NeuralCoreException | IOException expected) {
                assertThat(expected).as(name).hasMessageContaining("disk is dead");
            }
        }
        collections.close();
        disk.cutPower(random);
        reopen();
        if (torn && !isAsModelled()) {
            model = before;
        }
        assertThat(isAsModelled()).as(name + ": all rows are there after a power cut").isTrue();
    }

    private boolean isAsModelled() {
        if (collection.count() != model.size()) {
            return false;
        }
        for (Map.Entry<Key, Row> entry : model.entrySet()) {
            Key key = entry.getKey();
            List<StoredRow> found = collection.get(key.namespace(), List.of(key.id()), true).rows();
            if (found.size() != 1 || !equal(found.getFirst(), entry.getValue())) {
                return false;
            }
        }
        return true;
    }

    private static boolean equal(StoredRow stored, Row row) {
        return Arrays.equals(stored.vector(), row.vector())
                && Objects.equals(stored.metadata(), row.metadata())
                && Objects.equals(stored.text(), row.text());
    }

    private String namespace() {
        return NAMESPACES.get(random.nextInt(NAMESPACES.size()));
    }

    /** Few values of few digits, so that rows are often equally near. */
    private float[] vectors(int count) {
        float[] values = new float[count * dimension];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextInt(5) - 2;
        }
        return values;
    }

    private List<Object> ids(int count) {
        List<Object> ids = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int number = random.nextInt(400);
            ids.add(number % 3 == 0 ? (Object) (long) number : "id-" + number);
        }
        return ids;
    }

    private void upsert() {
        int size = random.nextInt(random.nextInt(10) == 0 ? 600 : 30);
        String namespace = namespace();
        List<Object> ids = ids(size);
        float[] vectors = vectors(size);
        List<@Nullable Map<String, @Nullable Object>> metadata = new ArrayList<>();
        List<@Nullable String> texts = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            metadata.add(FilterModel.randomMetadata(random));
            texts.add(random.nextBoolean() ? null : "text " + i + " …");
        }
        boolean bare = random.nextInt(4) == 0;
        int before = model.size();
        for (int i = 0; i < size; i++) {
            float[] vector = Arrays.copyOfRange(vectors, i * dimension, (i + 1) * dimension);
            model.put(
                    new Key(namespace, ids.get(i)),
                    new Row(vector, bare ? null : metadata.get(i), bare ? null : texts.get(i)));
        }
        Batch batch =
                new Batch(namespace, ids, vectors, bare ? null : metadata, bare ? null : texts);
        Upserted upserted = collection.upsert(batch, dimension);
        int inserted = model.size() - before;
        assertThat(upserted).as(name).isEqualTo(new Upserted(inserted, size - inserted));
    }

    private void delete() {
        String namespace = namespace();
        List<Object> ids = ids(random.nextInt(200));
        int before = model.size();
        ids.forEach(id -> model.remove(new Key(namespace, id)));
        assertThat(collection.delete(namespace, ids)).as(name).isEqualTo(before - model.size());
    }

    private void deleteByFilter() {
        ScopeModel scope = scope();
        int before = model.size();
        model.entrySet().removeIf(entry -> scope.holds(entry));
        assertThat(collection.delete(scope.scope()))
                .as("%s, %s", name, scope)
                .isEqualTo(before - model.size());
    }

    private void get() {
        String namespace = namespace();
        List<Object> ids = ids(random.nextInt(40));
        List<StoredRow> found = collection.get(namespace, ids, true).rows();
        List<Object> expected =
                ids.stream().filter(id -> model.containsKey(new Key(namespace, id))).toList();
        assertThat(found).as(name).extracting(StoredRow::id).isEqualTo(expected);
        for (StoredRow row : found) {
            Row modelled = Objects.requireNonNull(model.get(new Key(namespace, row.id())));
            assertThat(equal(row, modelled)).as(name).isTrue();
        }
    }

    private record ScopeModel(
            String namespace,
            @Nullable Map<String, @Nullable Object> filter,
            @Nullable List<Object> allowed) {
        boolean holds(Map.Entry<Key, Row> entry) {
            return (namespace.equals(Scope.EVERYWHERE)
                            || namespace.equals(entry.getKey().namespace()))
                    && (allowed == null || allowed.contains(entry.getKey().id()))
                    && (filter == null || FilterModel.holds(filter, entry.getValue().metadata()));
        }

        Scope scope() {
            return new Scope(
                    namespace, filter == null ? null : FilterParser.parse(filter), allowed);
        }
    }

    private ScopeModel scope() {
        return new ScopeModel(
                random.nextInt(4) == 0 ? Scope.EVERYWHERE : namespace(),
                random.nextBoolean() ? FilterModel.randomFilter(random, 2) : null,
                random.nextInt(4) == 0 ? ids(random.nextInt(60)) : null);
    }

    private List<Map.Entry<Key, Row>> inScope(ScopeModel scope) {
        return new ArrayList<>(model.entrySet().stream().filter(scope::holds).toList());
    }

    private void count() {
        ScopeModel scope = scope();
        assertThat(collection.count(scope.scope()))
                .as("%s, %s", name, scope)
                .isEqualTo(inScope(scope).size());
    }

    private void scroll() {
        ScopeModel scope = scope();
        int limit = 1 + random.nextInt(50);
        List<Key> seen = new ArrayList<>();
        long after = -1;
        while (true) {
            Page page = collection.scroll(scope.scope(), after, limit, true);
            for (StoredRow row : page.rows()) {
                seen.add(new Key(row.namespace(), row.id()));
            }
            if (page.next() == Page.END) {
                break;
            }
            after = page.next();
        }
        assertThat(seen)
                .as("%s, %s", name, scope)
                .isEqualTo(inScope(scope).stream().map(Map.Entry::getKey).toList());
    }

    private void search() {
        int count = random.nextInt(20);
        int k = 1 + random.nextInt(30);
        ScopeModel scope = scope();
        float[] queries = vectors(count);
        Query query =
                new Query(
                        queries,
                        dimension,
                        k,
                        scope.scope(),
                        null,
                        true,
                        true,
                        random.nextBoolean(),
                        0);
        Found found = collection.search(query, parallel);
        assertThat(found.hits()).as(name).hasSize(count);
        for (int q = 0; q < count; q++) {
            int at = q * dimension;
            // Sorting keeps the order of equals, which is that of the first put.
            List<Map.Entry<Key, Row>> nearest = inScope(scope);
            nearest.sort(Comparator.comparingDouble(entry -> rank(queries, at, entry)));
            List<Hit> hits = found.hits().get(q);
            assertThat(hits)
                    .as("%s, %s, %s", name, scope, found.plan())
                    .hasSize(Math.min(k, nearest.size()));
            if (found.plan().strategy() == Plan.Strategy.GRAPH) {
                checkGraph(hits, nearest, queries, at);
                continue;
            }
            for (int rank = 0; rank < hits.size(); rank++) {
                check(hits.get(rank), nearest.get(rank), queries, at);
            }
        }
    }

    /** Each hit is a row in scope with its true score; most are among the nearest. */
    private void checkGraph(
            List<Hit> hits, List<Map.Entry<Key, Row>> nearest, float[] queries, int at) {
        double last = rank(queries, at, nearest.get(hits.size() - 1)) + 1e-5;
        for (Hit hit : hits) {
            Key key = new Key(hit.row().namespace(), hit.id());
            Map.Entry<Key, Row> entry =
                    nearest.stream().filter(e -> e.getKey().equals(key)).findAny().orElseThrow();
            double score = score(queries, at, entry);
            assertThat((double) hit.score())
                    .as(name)
                    .isCloseTo(score, within(2e-6 * Math.max(1, Math.abs(score))));
            assertThat(equal(hit.row(), entry.getValue())).as(name).isTrue();
            graphHits++;
            graphHitsThatBelong += rank(queries, at, entry) <= last ? 1 : 0;
        }
        assertThat(hits).as(name).extracting(hit -> hit.row().order()).doesNotHaveDuplicates();
    }

    int graphHits() {
        return graphHits;
    }

    int graphHitsThatBelong() {
        return graphHitsThatBelong;
    }

    private void check(Hit hit, Map.Entry<Key, Row> expected, float[] queries, int at) {
        double score = score(queries, at, expected);
        assertThat((double) hit.score())
                .as(name)
                .isCloseTo(score, within(2e-6 * Math.max(1, Math.abs(score))));
        Key key = new Key(hit.row().namespace(), hit.id());
        // Cosines that are equal on paper may differ in their last digit.
        if (metric != Metric.COSINE) {
            assertThat(key).as(name).isEqualTo(expected.getKey());
        }
        assertThat(equal(hit.row(), Objects.requireNonNull(model.get(key)))).as(name).isTrue();
    }

    private double rank(float[] queries, int at, Map.Entry<Key, Row> entry) {
        double score = score(queries, at, entry);
        return metric.higherIsNearer() ? -score : score;
    }

    private double score(float[] queries, int at, Map.Entry<Key, Row> entry) {
        return Reference.score(metric, queries, at, entry.getValue().vector(), 0, dimension);
    }
}
