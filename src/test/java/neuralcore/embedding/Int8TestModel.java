package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** The int8 network of the default model, made as the build makes it, once for all test runs. */
public final class Int8TestModel {
    private static final Path FOLDER = Path.of("target/int8");

    private static final class Holder {
        private static final Path MADE = make();
    }

    private Int8TestModel() {}

    /** A models folder that has it; the first call of a fresh clone takes some minutes. */
    public static Path folder() {
        return Holder.MADE;
    }

    private static Path make() {
        String network = Models.ALL_MINILM_L6_V2.graph().resource();
        URL found =
                Objects.requireNonNull(
                        Int8TestModel.class.getClassLoader().getResource(network), network);
        try {
            Path jar =
                    Path.of(
                            URI.create(
                                    ((JarURLConnection) found.openConnection())
                                            .getJarFileURL()
                                            .toString()));
            Process process =
                    new ProcessBuilder("./neuralcore", "int8", jar.toString())
                            .redirectErrorStream(true)
                            .start();
            process.getOutputStream().close();
            String said =
                    new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
            assertThat(process.exitValue()).as(said).isZero();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
        return FOLDER;
    }
}
