package neuralcore.relay.schema;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * The schemas' files: {@code order.v1.json} is version 1 of subject {@code order}. A file is
 * written whole or not at all, and never over another. Blocks on the disk.
 */
final class SchemaFolder {
    private final Path folder;

    SchemaFolder(Path folder) {
        this.folder = folder;
    }

    /** A subject's versions by number. */
    SortedMap<Integer, byte[]> read(String subject) {
        Pattern name = Pattern.compile(Pattern.quote(subject) + "\\.v([1-9]\\d{0,5})\\.json");
        SortedMap<Integer, byte[]> found = new TreeMap<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Matcher is = name.matcher(String.valueOf(file.getFileName()));
                if (is.matches()) {
                    found.put(Integer.valueOf(is.group(1)), bytes(file));
                }
            }
        } catch (NoSuchFileException | NotDirectoryException none) {
            return found;
        } catch (IOException e) {
            throw unreadable(folder, e);
        }
        return found;
    }

    private static byte[] bytes(Path file) throws IOException {
        long size = Files.size(file);
        if (size > SchemaText.MOST_BYTES) {
            throw NeuralCoreException.invalid(
                    "%s has %d bytes; a schema may have %d."
                            .formatted(file, size, SchemaText.MOST_BYTES));
        }
        return Files.readAllBytes(file);
    }

    /**
     * @throws NeuralCoreException {@code ALREADY_EXISTS} if there is that version
     */
    void write(String subject, int number, byte[] schema) {
        Path file = folder.resolve("%s.v%d.json".formatted(subject, number));
        try {
            Files.createDirectories(folder);
            Path draft = Files.createTempFile(folder, "." + subject, ".new");
            try {
                Files.write(draft, schema);
                Files.createLink(file, draft); // Other than a move, it fails if the name is taken.
            } finally {
                Files.deleteIfExists(draft);
            }
        } catch (FileAlreadyExistsException e) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "%s has been made meanwhile; look at it and try again.".formatted(file),
                    e);
        } catch (IOException | UnsupportedOperationException e) {
            throw unreadable(file, e);
        }
    }

    private static NeuralCoreException unreadable(Path file, Exception e) {
        return new NeuralCoreException(
                ErrorCode.STORAGE_FAILED, "%s: %s".formatted(file, e.getMessage()), e);
    }
}
