package neuralcore.embedding;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * A model that a request describes: where its files are, and what is not as usual.
 *
 * <p>Parameters: {@code path} of the network or of its folder, {@code tokenizer} (by default {@code
 * tokenizer.json} beside it), {@code config} with the keys of {@code conf/models.yaml}, and {@code
 * like}, a known model whose description holds for what {@code config} leaves out. A dimension that
 * is not given is taken from a {@code config.json} beside the network.
 */
public final class GivenModel {
    private static final List<String> NETWORKS =
            List.of("model.onnx", "onnx/model.onnx", "model_optimized.onnx");

    private GivenModel() {}

    /**
     * The model's description; its name is made of its path and its configuration.
     *
     * @param models what {@code like}, the name of a known model, refers to
     */
    public static ModelSpec of(Params params, Models models) {
        String like = params.optionalString("like");
        ModelSpec known = like == null ? null : models.get(like);
        Path path = path(params.string("path"));
        Path graph =
                Files.isDirectory(path)
                        ? NETWORKS.stream()
                                .map(path::resolve)
                                .filter(Files::isRegularFile)
                                .findFirst()
                                .orElse(path.resolve("model.onnx"))
                        : path;
        Path tokenizer =
                params.has("tokenizer")
                        ? path(params.string("tokenizer"))
                        : beside(graph, "tokenizer.json");
        if (Files.isDirectory(tokenizer)) {
            tokenizer = tokenizer.resolve("tokenizer.json");
        }
        if (!Files.isRegularFile(graph) || !Files.isRegularFile(tokenizer)) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_FOUND,
                    "A model needs its network and its tokenizer: %s is %s, %s is %s."
                            .formatted(graph, state(graph), tokenizer, state(tokenizer)));
        }
        Map<String, @Nullable Object> config = new LinkedHashMap<>();
        Map<String, @Nullable Object> given = params.optionalObject("config");
        if (given != null) {
            config.putAll(given);
        }
        if (config.get("dimension") == null && known == null) {
            config.put("dimension", dimension(beside(graph, "config.json")));
        }
        Params keys = new Params(config);
        ModelSpec described = ModelCatalog.describe(name(graph, tokenizer, config), keys, known);
        return described.withFiles(ModelFile.at(graph), ModelFile.at(tokenizer));
    }

    private static String state(Path file) {
        return Files.isRegularFile(file) ? "there" : "not there";
    }

    /** A file beside the network, or in the folder above as the hub's repositories have it. */
    private static Path beside(Path graph, String name) {
        Path same = graph.resolveSibling(name);
        Path folder = graph.getParent();
        Path above = folder == null ? same : folder.resolveSibling(name);
        return Files.isRegularFile(same) || !Files.isRegularFile(above) ? same : above;
    }

    private static Path path(String given) {
        try {
            Path path = Path.of(given);
            if (path.isAbsolute()) {
                return path.normalize();
            }
        } catch (InvalidPathException e) {
            throw NeuralCoreException.invalid("'%s' is not a path.".formatted(given));
        }
        throw NeuralCoreException.invalid("'%s' is not an absolute path.".formatted(given));
    }

    private static long dimension(Path json) {
        try {
            if (Files.isRegularFile(json) && Files.size(json) <= 1 << 20) {
                Params config =
                        new Params(Json.readObject(ByteBuffer.wrap(Files.readAllBytes(json))));
                return config.has("hidden_size")
                        ? config.integer("hidden_size")
                        : config.integer("dim");
            }
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_FOUND, "%s cannot be read: %s".formatted(json, e), e);
        } catch (NeuralCoreException e) {
            throw NeuralCoreException.invalid("%s: %s".formatted(json, e.getMessage()));
        }
        throw NeuralCoreException.invalid(
                "The dimension of the vectors is not known: give it in the model's configuration.");
    }

    /** The same files with the same configuration are the same model. */
    private static String name(Path graph, Path tokenizer, Map<String, @Nullable Object> config) {
        Path folder = graph.getParent();
        String base = String.valueOf(folder == null ? graph : folder.getFileName());
        String plain = base.replaceAll("[^A-Za-z0-9._-]", "").replaceFirst("^[^A-Za-z0-9]+", "");
        String all = graph + "\n" + tokenizer + "\n" + Json.writeText(config);
        String mark =
                UUID.nameUUIDFromBytes(all.getBytes(StandardCharsets.UTF_8))
                        .toString()
                        .substring(0, 8);
        return (plain.isEmpty() ? "model" : plain) + "-" + mark;
    }
}
