package neuralcore.vectors.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.MethodModel;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What makes the kernels fast and is lost without a wrong result to show it. */
class PanamaKernelsTest {
    /** Up to which C2 inlines a hot method: its flag FreqInlineSize. */
    private static final int INLINED_BYTECODES = 325;

    static List<Kernels> widths() {
        return TestKernels.panama();
    }

    @Test
    void namesTellTheWidth() {
        assertThat(widths())
                .extracting(Kernels::name)
                .containsExactly("panama-512", "panama-256", "panama-128");
        assertThat(widths()).extracting(Kernels::vectorBits).containsExactly(512, 256, 128);
    }

    @Test
    void methodsAreSmallEnoughToBeInlined() throws IOException {
        for (Class<?> type : List.of(PanamaKernels.class, PanamaHalves.class)) {
            check(type);
        }
    }

    private static void check(Class<?> type) throws IOException {
        try (InputStream in = type.getResourceAsStream(type.getSimpleName() + ".class")) {
            assertThat(in).isNotNull();
            for (MethodModel method : ClassFile.of().parse(in.readAllBytes()).methods()) {
                int length =
                        method.findAttribute(java.lang.classfile.Attributes.code())
                                .orElseThrow()
                                .codeLength();
                assertThat(length)
                        .as(method.methodName().stringValue())
                        .isLessThan(INLINED_BYTECODES);
            }
        }
    }

    /**
     * A vector that does not stay in a register is an object, and ten times slower. Each width has
     * a JVM of its own that waits for its compiler, so that what is seen depends on the code alone.
     */
    @ParameterizedTest
    @ValueSource(ints = {128, 256, 512})
    void compiledCallsAllocateNothing(int bits) throws Exception {
        // A wider vector than the processor has registers for is never one.
        int width = Math.min(bits, FloatVector.SPECIES_PREFERRED.vectorBitSize());
        List<String> lines = Allocations.measure(width);
        assertThat(lines).contains("panama-" + width);
        List<String> measured = lines.subList(lines.indexOf("panama-" + width) + 1, lines.size());
        assertThat(measured).hasSizeGreaterThan(15);
        for (String line : measured) {
            String[] words = line.split(" ");
            // A product makes room for its rows in another order, once a call.
            long limit = words[0].equals("product") ? 1_000_000 : 1_000;
            assertThat(Long.parseLong(words[1]))
                    .as("%s at %d bits: bytes in 1,000 calls", words[0], width)
                    .isLessThan(limit);
        }
    }
}
