package neuralcore.ops;

import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import neuralcore.config.LoadedConfig;
import neuralcore.config.RuntimeConfig;
import neuralcore.embedding.CacheFolder;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Looks at everything a daemon depends on, and says of each whether it is well and, if not, what to
 * do. Changes nothing.
 */
public final class Doctor {
    private static final long LITTLE_DISK = 1L << 30;
    private static final long NO_DISK = 100L << 20;

    private enum Verdict {
        OK("ok  "),
        WARN("warn"),
        FAIL("FAIL");

        private final String shown;

        Verdict(String shown) {
            this.shown = shown;
        }
    }

    private record Finding(Verdict verdict, String subject, String text) {}

    private final LoadedConfig loaded;
    private final @Nullable Path configFile;
    private final List<Finding> findings = new ArrayList<>();

    /**
     * @param configFile the one that was read, if any
     */
    public Doctor(LoadedConfig loaded, @Nullable Path configFile) {
        this.loaded = loaded;
        this.configFile = configFile;
    }

    /** Prints one line a finding, then every setting. True if nothing failed. */
    public boolean run(PrintWriter out) {
        RuntimeConfig config = loaded.config();
        java();
        vectorModule();
        aotCache();
        prepared();
        configuration();
        dataFolder(config.data().folder());
        disk(config.data().folder());
        memory();
        model(config.embedding());
        daemon(config);
        add(
                Verdict.OK,
                "PyPI",
                "the package is neuralcore-runtime; 'pip install neuralcore' gets a stranger's");
        for (Finding finding : findings) {
            out.printf(
                    "%s  %-14s %s%n", finding.verdict().shown, finding.subject(), finding.text());
        }
        out.println();
        out.print(loaded.table());
        out.flush();
        return findings.stream().noneMatch(finding -> finding.verdict() == Verdict.FAIL);
    }

    private void java() {
        String found = "%s, %s".formatted(Runtime.version(), System.getProperty("java.home"));
        if (Runtime.version().feature() >= 25) {
            add(Verdict.OK, "Java", found);
        } else {
            add(Verdict.FAIL, "Java", found + ": set NEURALCORE_JAVA to a JDK 25");
        }
    }

