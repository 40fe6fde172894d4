package neuralcore.vectors.filter;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Filters as clients write them:
 *
 * <pre>
 * {"lang": "en"}                              equal
 * {"author": {"name": "Ada"}}, {"author.name": "Ada"}   nested, either way
 * {"year": {"$gte": 1990, "$lt": 2000}}       also $gt, $lte, $eq, $ne
 * {"tag": {"$in": ["a", "b"]}}, {"tag": {"$nin": ["c"]}}, {"tag": {"$exists": true}}
 * {"$and": [f, g]}, {"$or": [f, g]}, {"$not": f}, {"year": {"$not": {"$gt": 5}}}
 * </pre>
 *
 * <p>Several conditions in one object must all hold. {@code $ne}, {@code $nin} and {@code $not}
 * hold for rows that lack the path.
 */
public final class FilterParser {
    private static final String OPERATORS =
            "$eq, $ne, $in, $nin, $gt, $gte, $lt, $lte, $exists, $not, $and, $or";

    private FilterParser() {}

    /**
     * @throws NeuralCoreException {@code INVALID_REQUEST}, with the place that cannot be understood
     */
    public static Filter parse(Map<String, @Nullable Object> filter) {
        return all(null, filter);
    }

    /**
     * @param path what the conditions are about; null for the row itself
     */
    private static Filter all(@Nullable String path, Map<?, ?> conditions) {
        List<Filter> parts = new ArrayList<>();
        Bounds bounds = new Bounds(path);
        for (Map.Entry<?, ?> condition : conditions.entrySet()) {
            String name = String.valueOf(condition.getKey());
            Object operand = condition.getValue();
            if (!name.startsWith("$")) {
                parts.add(field(Filter.path(path, name), operand));
            } else if (!bounds.take(name, operand)) {
                parts.add(operator(path, name, operand));
            }
        }
        bounds.addTo(parts);
        return parts.size() == 1 ? parts.getFirst() : new Filter.And(List.copyOf(parts));
    }

    private static Filter field(String path, @Nullable Object operand) {
        if (!(operand instanceof Map<?, ?> object)) {
            return new Filter.In(path, List.of(Value.of(operand)));
        }
        return object.isEmpty() ? new Filter.Exists(path) : all(path, object);
    }

    private static Filter operator(@Nullable String path, String name, @Nullable Object operand) {
        return switch (name) {
            case "$and" -> new Filter.And(each(path, name, operand));
            case "$or" -> new Filter.Or(each(path, name, operand));
            case "$not" -> new Filter.Not(all(path, object(name, operand)));
            case "$eq" -> new Filter.In(needed(path, name), List.of(value(name, operand)));
            case "$ne" ->
                    new Filter.Not(
                            new Filter.In(needed(path, name), List.of(value(name, operand))));
            case "$in" -> new Filter.In(needed(path, name), values(name, operand));
            case "$nin" -> new Filter.Not(new Filter.In(needed(path, name), values(name, operand)));
            case "$exists" -> {
                if (!(operand instanceof Boolean wanted)) {
                    throw invalid(name, operand, "true or false");
                }
                Filter exists = new Filter.Exists(needed(path, name));
                yield wanted ? exists : new Filter.Not(exists);
            }
            default ->
                    throw NeuralCoreException.invalid(
                            "'filter' has the operator '%s'; there are %s."
                                    .formatted(name, OPERATORS));
        };
    }

    private static String needed(@Nullable String path, String operator) {
        if (path == null) {
            throw NeuralCoreException.invalid(
                    "'filter' has '%s' outside of a field; write {\"field\": {\"%s\": …}}."
                            .formatted(operator, operator));
        }
        return path;
    }

    private static List<Filter> each(@Nullable String path, String name, @Nullable Object operand) {
        if (!(operand instanceof List<?> list) || list.isEmpty()) {
            throw invalid(name, operand, "a list of filters, at least one");
        }
        List<Filter> parts = new ArrayList<>(list.size());
        for (Object part : list) {
            parts.add(all(path, object(name, part)));
        }
        return List.copyOf(parts);
    }

    private static Map<?, ?> object(String name, @Nullable Object operand) {
        if (operand instanceof Map<?, ?> object) {
            return object;
        }
        throw invalid(name, operand, "an object");
    }

    private static List<Value> values(String name, @Nullable Object operand) {
        if (!(operand instanceof List<?> list)) {
            throw invalid(name, operand, "a list of values");
        }
        List<Value> values = new ArrayList<>(list.size());
        for (Object item : list) {
            values.add(value(name, item));
        }
        return List.copyOf(values);
    }

    private static Value value(String name, @Nullable Object operand) {
        if (operand instanceof Map) {
            throw invalid(name, operand, "a value, not an object");
        }
        return Value.of(operand);
    }

    private static NeuralCoreException invalid(
            String name, @Nullable Object operand, String expected) {
        String shown = String.valueOf(operand);
        return NeuralCoreException.invalid(
                "'filter' has '%s' with %s; it needs %s."
                        .formatted(
                                name,
                                shown.length() > 80 ? shown.substring(0, 80) + "…" : shown,
                                expected));
    }

    /** Gathers $gt … $lte of one path into one range. */
    private static final class Bounds {
        private final @Nullable String path;
        private @Nullable Value low;
        private boolean lowIncluded;
        private @Nullable Value high;
        private boolean highIncluded;

        Bounds(@Nullable String path) {
            this.path = path;
        }

        boolean take(String name, @Nullable Object operand) {
            boolean isLow = name.equals("$gt") || name.equals("$gte");
            boolean isHigh = name.equals("$lt") || name.equals("$lte");
            if (!isLow && !isHigh) {
                return false;
            }
            needed(path, name);
            if (!(operand instanceof Number || operand instanceof String)) {
                throw invalid(name, operand, "a number or a string");
            }
            if ((isLow ? low : high) != null) {
                throw NeuralCoreException.invalid(
                        "'filter' bounds '%s' twice on one side.".formatted(path));
            }
            Value bound = Value.of(operand);
            Value other = isLow ? high : low;
            if (other != null && other.kind() != bound.kind()) {
                throw NeuralCoreException.invalid(
                        "'filter' bounds '%s' by a number and a string.".formatted(path));
            }
            if (isLow) {
                low = bound;
                lowIncluded = name.equals("$gte");
            } else {
                high = bound;
                highIncluded = name.equals("$lte");
            }
            return true;
        }

        void addTo(List<Filter> parts) {
            Value bound = low == null ? high : low;
            if (path != null && bound != null) {
                parts.add(
                        new Filter.Between(
                                path, bound.kind(), low, lowIncluded, high, highIncluded));
            }
        }
    }
}
