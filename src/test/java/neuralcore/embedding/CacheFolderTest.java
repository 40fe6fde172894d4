package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CacheFolderTest {
    @TempDir Path folder;

    @Test
    void whatTheBuildHasPreparedIsUsedFromThereAndNotMadeAgain() throws Exception {
        Path prepared = Files.createDirectories(folder.resolve("prepared"));
        Files.writeString(prepared.resolve("library"), "four");
        CacheFolder cache = CacheFolder.open(folder.resolve("cache"), Optional.of(prepared));

        Path placed =
                cache.place(
                        "library",
                        4,
                        target -> {
                            throw new AssertionError("made again");
                        });
        assertThat(placed).isEqualTo(prepared.resolve("library"));
        assertThat(folder.resolve("cache/library")).doesNotExist();
    }

    @Test
    void whatIsNotThereOrOfAnotherSizeIsMadeInTheCache() throws Exception {
        Path prepared = Files.createDirectories(folder.resolve("prepared"));
        Files.writeString(prepared.resolve("cut off"), "fo");
        CacheFolder cache = CacheFolder.open(folder.resolve("cache"), Optional.of(prepared));

        assertThat(cache.place("cut off", 4, target -> Files.writeString(target, "four")))
                .isEqualTo(folder.resolve("cache/cut off"))
                .content()
                .isEqualTo("four");
        assertThat(cache.place("other", target -> Files.writeString(target, "x")))
                .isEqualTo(folder.resolve("cache/other"));
        assertThat(prepared.resolve("cut off")).content().isEqualTo("fo");
    }

    @Test
    void aPreparedFolderThatOthersCanWriteToIsNotTrusted() throws Exception {
        Path program = Files.createFile(folder.resolve("program.jar"));
        Path prepared = Files.createDirectories(folder.resolve("prepared"));
        Files.setPosixFilePermissions(prepared, PosixFilePermissions.fromString("rwxr-xr-x"));
        assertThat(CacheFolder.isTrusted(prepared, program)).isTrue();
        Files.setPosixFilePermissions(prepared, PosixFilePermissions.fromString("rwxrwxr-x"));
        assertThat(CacheFolder.isTrusted(prepared, program)).isFalse();
        assertThat(CacheFolder.isTrusted(folder.resolve("nowhere"), program)).isFalse();
        Path link = Files.createSymbolicLink(folder.resolve("link"), folder);
        assertThat(CacheFolder.isTrusted(link, program)).isFalse();
    }
}
