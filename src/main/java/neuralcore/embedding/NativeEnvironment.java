package neuralcore.embedding;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/** Environment variables as native code in this process sees them; Java cannot set them itself. */
final class NativeEnvironment {
    private NativeEnvironment() {}

    /**
     * Sets a variable, unless the process was started with this value: that saves some
     * milliseconds.
     */
    static void set(String name, String value) {
        if (value.equals(System.getenv(name))) {
            return;
        }
        boolean windows =
                System.getProperty("os.name", "").toLowerCase(Locale.ROOT).startsWith("windows");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment nativeName = arena.allocateFrom(name);
            MemorySegment nativeValue = arena.allocateFrom(value);
            int failed =
                    windows
                            ? (int)
                                    function("_putenv_s", false)
                                            .invokeExact(nativeName, nativeValue)
                            : (int)
                                    function("setenv", true)
                                            .invokeExact(nativeName, nativeValue, 1);
            if (failed != 0) {
                throw new IllegalStateException("the C library refused");
            }
        } catch (Throwable e) {
            throw new NeuralCoreException(
                    ErrorCode.NOT_SUPPORTED,
                    "%s cannot be set (%s). Start the daemon with %s=%s in its environment."
                            .formatted(name, e, name, value),
                    e);
        }
    }

    private static MethodHandle function(String name, boolean overwriteFlag) {
        Linker linker = Linker.nativeLinker();
        SymbolLookup library = linker.defaultLookup();
        FunctionDescriptor shape =
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS);
        return linker.downcallHandle(
                library.find(name).orElseThrow(),
                overwriteFlag ? shape.appendArgumentLayouts(ValueLayout.JAVA_INT) : shape);
    }
}
