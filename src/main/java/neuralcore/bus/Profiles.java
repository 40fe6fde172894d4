package neuralcore.bus;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which namespaces begin with the channels of a profile. A profile is read when its namespace is
 * first used, so that it costs a start nothing.
 */
public final class Profiles {
    public static final Profiles NONE = new Profiles(List.of());

    private final Map<String, String> byNamespace = new HashMap<>();

    /**
     * @param entries {@code name} of a shipped profile for the namespace called like it, {@code
     *     namespace=name}, or {@code namespace=file} with a path that ends {@code .yaml}
     */
    public Profiles(List<String> entries) {
        for (String entry : entries) {
            int is = entry.indexOf('=');
            byNamespace.put(is < 0 ? entry : entry.substring(0, is), entry.substring(is + 1));
        }
    }

    /** The profile of a namespace; null if it has none. */
    @Nullable Profile of(String namespace) {
        String source = byNamespace.get(namespace);
        if (source == null) {
            return null;
        }
        return source.endsWith(".yaml") ? Profile.ofFile(Path.of(source)) : Profile.shipped(source);
    }
}
