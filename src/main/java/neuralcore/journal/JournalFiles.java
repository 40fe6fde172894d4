package neuralcore.journal;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Objects;

/** The files of one journal, all beside the database and named after it. */
record JournalFiles(Path database) {

    Path log() {
        return beside("-wal");
    }

    /** Shared memory of the log's readers. */
    Path index() {
        return beside("-shm");
    }

    Path head() {
        return beside(".head");
    }

    Path ballast() {
        return beside(".ballast");
    }

    Path beside(String suffix) {
        return database.resolveSibling(database.getFileName() + suffix);
    }

    Path folder() {
        return Objects.requireNonNull(database.toAbsolutePath().getParent());
    }

    /** All that hold messages or say how many there are. */
    List<Path> kept() {
        return List.of(database, log(), head());
    }

    long bytes() {
        long bytes = 0;
        for (Path file : List.of(database, log())) {
            try {
                bytes += Files.size(file);
            } catch (IOException e) {
                // Not there: it holds nothing.
            }
        }
        return bytes;
    }

    /** A new or renamed file is only safe once its folder is. */
    static void syncFolder(Path folder) throws IOException {
        if (System.getProperty("os.name", "").startsWith("Windows")) {
            return; // Folders cannot be opened there, and need not be.
        }
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
