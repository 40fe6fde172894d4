package neuralcore.journal;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.SQLException;

/** Copies a journal while it is written to: SQLite's snapshot of it, and a head file that fits. */
final class Backup {
    private Backup() {}

    static void write(JournalFiles from, JournalFiles to) throws SQLException, IOException {
        PrivateFile.make(to.database());
        Sqlite.copy(from.database(), to.database());
        try (FileChannel file = FileChannel.open(to.database(), StandardOpenOption.WRITE)) {
            file.force(true);
        }
        writeHead(to);
        JournalFiles.syncFolder(to.folder());
    }

    /** Writes the head file of a database that is whole. */
    static void writeHead(JournalFiles files) throws SQLException, IOException {
        Contents contents;
        try (Connection copy = Sqlite.stranger(files.database())) {
            contents = Contents.read(copy);
        }
        Path head = files.head();
        try (HeadFile file = HeadFile.open(head)) {
            file.write(new HeadFile.Head(contents.id, contents.state, false));
            file.force();
        }
    }
}
