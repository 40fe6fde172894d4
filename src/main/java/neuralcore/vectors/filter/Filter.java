package neuralcore.vectors.filter;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A condition on a row's metadata. A path names a value: {@code author.name} is the value of {@code
 * name} in the object {@code author}. Where there is a list, the path names each of its elements
 * and the list as a whole. A row without the path fulfils none but {@link Not}.
 */
public sealed interface Filter {

    /**
     * The path of a name within what is at another path.
     *
     * @param outer null for the row's metadata itself; a name may be empty, and "" is its path
     */
    static String path(@Nullable String outer, String name) {
        return outer == null ? name : outer + "." + name;
    }

    /** One of the values at the path is among these. */
    record In(String path, List<Value> values) implements Filter {}

    /** One of the values at the path is of this kind and between these bounds. */
    record Between(
            String path,
            Value.Kind kind,
            @Nullable Value low,
            boolean lowIncluded,
            @Nullable Value high,
            boolean highIncluded)
            implements Filter {}

    /** Something is at the path, be it null. */
    record Exists(String path) implements Filter {}

    /** All hold; true if there are none. */
    record And(List<Filter> parts) implements Filter {}

    /** One holds; false if there are none. */
    record Or(List<Filter> parts) implements Filter {}

    record Not(Filter part) implements Filter {}
}
