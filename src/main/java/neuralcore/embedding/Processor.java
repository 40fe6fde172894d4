package neuralcore.embedding;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;

/** What the processor can do, as far as the choice of a network depends on it. */
final class Processor {
    private static final Path DESCRIPTION = Path.of("/proc/cpuinfo");
    private static final Set<String> DOT_PRODUCTS =
            Set.of("avx512_vnni", "avx_vnni", "asimddp", "i8mm");

    private Processor() {}

    /**
     * Whether it multiplies int8 without saturating: older ones add two products in 16 bits, so
     * that results are wrong where values are large.
     */
    static boolean multipliesInt8() {
        try {
            return Files.isReadable(DESCRIPTION)
                    ? describesDotProducts(Files.readString(DESCRIPTION))
                    // Every Mac with an ARM processor has them.
                    : "aarch64".equals(System.getProperty("os.arch", ""))
                            && System.getProperty("os.name", "")
                                    .toLowerCase(Locale.ROOT)
                                    .startsWith("mac");
        } catch (IOException e) {
            return false;
        }
    }

    /** Whether Linux's description of the processors names such instructions. */
    static boolean describesDotProducts(String description) {
        return description
                .lines()
                .filter(line -> line.startsWith("flags") || line.startsWith("Features"))
                .findFirst()
                .map(line -> Arrays.stream(line.split("\\s+")).anyMatch(DOT_PRODUCTS::contains))
                .orElse(false);
    }
}
