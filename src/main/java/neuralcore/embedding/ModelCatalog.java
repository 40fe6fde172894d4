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
 * mean is told in {@code conf/models.yaml}.
 */
public final class ModelCatalog {
    private static final String SHIPPED = "neuralcore/models.yaml";
    private static final String GIVEN = "models.yaml";
    private static final String MANIFEST = "manifest.json";
    private static final long LARGEST_FILE = 1 << 20;

    private ModelCatalog() {}

    /** All models that are described, with or without their files. Reads a few small files. */
    public static Models read(Path folder) {
        Map<String, ModelSpec> specs = new LinkedHashMap<>();
        try (InputStream in = ModelCatalog.class.getClassLoader().getResourceAsStream(SHIPPED)) {
            if (in == null) {
                throw new NeuralCoreException(
                        ErrorCode.INTERNAL, "The program lacks " + SHIPPED + ": build it anew.");
            }
            add(specs, in.readAllBytes(), SHIPPED);
            Path given = folder.resolve(GIVEN);
            if (Files.isRegularFile(given)) {
                add(specs, bytes(given), given.toString());
            }
            manifests(specs, folder);
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.INVALID_REQUEST,
                    "The descriptions of models in %s cannot be read: %s".formatted(folder, e),
                    e);
        }
        return new Models(List.copyOf(specs.values()));
    }

    private static void manifests(Map<String, ModelSpec> specs, Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(folder)) {
            for (Path each : folders) {
                Path manifest = each.resolve(MANIFEST);
                if (Files.isRegularFile(manifest)) {
                    String name = String.valueOf(each.getFileName());
                    add(specs, name, json(manifest), manifest.toString());
                }
            }
        }
    }

    private static Params json(Path manifest) throws IOException {
        try {
            return new Params(Json.readObject(ByteBuffer.wrap(bytes(manifest))));
        } catch (NeuralCoreException e) {
            throw invalid(manifest.toString(), "", String.valueOf(e.getMessage()), e);
        }
    }

    private static byte[] bytes(Path file) throws IOException {
        if (Files.size(file) > LARGEST_FILE) {
            throw new IOException(file + " has more than " + LARGEST_FILE + " bytes");
        }
        return Files.readAllBytes(file);
    }

    private static void add(Map<String, ModelSpec> specs, byte[] yaml, String from) {
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
                (name, keys) -> {
                    if (!(keys instanceof Map<?, ?> given)) {
                        throw invalid(from, String.valueOf(name), "keys are expected", null);
                    }
                    add(specs, String.valueOf(name), new Params(named(given)), from);
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

    private static void add(Map<String, ModelSpec> specs, String name, Params keys, String from) {
        try {
            ModelSpec before = specs.get(name);
            specs.put(name, describe(name, keys, before));
        } catch (IllegalArgumentException | NeuralCoreException e) {
            throw invalid(from, name, String.valueOf(e.getMessage()), e);
        }
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
