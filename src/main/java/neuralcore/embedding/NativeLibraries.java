package neuralcore.embedding;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Properties;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * The two native libraries: ONNX Runtime and the Hugging Face tokenizer.
 *
 * <p>Left to themselves both unpack 44 MB at each start, one into the world's temporary folder, and
 * the tokenizer's loader asks its web site for libraries it does not find. Here they are unpacked
 * once into the cache folder and loaded from there.
 *
 * <p>ONNX Runtime from 1.29 on reports to its maker: it keeps a device id under {@code ~/.cache},
 * sends which process runs which model, and overruns a thread's stack if the command line is long.
 * All of it is switched off before the library is loaded.
 *
 * <p>Thread-safe. A process loads each once; later calls with another folder change nothing.
 */
final class NativeLibraries {
    private static final Platform PLATFORM = Platform.current();

    private static boolean tokenizerLoaded;

    private NativeLibraries() {}

    /** Unpacks ONNX Runtime's libraries, where its own loader will find them, and silences it. */
    static synchronized void provideOnnxRuntime(CacheFolder cache) {
        String property = "onnxruntime.native.path";
        if (System.getProperty(property) == null) {
            NativeEnvironment.set("ORT_DISABLE_TELEMETRY", "1");
            List<String> resources = new ArrayList<>();
            for (String library : PLATFORM.onnxLibraries()) {
                resources.add("ai/onnxruntime/native/" + PLATFORM.onnx() + "/" + library);
            }
            System.setProperty(property, unpack(cache, "onnxruntime", resources).toString());
        }
    }

    /** Unpacks and loads the tokenizer's library. */
    static synchronized void loadTokenizer(CacheFolder cache) {
        if (!tokenizerLoaded) {
            List<String> resources = new ArrayList<>();
            for (String library : PLATFORM.tokenizerLibraries()) {
                resources.add("native/lib/" + PLATFORM.tokenizer() + "/cpu/" + library);
            }
            Path folder = unpack(cache, "tokenizers", resources);
            PLATFORM.tokenizerLibraries()
                    .forEach(library -> System.load(folder.resolve(library).toString()));
            tokenizerLoaded = true;
        }
    }

    /**
     * The folder with these files of the class path, of the version that the build names. The class
     * path itself is only asked when one is missing: opening it costs as much as loading a library.
     */
    private static Path unpack(CacheFolder cache, String name, List<String> resources) {
        String folder = "native/" + name + "-" + version(name);
        List<Path> files = new ArrayList<>();
        for (String resource : resources) {
            String fileName = resource.substring(resource.lastIndexOf('/') + 1);
            files.add(
                    cache.place(
                            folder + "/" + fileName,
                            target -> {
                                try (InputStream in = open(resource)) {
                                    Files.copy(in, target, StandardCopyOption.REPLACE_EXISTING);
                                }
                            }));
        }
        return Objects.requireNonNull(files.getFirst().getParent());
    }

    private static String version(String library) {
        Properties versions = new Properties();
        try (InputStream in = open("neuralcore/version.properties")) {
            versions.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Objects.requireNonNull(versions.getProperty(library), library);
    }

    private static InputStream open(String resource) {
        InputStream in = NativeLibraries.class.getClassLoader().getResourceAsStream(resource);
        if (in == null) {
            throw missing(resource);
        }
        return in;
    }

    private static NeuralCoreException missing(String resource) {
        return new NeuralCoreException(
                ErrorCode.NOT_SUPPORTED,
                "This build brings no %s. Build it on this platform, or with its -Pnatives-… profile."
                        .formatted(resource));
    }

    /** What the two projects call this platform and their libraries, in loading order. */
    private record Platform(
            String onnx,
            String tokenizer,
            List<String> onnxLibraries,
            List<String> tokenizerLibraries) {

        static Platform current() {
            String os = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
            boolean arm = System.getProperty("os.arch", "").equals("aarch64");
            if (os.startsWith("windows")) {
                return new Platform(
                        arm ? "win-aarch64" : "win-x64",
                        arm ? "win-aarch64" : "win-x86_64",
                        List.of(
                                "onnxruntime.dll",
                                "onnxruntime4j_jni.dll",
                                "onnxruntime_providers_shared.dll"),
                        List.of(
                                "libwinpthread-1.dll",
                                "libgcc_s_seh-1.dll",
                                "libstdc++-6.dll",
                                "tokenizers.dll"));
            }
            boolean mac = os.contains("mac");
            String suffix = mac ? ".dylib" : ".so";
            return new Platform(
                    (mac ? "osx-" : "linux-") + (arm ? "aarch64" : "x64"),
                    (mac ? "osx-" : "linux-") + (arm ? "aarch64" : "x86_64"),
                    List.of("libonnxruntime" + suffix, "libonnxruntime4j_jni" + suffix),
                    List.of("libtokenizers" + suffix));
        }
    }
}
