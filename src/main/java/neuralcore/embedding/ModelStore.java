package neuralcore.embedding;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * Finds the files of models: in the models folder ({@code <models>/<name>/model.onnx}, {@code
 * tokenizer.json}), else in a cache folder of the Hugging Face hub's layout ({@code
 * models--<organization>--<name>/snapshots/<revision>/}, also in {@code onnx/} there), else on the
 * class path.
 *
 * <p>A file is used only if it is, byte for byte, the one that its {@link ModelSpec} names, and one
 * that names none is pinned to what is there ({@link #pin}). What is found is checked once and then
 * kept in the cache folder: the tokenizer as it is, the network optimized, which opens in half the
 * time. Thread-safe, and safe beside other processes.
 */
public final class ModelStore {

    /** Turns a network's ONNX file into the form that it is opened from. */
    @FunctionalInterface
    public interface Optimizer {
        void optimize(Path onnx, Path target);
    }

    private final Path models;
    private final Path hub;
    private final CacheFolder cache;

    /**
     * @param models folder with models
     * @param hub folder with what Hugging Face's tools have downloaded
     * @param cache for what is made of them
     */
    public ModelStore(Path models, Path hub, CacheFolder cache) {
        this.models = models;
        this.hub = hub;
        this.cache = cache;
    }

    /** Whether all files of a model are here. Looks for them; reads none. */
    public static boolean isPresent(ModelSpec spec, Path models, Path hub) {
        return isPresent(spec, spec.graph(), models, hub)
                && isPresent(spec, spec.tokenizer(), models, hub);
    }

    private static boolean isPresent(ModelSpec spec, ModelFile file, Path models, Path hub) {
        return find(spec, file, models, hub).isPresent()
                || (!file.resource().isEmpty()
                        && ModelStore.class.getClassLoader().getResource(file.resource()) != null);
    }

    /** The model with the very files that are here now; reads those that it did not name. */
    public ModelSpec pin(ModelSpec spec) {
        if (spec.graph().pinned() && spec.tokenizer().pinned()) {
            return spec;
        }
        try {
            return spec.withFiles(pin(spec, spec.graph()), pin(spec, spec.tokenizer()));
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_FOUND,
                    "The files of %s cannot be read: %s".formatted(spec.name(), e),
                    e);
        }
    }

    private ModelFile pin(ModelSpec spec, ModelFile file) throws IOException {
        if (file.pinned()) {
            return file;
        }
        Path found = find(spec, file, models, hub).orElseThrow(() -> missing(spec));
        MessageDigest digest = sha256();
        try (DigestInputStream in = new DigestInputStream(Files.newInputStream(found), digest)) {
            long size = in.transferTo(OutputStream.nullOutputStream());
            if (size == 0) {
                throw new IOException(found + " is empty");
            }
            return file.pinned(size, HexFormat.of().formatHex(digest.digest()));
        }
    }

    /** Where a file of a model lies, outside the program. */
    private static Optional<Path> find(ModelSpec spec, ModelFile file, Path models, Path hub) {
        if (file.path() != null) {
            return Optional.of(file.path()).filter(Files::isRegularFile);
        }
        List<Path> places = new ArrayList<>();
        places.add(models.resolve(spec.name()).resolve(file.name()));
        if (!spec.repository().isEmpty()) {
            Path snapshots =
                    hub.resolve("models--" + spec.repository().replace("/", "--"))
                            .resolve("snapshots");
            for (Path snapshot : snapshots(snapshots)) {
                places.add(snapshot.resolve("onnx").resolve(file.name()));
                places.add(snapshot.resolve(file.name()));
            }
        }
        return places.stream().filter(Files::isRegularFile).findFirst();
    }

    /** The revisions that are here, the one that "main" names first. */
    private static List<Path> snapshots(Path folder) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        Path main = folder.resolveSibling("refs").resolve("main");
        try (Stream<Path> revisions = Files.list(folder)) {
            String wanted = Files.isRegularFile(main) ? Files.readString(main).strip() : "";
            return revisions
                    .sorted(
                            Comparator.comparing(
                                            (Path path) ->
                                                    !String.valueOf(path.getFileName())
                                                            .equals(wanted))
                                    .thenComparing(Comparator.naturalOrder()))
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** Where the user has a file that is kept in the cache. */
    String origin(ModelSpec spec, ModelFile file) {
        return origin(find(spec, file, models, hub), file);
    }

    private static String origin(Optional<Path> given, ModelFile file) {
        return given.map(Path::toString).orElse(file.resource());
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
        Optional<Path> given = find(spec, file, models, hub);
        InputStream from =
                given.isPresent()
                        ? Files.newInputStream(given.get())
                        : file.resource().isEmpty()
                                ? null
                                : ModelStore.class
                                        .getClassLoader()
                                        .getResourceAsStream(file.resource());
        if (from == null) {
            throw missing(spec);
        }
        try (from) {
            copy(from, file, target, origin(given, file));
        }
    }

    private NeuralCoreException missing(ModelSpec spec) {
        return new NeuralCoreException(
                ErrorCode.MODEL_NOT_FOUND,
                "The files of %s are not here. Put %s and %s into %s; they come from %s.%s"
                        .formatted(
                                spec.name(),
                                shown(spec.graph()),
                                shown(spec.tokenizer()),
                                models.resolve(spec.name()),
                                spec.source(),
                                spec.repository().isEmpty()
                                        ? ""
                                        : " A Hugging Face cache in %s would do, too."
                                                .formatted(hub)));
    }

    private static String shown(ModelFile file) {
        return file.path() == null ? file.name() : file.path().toString();
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

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JVM has SHA-256", e);
        }
    }
}
