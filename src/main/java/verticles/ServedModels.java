package verticles;

import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.EmbeddingModel;
import neuralcore.embedding.Isolation;
import neuralcore.embedding.ModelCatalog;
import neuralcore.embedding.ModelSpec;
import neuralcore.embedding.ModelStore;
import neuralcore.embedding.Models;
import neuralcore.embedding.Precision;
import neuralcore.embedding.Provider;
import org.jspecify.annotations.Nullable;

/**
 * The models that have been asked for, by name, and the memory they may take together: when one is
 * loaded, those not used for longest are unloaded until the others fit. Used by {@link
 * EmbeddingVerticle}'s event loop alone.
 */
final class ServedModels implements NodeAnnouncements.Work {
    private record Key(String name, Precision.Choice precision) {}

    private static final long LOOK_AGAIN_MILLIS = 1000;

    private final Vertx vertx;
    private final RuntimeConfig.Embedding config;
    private final Path cacheFolder;
    private final MeterRegistry meters;
    private final ServedModel.Listener listener;
    private final Map<Key, ServedModel> served = new LinkedHashMap<>();
    private final List<ModelSpec> given = new ArrayList<>();

    ServedModels(
            Vertx vertx,
            RuntimeConfig.Embedding config,
            Path cacheFolder,
            MeterRegistry meters,
            ServedModel.Listener listener) {
        this.vertx = vertx;
        this.config = config;
        this.cacheFolder = cacheFolder;
        this.meters = meters;
        this.listener = listener;
    }

    static EmbeddingModel.Source source(
            ModelSpec spec, RuntimeConfig.Embedding config, Path cacheFolder) {
        return source(spec, Precision.Choice.of(config.precision()), config, cacheFolder);
    }

    private static EmbeddingModel.Source source(
            ModelSpec spec,
            Precision.Choice precision,
            RuntimeConfig.Embedding config,
            Path cacheFolder) {
        return new EmbeddingModel.Source(
                spec,
                config.models(),
                config.cacheDir(),
                cacheFolder,
                config.threads(),
                precision,
                new Provider(
                        Provider.Kind.of(config.provider()),
                        config.device(),
                        config.deviceMemory()),
                Isolation.of(config.isolation()));
    }

    /** The description of the default model. Reads the catalog if it is not the usual one. */
    static ModelSpec standard(RuntimeConfig.Embedding config) {
        return Models.ALL_MINILM_L6_V2.isCalled(config.model())
                ? Models.ALL_MINILM_L6_V2
                : ModelCatalog.read(config.models()).get(config.model());
    }

    private Precision.Choice standard(Precision.@Nullable Choice wanted) {
        return wanted == null ? Precision.Choice.of(config.precision()) : wanted;
    }

    @Override
    public int waitingTexts() {
        return served.values().stream().mapToInt(ServedModel::waitingTexts).sum();
    }

    @Override
    public boolean isIdle() {
        return served.values().stream().allMatch(ServedModel::isIdle);
    }

    /** A model in a precision, which is the one of the settings if it is null. */
    ServedModel serve(ModelSpec spec, Precision.@Nullable Choice wanted) {
        Precision.Choice precision = standard(wanted);
        return served.computeIfAbsent(
                new Key(spec.name(), precision),
                name ->
                        new ServedModel(
                                vertx,
                                source(spec, precision, config, cacheFolder),
                                config,
                                meters,
                                listener));
    }

    /**
     * The model of this name, which is the default if it is null. One that is not known is looked
     * for among the descriptions each time, so that new ones need no restart.
     */
    Future<ServedModel> find(@Nullable String name, Precision.@Nullable Choice wanted) {
        for (ServedModel model : served.values()) {
            if (isCalled(model.spec(), name)) {
                return Future.succeededFuture(serve(model.spec(), wanted));
            }
        }
        return catalog().map(models -> serve(models.get(String.valueOf(name)), wanted));
    }

