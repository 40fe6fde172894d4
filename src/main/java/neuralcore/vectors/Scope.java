package neuralcore.vectors;

import java.util.List;
import neuralcore.vectors.filter.Filter;
import org.jspecify.annotations.Nullable;

/**
 * Which rows a call is about.
 *
 * @param namespace one of the collection's, or {@link #EVERYWHERE}
 * @param filter on the metadata, or null for any
 * @param allowed only these ids, or null for any
 */
public record Scope(String namespace, @Nullable Filter filter, @Nullable List<Object> allowed) {
    public static final String EVERYWHERE = "*";
    public static final Scope DEFAULT = new Scope("", null, null);

    /** All rows of a namespace. */
    public static Scope of(String namespace) {
        return new Scope(namespace, null, null);
    }
}
