package neuralcore.ops;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * Tells clients where the daemon is. The file appears when the door answers, is replaced as a whole
 * when the model becomes ready, and goes when the daemon begins to stop. Thread-safe.
 */
final class ReadyFile implements AutoCloseable {
    static final String NAME = "ready.json";

    /**
     * What the file says; {@code docs/protocol.md} shows it.
     *
     * @param port of the TCP listener, 0 without one
     * @param httpPort of the HTTP listener, 0 without one
     * @param idleExitMillis it ends by itself after so long without a client; 0 if it does not
     * @param modelReady whether the default model has run
     */
    record Contents(
            long pid,
            Path socket,
            String host,
            int port,
            String httpHost,
            int httpPort,
            Path tokenFile,
            Instant started,
            List<String> roles,
            long idleExitMillis,
            boolean modelReady) {
        byte[] toJson() {
            Map<String, @Nullable Object> json = new LinkedHashMap<>();
            json.put("pid", pid);
            json.put("socket", socket.toString());
            json.put("host", host);
            json.put("port", port);
            json.put("http_host", httpHost);
            json.put("http_port", httpPort);
            json.put("token_file", tokenFile.toString());
            json.put("version", Version.NUMBER);
            json.put("protocol", Version.PROTOCOL);
            json.put("started", started.toString());
            json.put("roles", roles);
            json.put("idle_exit_ms", idleExitMillis);
            json.put("open", true);
            json.put("model_ready", modelReady);
            return Json.write(json);
        }
    }

    private final List<Path> files;
    private boolean closed;

    /**
     * @param files all of them say the same
     */
    ReadyFile(List<Path> files) {
        this.files = List.copyOf(files);
    }

    /** Asks for the contents when it is this call's turn: of two calls the later has newer ones. */
    synchronized void write(Supplier<Contents> contents) throws IOException {
        if (closed) {
            return;
        }
        byte[] json = contents.get().toJson();
        for (Path file : files) {
            PrivateFiles.replace(file, json);
        }
    }

    @Override
    public synchronized void close() throws IOException {
        closed = true;
        for (Path file : files) {
            Files.deleteIfExists(file);
        }
    }
}