    /** Adds a model that a client has described, if it is not known yet. */
    ServedModel add(ModelSpec spec, Precision.@Nullable Choice wanted) {
        if (given.stream().noneMatch(known -> known.name().equals(spec.name()))) {
            given.add(spec);
        }
        return serve(spec, wanted);
    }

    /** All models that are described. */
    Future<Models> catalog() {
        return vertx.executeBlocking(() -> ModelCatalog.read(config.models()), false)
                .map(
                        read -> {
                            Models all = Objects.requireNonNull(read);
                            for (ModelSpec spec : given) {
                                all = all.with(spec);
                            }
                            return all;
                        });
    }

    /**
     * Unloads others, as soon as they are idle, until this one, which has just been loaded, fits
     * the limit beside them.
     */
    void makeRoomBeside(ServedModel loaded) {
        long limit = config.memoryLimit();
        List<ServedModel> others =
                served.values().stream()
                        .filter(model -> model != loaded && model.isLoaded())
                        .sorted(Comparator.comparingLong(ServedModel::usedNanos))
                        .toList();
        long sum = loaded.bytes() + others.stream().mapToLong(ServedModel::bytes).sum();
        boolean busy = false;
        for (ServedModel other : others) {
            if (limit == 0 || sum <= limit) {
                return;
            }
            if (other.isIdle()) {
                sum -= other.bytes();
                other.unload();
            } else {
                busy = true;
            }
        }
        if (busy) {
            // What is at work now may be idle then.
            vertx.setTimer(LOOK_AGAIN_MILLIS, timer -> makeRoomBeside(lastUsed(loaded)));
        }
    }

    private ServedModel lastUsed(ServedModel standard) {
        return served.values().stream()
                .filter(ServedModel::isLoaded)
                .max(Comparator.comparingLong(ServedModel::usedNanos))
                .orElse(standard);
    }

    void clientGone(String connection) {
        served.values().forEach(model -> model.clientGone(connection));
    }

    void stop() {
        served.values().forEach(ServedModel::stop);
    }

    /**
     * What clients are told of the models: those that were asked for, then those whose files are
     * here.
     *
     * @param known those that are described
     * @param all whether also those whose files are missing, those that failed, and one that is
     *     served in another precision than the usual a second time
     * @param name of the only one to tell of, or an alias; null for no such limit
     */
    List<Map<String, Object>> described(Models known, boolean all, @Nullable String name) {
        List<Map<String, Object>> told = new ArrayList<>();
        Precision.Choice usual = Precision.Choice.of(config.precision());
        served.forEach(
                (key, model) -> {
                    boolean shown = all || (key.precision() == usual && !model.hasFailed());
                    if (shown && isCalled(model.spec(), name)) {
                        told.add(model.described());
                    }
                });
        for (ModelSpec spec : known.all()) {
            boolean here = ModelStore.isPresent(spec, config.models(), config.cacheDir());
            boolean asked =
                    served.keySet().stream().anyMatch(key -> key.name().equals(spec.name()));
            if (!asked && (here || all) && isCalled(spec, name)) {
                Map<String, Object> entry = new LinkedHashMap<>(described(spec));
                entry.put("ready", false);
                entry.put("state", here ? "unloaded" : "missing");
                told.add(entry);
            }
        }
        return told;
    }

    /** Any model is what is asked for where no name is given. */
    private static boolean isCalled(ModelSpec spec, @Nullable String name) {
        return name == null || spec.isCalled(name);
    }

    static Map<String, Object> described(ModelSpec spec) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("name", spec.name());
        told.put("aliases", spec.aliases());
        told.put("repository", spec.repository());
        told.put("dimension", spec.dimension());
        told.put("max_tokens", spec.maxTokens());
        told.put("pooling", spec.pooling().name().toLowerCase(Locale.ROOT));
        told.put("normalize", spec.normalize());
        told.put("query_prefix", spec.queryPrefix());
        told.put("document_prefix", spec.documentPrefix());
        return told;
    }
}
