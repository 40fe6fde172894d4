package neuralcore.embedding;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * Reads descriptions of models: the program's {@code models.yaml}, one of the same form in the
 * models folder, and a {@code manifest.json} in a model's own folder; later ones win. What the keys
 * mean is told in {@code conf/models.yaml}. What is wrong in one model's description keeps that
 * model from being used, and no other.
 */
public final class ModelCatalog {
    private static final String SHIPPED = "neuralcore/models.yaml";
    private static final String GIVEN = "models.yaml";
    private static final String MANIFEST = "manifest.json";
    private static final long LARGEST_FILE = 1 << 20;

    private ModelCatalog() {}

    /** All models that are described, with or without their files. Reads a few small files. */
    public static Models read(Path folder) {
        Described models = new Described();
        try (InputStream in = ModelCatalog.class.getClassLoader().getResourceAsStream(SHIPPED)) {
            if (in == null) {
                throw new NeuralCoreException(
                        ErrorCode.INTERNAL, "The program lacks " + SHIPPED + ": build it anew.");
            }
            add(models, in.readAllBytes(), SHIPPED);
            Path given = folder.resolve(GIVEN);
            if (Files.isRegularFile(given)) {
                add(models, bytes(given), given.toString());
            }
            manifests(models, folder);
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.INVALID_REQUEST,
                    "The descriptions of models in %s cannot be read: %s".formatted(folder, e),
                    e);
        }
        return new Models(List.copyOf(models.specs.values()), models.faults);
    }

    /** The descriptions so far. A model with a faulty one is none of the {@code specs}. */
    private static final class Described {
        private final Map<String, ModelSpec> specs = new LinkedHashMap<>();
        private final Map<String, NeuralCoreException> faults = new LinkedHashMap<>();

        /** Takes a model's description, or why there is none. */
        void add(String name, String from, Function<@Nullable ModelSpec, ModelSpec> description) {
            if (faults.containsKey(name)) {
                return;
            }
            try {
                specs.put(name, description.apply(specs.get(name)));
            } catch (IllegalArgumentException | NeuralCoreException e) {
                specs.remove(name);
                faults.put(name, invalid(from, name, String.valueOf(e.getMessage()), e));
            }
        }
    }

    private static void manifests(Described models, Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(folder)) {
            for (Path each : folders) {
                Path manifest = each.resolve(MANIFEST);
                if (Files.isRegularFile(manifest)) {
                    String name = String.valueOf(each.getFileName());
                    models.add(
                            name,
                            manifest.toString(),
                            before -> describe(name, json(manifest), before));
                }
            }
        }
    }

    private static Params json(Path manifest) {
        try {
            return new Params(Json.readObject(ByteBuffer.wrap(bytes(manifest))));
        } catch (IOException e) {
            throw NeuralCoreException.invalid("it cannot be read: " + e);
        }
    }

    private static byte[] bytes(Path file) throws IOException {
        if (Files.size(file) > LARGEST_FILE) {
            throw new IOException(file + " has more than " + LARGEST_FILE + " bytes");
        }
        return Files.readAllBytes(file);
    }

    private static void add(Described described, byte[] yaml, String from) {
        Object root;
        try {
            // Plain lists, maps and scalars only; the engine makes no objects of other classes.
            root =
                    new Load(LoadSettings.builder().setLabel(from).build())
                            .loadFromString(new String(yaml, StandardCharsets.UTF_8));
        } catch (YamlEngineException e) {
            throw invalid(from, "", String.valueOf(e.getMessage()), e);
        }
        if (root == null) {
            return;
        }
        if (!(root instanceof Map<?, ?> models)) {
            throw invalid(from, "", "models by name are expected", null);
        }
        models.forEach(
                (key, keys) -> {
                    String name = String.valueOf(key);
                    described.add(
                            name,
                            from,
                            before -> {
                                if (!(keys instanceof Map<?, ?> given)) {
                                    throw NeuralCoreException.invalid("keys are expected");
                                }
                                return describe(name, new Params(named(given)), before);
                            });
                });
    }

    private static Map<String, @Nullable Object> named(Map<?, ?> given) {
        Map<String, @Nullable Object> named = new LinkedHashMap<>();
        given.forEach(
                (key, value) ->
                        named.put(
                                String.valueOf(key),
                                value instanceof Integer number
                                        ? (Object) number.longValue()
                                        : value instanceof Map<?, ?> map ? named(map) : value));
        return named;
    }

    /**
     * A model as these keys describe it.
     *
     * @param before what they leave out is taken from here; null where nothing is known
     */
    static ModelSpec describe(String name, Params keys, @Nullable ModelSpec before) {
        String repository = keys.string("repository", before == null ? "" : before.repository());
        return new ModelSpec(
                name,
                keys.has("aliases")
                        ? keys.strings("aliases")
                        : before == null ? List.of() : before.aliases(),
                repository,
                keys.has("dimension") || before == null
                        ? (int) keys.integer("dimension")
                        : before.dimension(),
                keys.integer("max_tokens", before == null ? 512 : before.maxTokens(), 3, 1 << 20),
                keys.has("pooling") || before == null
                        ? Pooling.of(keys.string("pooling", "mean"))
                        : before.pooling(),
                keys.bool("normalize", before == null || before.normalize()),
                keys.string("query_prefix", before == null ? "" : before.queryPrefix()),
                keys.string("document_prefix", before == null ? "" : before.documentPrefix()),
                keys.has("inputs")
                        ? keys.strings("inputs")
                        : before == null ? ModelSpec.BERT_INPUTS : before.inputs(),
                keys.string("output", before == null ? "last_hidden_state" : before.output()),
                Precision.FP32,
                file(
                        keys,
                        "graph",
                        before == null ? ModelFile.named("model.onnx") : before.graph()),
                file(
                        keys,
                        "tokenizer",
                        before == null ? ModelFile.named("tokenizer.json") : before.tokenizer()),
                keys.string(
                        "source",
                        before != null
                                ? before.source()
                                : repository.isEmpty()
                                        ? "whoever made it"
                                        : "the Hugging Face repository "
                                                + repository
                                                + " (neuralcore models pull "
                                                + name
                                                + ")"));
    }

    private static ModelFile file(Params keys, String which, ModelFile standard) {
        Map<String, @Nullable Object> files = keys.optionalObject("files");
        if (files == null || !(files.get(which) instanceof Map<?, ?> given)) {
            return standard;
        }
        Params file = new Params(named(given));
        return new ModelFile(
                file.string("name", standard.name()),
                file.string("resource", ""),
                file.integer("bytes", 0),
                file.string("sha256", ""));
    }

    private static NeuralCoreException invalid(
            String from, String name, String why, @Nullable Throwable cause) {
        NeuralCoreException invalid =
                NeuralCoreException.invalid(
                        "%s%s: %s".formatted(from, name.isEmpty() ? "" : ", model " + name, why));
        if (cause != null) {
            invalid.initCause(cause);
        }
        return invalid;
    }
}
