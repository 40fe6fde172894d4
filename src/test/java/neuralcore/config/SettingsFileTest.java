package neuralcore.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsFileTest {
    private static final Path SHIPPED = Path.of("conf", "neuralcore.yaml");

    @TempDir Path folder;

    /** To renew the file after a change of the table: {@code -Dneuralcore.renew=true}. */
    @Test
    void theShippedFileIsTheTable() throws IOException {
        if (Boolean.getBoolean("neuralcore.renew")) {
            Files.writeString(SHIPPED, Settings.toYaml());
        }
        assertThat(Files.readString(SHIPPED)).isEqualTo(Settings.toYaml());
    }

    @Test
    void theShippedFileWithItsCommentsRemovedGivesTheDefaults() throws IOException {
        Platform platform = new Platform("Linux", Path.of("/home/ann"));
        String enabled =
                Files.readString(SHIPPED)
                        .replaceAll("(?m)^# ( *[a-z_]+:)", "$1")
                        .replace(Settings.USER_DATA_MARK, "/home/ann/.local/share/neuralcore")
                        .replace(Settings.DATA_FOLDER_MARK, "/home/ann/.local/share/neuralcore");
        Path file = Files.writeString(folder.resolve("neuralcore.yaml"), enabled);

        LoadedConfig loaded = ConfigLoader.load(file, Map.of(), List.of(), platform);

        assertThat(loaded.config())
                .isEqualTo(ConfigLoader.load(null, Map.of(), List.of(), platform).config());
        assertThat(loaded.entries()).allMatch(entry -> entry.source().contains(" line "));
    }
}
