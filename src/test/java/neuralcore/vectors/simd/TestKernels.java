package neuralcore.vectors.simd;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.util.List;
import java.util.Set;

/**
 * Every kind of kernels, side by side in one JVM. The width of {@link PanamaKernels} is a constant
 * of its class, so each width is a class of its own, from a class loader of its own.
 */
public final class TestKernels {
    private static final List<Kernels> ALL =
            List.of(new ScalarKernels(), panama(512), panama(256), panama(128));

    private TestKernels() {}

    public static List<Kernels> all() {
        return ALL;
    }

    static List<Kernels> panama() {
        return ALL.subList(1, ALL.size());
    }

    private static synchronized Kernels panama(int bits) {
        String before = System.getProperty(PanamaKernels.BITS_PROPERTY);
        System.setProperty(PanamaKernels.BITS_PROPERTY, String.valueOf(bits));
        try {
            Constructor<?> constructor =
                    new Isolated()
                            .loadClass(PanamaKernels.class.getName())
                            .getDeclaredConstructor();
            constructor.setAccessible(true);
            return (Kernels) constructor.newInstance();
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("PanamaKernels at " + bits + " bits", e);
        } finally {
            if (before == null) {
                System.clearProperty(PanamaKernels.BITS_PROPERTY);
            } else {
                System.setProperty(PanamaKernels.BITS_PROPERTY, before);
            }
        }
    }

    /** Loads the implementation anew, and what it shares with callers from the usual loader. */
    private static final class Isolated extends ClassLoader {
        private static final Set<String> SHARED =
                Set.of(
                        Kernels.class.getName(),
                        CodeKernels.class.getName(),
                        HalfKernels.class.getName(),
                        SegmentKernels.class.getName(),
                        PackedRows.class.getName());

        Isolated() {
            super(TestKernels.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith(Kernels.class.getPackageName() + ".") || SHARED.contains(name)) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded != null ? loaded : define(name);
            }
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
                if (in == null) {
                    throw new ClassNotFoundException(name);
                }
                byte[] bytes = in.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }
}
