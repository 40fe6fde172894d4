package neuralcore.journal;

import java.io.IOException;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The journals of a daemon: a file a namespace in one folder, and those that were bound to a path
 * of their own. Thread-safe.
 */
public final class JournalFolder implements JournalStore {
    private static final Logger log = LoggerFactory.getLogger(JournalFolder.class);
    private static final String SUFFIX = ".journal";

    private final Path folder;
    private final Path cache;
    private final JournalSettings settings;
    private final LongSupplier wallMillis;
    private final boolean acceptLoss;
    private final Map<String, Path> bound = new ConcurrentHashMap<>();

    /**
     * @param cache where SQLite's library is unpacked to
     * @param acceptLoss whether damaged journals are opened with what is left of them
     */
    public JournalFolder(
            Path folder,
            Path cache,
            JournalSettings settings,
            LongSupplier wallMillis,
            boolean acceptLoss) {
        this.folder = folder;
        this.cache = cache;
        this.settings = settings;
        this.wallMillis = wallMillis;
        this.acceptLoss = acceptLoss;
    }

    @Override
    public List<String> existing() {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> String.valueOf(file.getFileName()))
                    .filter(name -> name.endsWith(SUFFIX))
                    .map(name -> name.substring(0, name.length() - SUFFIX.length()))
                    .map(name -> URLDecoder.decode(name, StandardCharsets.UTF_8))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.STORAGE_FAILED, "%s cannot be read: %s".formatted(folder, e), e);
        }
    }

    /**
     * Has a namespace's journal be this file from now on.
     *
     * @throws NeuralCoreException {@code ALREADY_EXISTS} if it has another one
     */
    public void bind(String namespace, Path file) {
        Path path = file.toAbsolutePath().normalize();
        Path known = bound.get(namespace);
        if (known == null) {
            Path standard = standard(namespace).toAbsolutePath().normalize();
            known = Files.exists(standard) ? standard : path;
        }
        if (!known.equals(path)) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "The journal of namespace '%s' is %s; it cannot be %s too."
                            .formatted(namespace, known, path));
        }
        bound.put(namespace, path);
    }

    @Override
    public Journal open(String namespace, JournalListener listener) {
        SqliteLibrary.provide(cache);
        JournalFiles files = new JournalFiles(file(namespace));
        try {
            return SqliteJournal.open(files, settings, listener, wallMillis);
        } catch (NeuralCoreException e) {
            if (e.code() != ErrorCode.DATA_DAMAGED || !acceptLoss) {
                throw e;
            }
            log.warn("{}", e.getMessage());
            Salvage.run(files, wallMillis.getAsLong());
            return SqliteJournal.open(files, settings, listener, wallMillis);
        }
    }

    /** Where a namespace's journal is, or would be. */
    public Path file(String namespace) {
        Path elsewhere = bound.get(namespace);
        return elsewhere == null ? standard(namespace) : elsewhere;
    }

    private Path standard(String namespace) {
        return folder.resolve(URLEncoder.encode(namespace, StandardCharsets.UTF_8) + SUFFIX);
    }
}
