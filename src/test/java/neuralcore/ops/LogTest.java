package neuralcore.ops;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.LoggingEvent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LogTest {
    private static final String FORGED = "a\nb\r\u001b[31m\u0000\u009b\tc";
    private static final String ESCAPED = "a\\nb\\r\\x1b[31m\\x00\\x9b\\tc";

    @TempDir Path folder;

    @Test
    void aMessageCannotForgeALine() {
        String text = line(LogLine.Format.TEXT, FORGED, null);

        assertThat(text).endsWith("WARN  LogTest: " + ESCAPED + "\n").hasLineCount(1);
    }

    @Test
    void norCanTheMessageOfAnException() {
        Exception cause = new IllegalStateException(FORGED);
        String text = line(LogLine.Format.TEXT, "failed", new IOException("outer", cause));

        assertThat(text)
                .contains("java.io.IOException: outer\n")
                .contains("caused by java.lang.IllegalStateException: " + ESCAPED + "\n")
                .contains("    at neuralcore.ops.LogTest.");
    }

    @Test
    void jsonLinesAreJson() {
        String line = line(LogLine.Format.JSON, FORGED + "\"quoted\"", new IOException("outer"));

        assertThat(line).hasLineCount(1);
        var json = Json.readObject(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
        assertThat(json)
                .containsEntry("level", "WARN")
                .containsEntry("logger", LogTest.class.getName())
                .containsEntry("message", ESCAPED + "\"quoted\"")
                .containsKeys("time", "thread", "error");
    }

    @ParameterizedTest
    @CsvSource({
        "GET /eventbus?token=abc123&x=1, GET /eventbus?token=***&x=1",
        "{\"token\": \"abc\"}, {\"token\": \"***\"}",
        "Authorization: Bearer abc.def, Authorization: Bearer ***",
        "password=hunter2 user=ann, password=*** user=ann",
        "api_key: 12 and api-key=34, api_key: *** and api-key=***",
        "512 tokens in 3 texts, 512 tokens in 3 texts",
    })
    void secretsAreNotShown(String message, String shown) {
        assertThat(LogLine.safe(message)).isEqualTo(shown);
    }

    @Test
    void longMessagesAreCut() {
        assertThat(LogLine.safe("x".repeat(10_000))).hasSize(4_097).endsWith("…");
    }

    @Test
    void filesArePrivateAndRotate() throws IOException {
        Path file = folder.resolve("daemon.log");
        LoggerContext context = new LoggerContext();
        Logger logger = context.getLogger("test");
        PrivateLogFile appender = PrivateLogFile.at(file, context);
        logger.addAppender(appender);
        logger.info("first");
        appender.rollover();
        logger.info("second");
        for (int i = 0; i < 6; i++) {
            appender.rollover();
        }
        context.stop();

        try (var files = Files.list(folder)) {
            assertThat(files.map(path -> path.getFileName().toString()))
                    .containsExactlyInAnyOrder(
                            "daemon.log",
                            "daemon.log.1",
                            "daemon.log.2",
                            "daemon.log.3",
                            "daemon.log.4");
        }
        for (String name : new String[] {"daemon.log", "daemon.log.1", "daemon.log.4"}) {
            assertThat(PrivateFiles.mode(folder.resolve(name))).as(name).isEqualTo("600");
        }
    }

    private static String line(LogLine.Format format, String message, @Nullable Throwable thrown) {
        Logger logger = new LoggerContext().getLogger(LogTest.class);
        LoggingEvent event =
                new LoggingEvent(Logger.class.getName(), logger, Level.WARN, message, thrown, null);
        return new String(new LogLine(format).encode(event), StandardCharsets.UTF_8);
    }
}