    private void vectorModule() {
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()) {
            add(Verdict.OK, "vector module", "readable");
        } else {
            add(
                    Verdict.WARN,
                    "vector module",
                    "not readable, so vectors are computed without SIMD: start Java with"
                            + " --add-modules jdk.incubator.vector");
        }
    }

    private void aotCache() {
        String cache = AotCache.path(ManagementFactory.getRuntimeMXBean().getInputArguments());
        if (cache.isEmpty()) {
            add(Verdict.WARN, "AOT cache", "none given; './neuralcore build' makes one");
        } else if (!Files.isRegularFile(Path.of(cache))) {
            add(Verdict.WARN, "AOT cache", cache + " is missing; './neuralcore build' makes it");
        } else if (!AotCache.isUsed()) {
            add(
                    Verdict.WARN,
                    "AOT cache",
                    cache + " is of another Java or build; './neuralcore build' renews it");
        } else {
            add(Verdict.OK, "AOT cache", cache);
        }
    }

    private void prepared() {
        CacheFolder.prepared()
                .ifPresentOrElse(
                        folder -> add(Verdict.OK, "prepared", folder.toString()),
                        () ->
                                add(
                                        Verdict.WARN,
                                        "prepared",
                                        "nothing beside the jar, so the first start in a data folder"
                                                + " unpacks the model; './neuralcore build' does it"
                                                + " in advance"));
    }

    private void configuration() {
        long set = loaded.entries().stream().filter(e -> !e.source().startsWith("default")).count();
        String file = configFile == null ? "no file" : configFile.toString();
        add(
                Verdict.OK,
                "configuration",
                "%s; %d of %d settings are not the default"
                        .formatted(file, set, loaded.entries().size()));
        loaded.notes().forEach(note -> add(Verdict.WARN, "configuration", note));
    }

    private void dataFolder(Path folder) {
        try {
            if (!Files.exists(folder)) {
                Path above = existing(folder);
                if (Files.isWritable(above)) {
                    add(Verdict.OK, "data folder", folder + " will be made");
                } else {
                    add(
                            Verdict.FAIL,
                            "data folder",
                            "%s cannot be made in %s: choose another with --data"
                                    .formatted(folder, above));
                }
            } else if (!Files.isDirectory(folder) || !Files.isWritable(folder)) {
                add(
                        Verdict.FAIL,
                        "data folder",
                        folder + " cannot be written to: choose another with --data");
            } else if (PrivateFiles.isReadableByOthers(folder)) {
                add(
                        Verdict.WARN,
                        "data folder",
                        "%s can be read by others (mode %s): chmod 700 '%s'"
                                .formatted(folder, PrivateFiles.mode(folder), folder));
            } else {
                add(
                        Verdict.OK,
                        "data folder",
                        "%s, mode %s".formatted(folder, PrivateFiles.mode(folder)));
            }
        } catch (IOException e) {
            add(Verdict.FAIL, "data folder", folder + ": " + e);
        }
    }

    private void disk(Path folder) {
        try {
            long free = Files.getFileStore(existing(folder)).getUsableSpace();
            String text = "%,d MiB free".formatted(free >> 20);
            if (free < NO_DISK) {
                add(Verdict.FAIL, "disk", text + ": make room");
            } else {
                add(free < LITTLE_DISK ? Verdict.WARN : Verdict.OK, "disk", text);
            }
        } catch (IOException e) {
            add(Verdict.WARN, "disk", "free space is unknown: " + e);
        }
    }

    private void memory() {
        MemoryCheck.Outcome outcome = MemoryCheck.check(loaded);
        Verdict verdict =
                switch (outcome.verdict()) {
                    case FITS -> Verdict.OK;
                    case RISKY -> Verdict.WARN;
                    case IMPOSSIBLE -> Verdict.FAIL;
                };
        add(verdict, "memory", outcome.text());
    }

    private void model(RuntimeConfig.Embedding config) {
        String name = config.model();
        if (Doctor.class.getResource("/all-minilm-l6-v2.onnx") != null
                && name.equals("all-MiniLM-L6-v2")) {
            add(Verdict.OK, "model", name + ", in the program");
        } else if (Files.isDirectory(config.models().resolve(name))) {
            add(Verdict.OK, "model", config.models().resolve(name).toString());
        } else {
            add(
                    Verdict.FAIL,
                    "model",
                    "%s is neither in the program nor in %s: choose another with embedding.model"
                            .formatted(name, config.models()));
        }
    }

    private void daemon(RuntimeConfig config) {
        Path socket = config.bridge().socket();
        if (StaleSocket.answers(socket)) {
            add(Verdict.OK, "daemon", "answers on " + socket + describeReady(config));
        } else {
            add(Verdict.OK, "daemon", "none is running; it would answer on " + socket);
        }
    }

    private static String describeReady(RuntimeConfig config) {
        try {
            byte[] bytes = Files.readAllBytes(config.data().run().resolve(ReadyFile.NAME));
            Map<String, @Nullable Object> ready = Json.readObject(ByteBuffer.wrap(bytes));
            return ": process %s, TCP port %s, HTTP port %s, model %s"
                    .formatted(
                            ready.get("pid"),
                            ready.get("port"),
                            ready.get("http_port"),
                            Boolean.TRUE.equals(ready.get("model_ready")) ? "ready" : "not ready");
        } catch (IOException | NeuralCoreException e) {
            return ", but its ready file is not there";
        }
    }

    private void add(Verdict verdict, String subject, String text) {
        findings.add(new Finding(verdict, subject, text));
    }

    private static Path existing(Path path) {
        Path found = path.toAbsolutePath();
        while (!Files.exists(found) && found.getParent() != null) {
            found = found.getParent();
        }
        return found;
    }
}
