package neuralcore.vectors.simd;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses the kernels of this process, once: those on the Vector API where the module is readable
 * and HotSpot's C2 with fused multiply-add will compile them, else the scalar ones, with one line
 * in the log that says why and what to do. (Without C2 the Vector API is a hundred times slower
 * than scalar code.)
 *
 * <p>The system property {@value #FORCE_PROPERTY} = {@code scalar} or {@code panama} forces the
 * choice; {@code panama} then only needs the module.
 */
public final class KernelProvider {
    static final String FORCE_PROPERTY = "neuralcore.kernels";

    private static final String MODULE = "jdk.incubator.vector";
    private static final String FLAG = "--add-modules " + MODULE;
    private static final Logger log = LoggerFactory.getLogger(KernelProvider.class);

    /**
     * @param kernels to be used
     * @param reason why they are not the fast ones; null if they are
     */
    private record Choice(Kernels kernels, @Nullable String reason) {}

    /** Loaded with the first use. */
    private static final class Chosen {
        static final Choice CHOICE = choose(System.getProperty(FORCE_PROPERTY));
    }

    private KernelProvider() {}

    /**
     * The kernels of this process. The first call takes some 50 ms.
     *
     * @throws NeuralCoreException {@link ErrorCode#CONFIG_INVALID} if a property asks for what
     *     cannot be
     */
    public static Kernels kernels() {
        return Chosen.CHOICE.kernels();
    }

    /** Whether a property asks for certain kernels, so that they may be refused. */
    public static boolean isForced() {
        return System.getProperty(FORCE_PROPERTY) != null;
    }

    /** Why the kernels are not the fast ones, and what to do; null if they are. */
    public static @Nullable String whySlow() {
        return Chosen.CHOICE.reason();
    }

    /** The scalar kernels, which are always there. */
    public static Kernels scalar() {
        return new ScalarKernels();
    }

    private static Choice choose(@Nullable String forced) {
        Choice choice = look(forced == null ? "" : forced.toLowerCase(Locale.ROOT));
        if (choice.reason() == null) {
            log.info("Vector kernels: {}", choice.kernels().name());
        } else {
            log.warn("Vector kernels: scalar, about ten times slower. {}", choice.reason());
        }
        return choice;
    }

    private static Choice look(String forced) {
        String reason =
                switch (forced) {
                    case "" -> obstacle();
                    case "panama" -> missingModule();
                    case "scalar" -> "-D" + FORCE_PROPERTY + "=scalar asks for them.";
                    default ->
                            throw new NeuralCoreException(
                                    ErrorCode.CONFIG_INVALID,
                                    "System property %s is '%s'; it must be scalar or panama."
                                            .formatted(FORCE_PROPERTY, forced));
                };
        if (reason == null) {
            try {
                return new Choice(panama(), null);
            } catch (ReflectiveOperationException | LinkageError e) {
                reason = "The Vector API does not work in this JVM: " + e;
            }
        }
        if (forced.equals("panama")) {
            throw new NeuralCoreException(
                    ErrorCode.CONFIG_INVALID,
                    "-D%s=panama cannot be: %s".formatted(FORCE_PROPERTY, reason));
        }
        return new Choice(scalar(), reason);
    }

    /** By name, so that nothing here refers to a class that needs the module. */
    private static Kernels panama() throws ReflectiveOperationException {
        Kernels kernels =
                (Kernels)
                        Class.forName(KernelProvider.class.getPackageName() + ".PanamaKernels")
                                .getDeclaredConstructor()
                                .newInstance();
        selfTest(kernels);
        return kernels;
    }

    /** A Vector API that miscalculates is rarer than one that is missing, but has been seen. */
    private static void selfTest(Kernels kernels) {
        float[] ramp = new float[131];
        double expected = 0;
        for (int i = 0; i < ramp.length; i++) {
            ramp[i] = i - 65;
            expected += (double) ramp[i] * ramp[i];
        }
        float actual = kernels.dot(ramp, 0, ramp, 0, ramp.length);
        if (actual != (float) expected) {
            throw new LinkageError("a product is %s instead of %s".formatted(actual, expected));
        }
    }

    private static @Nullable String obstacle() {
        String missing = missingModule();
        if (missing != null) {
            return missing;
        }
        String vm =
                System.getProperty("java.vm.name", "")
                        + ' '
                        + System.getProperty("java.vm.info", "");
        if (vm.contains("interpreted mode") || vm.contains("emulated-client")) {
            return "The C2 compiler is off; start Java without -Xint and -XX:TieredStopAtLevel.";
        }
        HotSpotDiagnosticMXBean hotspot =
                ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        if (hotspot == null) {
            return "This JVM (" + vm.strip() + ") is not HotSpot.";
        }
        try {
            if (Boolean.parseBoolean(hotspot.getVMOption("UseJVMCICompiler").getValue())) {
                return "The JVM compiles with JVMCI; start Java without -XX:+UseJVMCICompiler.";
            }
        } catch (IllegalArgumentException notThere) {
            // A JVM without JVMCI has no such option, which is as good.
        }
        return Boolean.parseBoolean(hotspot.getVMOption("UseFMA").getValue())
                ? null
                : "The processor has no fused multiply-add.";
    }

    private static @Nullable String missingModule() {
        return ModuleLayer.boot().findModule(MODULE).isPresent()
                ? null
                : "Start Java with " + FLAG + " for the fast ones.";
    }
}
