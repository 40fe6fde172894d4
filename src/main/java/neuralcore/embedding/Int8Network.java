package neuralcore.embedding;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * The int8 form of a model, as {@code python -m neuralcore.convert} leaves it: {@code
 * model_int8.onnx} and its report, {@code model_int8.json}, in the model's folder or on the class
 * path.
 *
 * @param file the network
 * @param probes texts with the vectors that the float32 network has for them
 * @param least cosine that a sound network's vectors of them have to those
 */
record Int8Network(ModelFile file, List<Probe> probes, double least) {
    private static final String NETWORK = "model_int8.onnx";
    private static final String REPORT = "model_int8.json";
    // Arithmetic that saturates in 16 bits was measured to come to .989 on the probes (and to .917
    // on other texts); sound networks are above .99.
    private static final double USUAL_COSINE = 0.99;
    // What the company in a batch moves a cosine by.
    private static final double SLACK = 0.002;

    /** A text and its float32 vector of length one. */
    record Probe(String text, float[] vector) {

        /** The cosine of another vector of this text to the float32 network's. */
        double cosine(float[] other) {
            double dot = 0;
            double squares = 0;
            for (int i = 0; i < vector.length; i++) {
                dot += (double) vector[i] * other[i];
                squares += (double) other[i] * other[i];
            }
            return dot / Math.sqrt(squares);
        }
    }

    Int8Network {
        probes = List.copyOf(probes);
    }

    /** Whether the vector of each probe is near enough to be of a sound network. */
    boolean agrees(Function<String, float[]> embed) {
        return probes.stream().allMatch(probe -> probe.cosine(embed.apply(probe.text())) >= least);
    }

    /** The int8 form of a model, if it is here. */
    static Optional<Int8Network> find(ModelSpec spec, Path models) {
        Path given = models.resolve(spec.name()).resolve(REPORT);
        String resource = "models/" + spec.name() + "/";
        try {
            byte[] report;
            if (Files.isRegularFile(given)) {
                report = Files.readAllBytes(given);
            } else {
                try (InputStream in = resource(resource + REPORT)) {
                    if (in == null) {
                        return Optional.empty();
                    }
                    report = in.readAllBytes();
                }
            }
            return Optional.of(
                    read(Json.readObject(ByteBuffer.wrap(report)), resource + NETWORK, spec));
        } catch (IOException | ClassCastException | IllegalArgumentException e) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_FOUND,
                    "%s of %s is not readable: %s. Make it anew."
                            .formatted(REPORT, spec.name(), e.getMessage()),
                    e);
        }
    }

    private static @Nullable InputStream resource(String name) {
        return Int8Network.class.getClassLoader().getResourceAsStream(name);
    }

    private static Int8Network read(
            Map<String, @Nullable Object> report, String resource, ModelSpec spec) {
        if (!(report.get("bytes") instanceof Number size)
                || !(report.get("sha256") instanceof String sha256)
                || !(report.get("probes") instanceof List<?> given)) {
            throw new IllegalArgumentException("bytes, sha256 or probes are missing");
        }
        List<Probe> probes = new ArrayList<>();
        for (Object entry : given) {
            if (!(entry instanceof Map<?, ?> probe)
                    || !(probe.get("text") instanceof String text)
                    || !(probe.get("vector") instanceof List<?> values)
                    || values.size() != spec.dimension()) {
                throw new IllegalArgumentException(
                        "a probe is no text with %d numbers".formatted(spec.dimension()));
            }
            float[] vector = new float[values.size()];
            for (int i = 0; i < vector.length; i++) {
                vector[i] = ((Number) values.get(i)).floatValue();
            }
            probes.add(new Probe(text, vector));
        }
        // One that was made to lie below is held to what it was measured to be.
        double least =
                report.get("cosine_minimum") instanceof Number minimum
                        ? Math.min(USUAL_COSINE, minimum.doubleValue() - SLACK)
                        : USUAL_COSINE;
        return new Int8Network(
                new ModelFile(NETWORK, resource, size.longValue(), sha256), probes, least);
    }
}
