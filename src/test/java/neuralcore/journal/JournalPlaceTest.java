package neuralcore.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a journal is: in files of its user's own, and not in ones that were taken away. */
class JournalPlaceTest {
    @TempDir Path folder;

    @Test
    void onlyItsUserReadsAJournalAndItsBackup() throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        try (Journals journals = new Journals(folder).configured("c")) {
            journals.keep(journals.message("c", 0, new byte[1]));
            journals.journal.backup(folder.resolve("copy.journal"));
            try (Stream<Path> files = Files.list(folder)) {
                assertThat(files)
                        .hasSizeGreaterThan(4)
                        .allSatisfy(
                                file ->
                                        assertThat(Files.getPosixFilePermissions(file))
                                                .as(file.toString())
                                                .isEqualTo(
                                                        PosixFilePermissions.fromString(
                                                                "rw-------")));
            }
        }
    }

    @Test
    void aFileThatWasThereKeepsItsMode() throws IOException {
        Path database = Files.createFile(folder.resolve("test.journal"));
        Files.setPosixFilePermissions(database, PosixFilePermissions.fromString("rw-r-----"));
        try (Journals journals = new Journals(folder).configured("c")) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(database)))
                    .isEqualTo("rw-r-----");
        }
    }

    @Test
    void whatGoesIntoRemovedOrReplacedFilesIsNotCalledKept() throws IOException {
        for (String suffix : List.of("", "-wal", ".head")) {
            Path place = Files.createDirectory(folder.resolve("of" + suffix));
            try (Journals journals = new Journals(place).configured("c")) {
                journals.keep(journals.message("c", 0, new byte[1]));
                assertThat(journals.journal.isInPlace()).isTrue();
                Path file = journals.files.beside(suffix);
                Path aside = place.resolve("aside");
                Files.move(file, aside);
                assertThat(journals.journal.isInPlace()).as("without %s", file).isFalse();
                Files.copy(aside, file);
                assertThat(journals.journal.isInPlace()).as("another %s", file).isFalse();
                long position = journals.append(journals.message("c", 0, new byte[2]));
                journals.listener.await(() -> journals.listener.failure() != null);
                assertThat(journals.listener.committed()).isLessThan(position);
                assertThatThrownBy(() -> journals.append(journals.message("c", 0, new byte[3])))
                        .isInstanceOfSatisfying(
                                NeuralCoreException.class,
                                e -> {
                                    assertThat(e.code()).isEqualTo(ErrorCode.STORAGE_FAILED);
                                    assertThat(e).hasMessageContaining("removed or replaced");
                                });
            }
        }
    }
}
