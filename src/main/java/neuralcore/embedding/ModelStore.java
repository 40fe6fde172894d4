package neuralcore.embedding;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * Finds the files of models: in the models folder ({@code <models>/<name>/model.onnx}, {@code
 * tokenizer.json}), else on the class path.
 *
 * <p>A file is used only if it is, byte for byte, the one that its {@link ModelSpec} names. What is
 * found is checked once and then kept in the cache folder: the tokenizer as it is, the network
 * optimized, which opens in half the time. Thread-safe, and safe beside other processes.
 */
public final class ModelStore {

    /** Turns a network's ONNX file into the form that it is opened from. */
    @FunctionalInterface
    public interface Optimizer {
        void optimize(Path onnx, Path target);
    }

    private final Path models;
    private final CacheFolder cache;

    public ModelStore(Path models, CacheFolder cache) {
        this.models = models;
        this.cache = cache;
    }

    /** The tokenizer's file. */
    public Path tokenizer(ModelSpec spec) {
        ModelFile file = spec.tokenizer();
        return cache.place(
                folder(spec) + "/" + file.sha256().substring(0, 12) + "-" + file.name(),
                file.size(),
                target -> obtain(spec, file, target));
    }

    /**
     * The network, optimized.
     *
     * @param form names the optimizer's version: another form is made anew
     */
    public Path graph(ModelSpec spec, String form, Optimizer optimizer) {
        ModelFile file = spec.graph();
        return cache.place(
                folder(spec) + "/" + file.sha256().substring(0, 12) + "-" + form,
                target -> {
                    Path onnx = Path.of(target + ".onnx");
                    try {
                        obtain(spec, file, onnx);
                        optimizer.optimize(onnx, target);
                    } finally {
                        Files.deleteIfExists(onnx);
                    }
                });
    }

    private static String folder(ModelSpec spec) {
        return "models/" + spec.name();
    }

    private void obtain(ModelSpec spec, ModelFile file, Path target) throws IOException {
        Path given = models.resolve(spec.name()).resolve(file.name());
        if (Files.isRegularFile(given)) {
            try (InputStream in = Files.newInputStream(given)) {
                copy(in, file, target, given.toString());
            }
            return;
        }
        InputStream shipped =
                file.resource().isEmpty()
                        ? null
                        : ModelStore.class.getClassLoader().getResourceAsStream(file.resource());
        if (shipped == null) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_FOUND,
                    "The files of %s are not here. Put %s and %s into %s; they come from %s."
                            .formatted(
                                    spec.name(),
                                    spec.graph().name(),
                                    spec.tokenizer().name(),
                                    models.resolve(spec.name()),
                                    spec.source()));
        }
        try (shipped) {
            copy(shipped, file, target, file.resource());
        }
    }

    private static void copy(InputStream in, ModelFile file, Path target, String from)
            throws IOException {
        MessageDigest digest = sha256();
        try (DigestInputStream checked = new DigestInputStream(in, digest)) {
            Files.copy(checked, target, StandardCopyOption.REPLACE_EXISTING);
        }
        String found = HexFormat.of().formatHex(digest.digest());
        if (!found.equals(file.sha256())) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_FOUND,
                    "%s is not the file expected: its SHA-256 is %s, not %s. Replace it."
                            .formatted(from, found, file.sha256()));
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JVM has SHA-256", e);
        }
    }
}
