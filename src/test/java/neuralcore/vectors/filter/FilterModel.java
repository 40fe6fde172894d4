package neuralcore.vectors.filter;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** What a filter means, by looking at one row's metadata; and random filters and metadata. */
public final class FilterModel {
    private FilterModel() {}

    /** Whether a row with this metadata, null for none, fulfils a filter. */
    public static boolean holds(Map<?, ?> filter, @Nullable Map<?, ?> metadata) {
        return holds(null, filter, metadata);
    }

    private static boolean holds(
            @Nullable String path, Map<?, ?> filter, @Nullable Map<?, ?> metadata) {
        for (Map.Entry<?, ?> entry : filter.entrySet()) {
            if (!condition(path, (String) entry.getKey(), entry.getValue(), filter, metadata)) {
                return false;
            }
        }
        return true;
    }

    private static boolean condition(
            @Nullable String path,
            String name,
            @Nullable Object operand,
            Map<?, ?> all,
            @Nullable Map<?, ?> metadata) {
        if (!name.startsWith("$")) {
            String inner = path == null ? name : path + "." + name;
            if (operand instanceof Map<?, ?> object) {
                return object.isEmpty()
                        ? at(metadata, inner) != null
                        : holds(inner, object, metadata);
            }
            return equalsAny(at(metadata, inner), operand);
        }
        List<@Nullable Object> values = path == null ? null : at(metadata, path);
        return switch (name) {
            case "$and" ->
                    ((List<?>) operand)
                            .stream().allMatch(f -> holds(path, (Map<?, ?>) f, metadata));
            case "$or" ->
                    ((List<?>) operand)
                            .stream().anyMatch(f -> holds(path, (Map<?, ?>) f, metadata));
            case "$not" -> !holds(path, (Map<?, ?>) operand, metadata);
            case "$eq" -> equalsAny(values, operand);
            case "$ne" -> !equalsAny(values, operand);
            case "$in" -> ((List<?>) operand).stream().anyMatch(item -> equalsAny(values, item));
            case "$nin" -> ((List<?>) operand).stream().noneMatch(item -> equalsAny(values, item));
            case "$exists" -> (values != null) == (Boolean) operand;
            // All bounds of a path hold for one and the same value.
            case "$gt", "$gte", "$lt", "$lte" ->
                    values != null && values.stream().anyMatch(value -> isWithin(value, all));
            default -> throw new AssertionError(name);
        };
    }

    private static boolean isWithin(@Nullable Object value, Map<?, ?> bounds) {
        for (String name : List.of("$gt", "$gte", "$lt", "$lte")) {
            Object bound = bounds.get(name);
            if (bound == null) {
                continue;
            }
            int order;
            if (bound instanceof Number b && value instanceof Number v) {
                order = Double.compare(v.doubleValue(), b.doubleValue());
            } else if (bound instanceof String b && value instanceof String v) {
                order = v.compareTo(b);
            } else {
                return false;
            }
            boolean holds =
                    switch (name) {
                        case "$gt" -> order > 0;
                        case "$gte" -> order >= 0;
                        case "$lt" -> order < 0;
                        default -> order <= 0;
                    };
            if (!holds) {
                return false;
            }
        }
        return true;
    }

    private static boolean equalsAny(
            @Nullable List<@Nullable Object> values, @Nullable Object wanted) {
        return values != null && values.stream().anyMatch(value -> same(value, wanted));
    }

    private static boolean same(@Nullable Object a, @Nullable Object b) {
        if (a instanceof Number x && b instanceof Number y) {
            return x.doubleValue() == y.doubleValue();
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            return x.size() == y.size()
                    && IntStream.range(0, x.size()).allMatch(i -> same(x.get(i), y.get(i)));
        }
        return Objects.equals(a, b);
    }

    /** The values at a path: null if there is nothing, none for an object. */
    private static @Nullable List<@Nullable Object> at(@Nullable Map<?, ?> metadata, String path) {
        List<@Nullable Object> found = new ArrayList<>();
        boolean there = metadata != null && collect(metadata, path, found);
        return there ? found : null;
    }

    private static boolean collect(
            @Nullable Object from, String path, List<@Nullable Object> found) {
        boolean there = false;
        if (from instanceof List<?> list) {
            for (Object item : list) {
                there |= collect(item, path, found);
            }
        } else if (from instanceof Map<?, ?> object) {
            for (Map.Entry<?, ?> entry : object.entrySet()) {
                String name = (String) entry.getKey();
                if (path.equals(name)) {
                    there = true;
                    values(entry.getValue(), found);
                } else if (path.startsWith(name + ".")) {
                    there |= collect(entry.getValue(), path.substring(name.length() + 1), found);
                }
            }
        }
        return there;
    }

    private static void values(@Nullable Object value, List<@Nullable Object> found) {
        if (!(value instanceof Map)) {
            found.add(value);
        }
        if (value instanceof List<?> list) {
            list.forEach(item -> values(item, found));
        }
    }

    /** Metadata with few values of few names, so that filters find something; or null. */
    public static @Nullable Map<String, @Nullable Object> randomMetadata(Random random) {
        if (random.nextInt(8) == 0) {
            return null;
        }
        Map<String, @Nullable Object> metadata = new java.util.LinkedHashMap<>();
        for (String name : List.of("lang", "year", "tags", "author", "score", "")) {
            switch (random.nextInt(4)) {
                case 0 -> {}
                case 1 ->
                        metadata.put(
                                name,
                                random.nextBoolean()
                                        ? List.of(randomValue(random), randomValue(random))
                                        : java.util.Collections.singletonMap(
                                                "name",
                                                random.nextInt(6) == 0
                                                        ? null
                                                        : randomValue(random)));
                default -> metadata.put(name, randomValue(random));
            }
        }
        return metadata;
    }

    private static Object randomValue(Random random) {
        return switch (random.nextInt(6)) {
            case 0 -> (long) random.nextInt(5);
            case 5 -> List.of(random.nextBoolean() ? (Object) 1L : (Object) 1.0);
            case 1 -> random.nextInt(10) / 2.0;
            case 2 -> random.nextBoolean();
            default -> List.of("a", "b", "c", "d").get(random.nextInt(4));
        };
    }

    /** A filter over the same names and values. */
    public static Map<String, @Nullable Object> randomFilter(Random random, int depth) {
        if (depth > 0 && random.nextInt(3) == 0) {
            Object inner = randomFilter(random, depth - 1);
            return switch (random.nextInt(3)) {
                case 0 -> Map.of("$not", inner);
                case 1 -> Map.of("$or", List.of(inner, randomFilter(random, depth - 1)));
                default -> Map.of("$and", List.of(inner, randomFilter(random, depth - 1)));
            };
        }
        List<String> paths =
                List.of(
                        "lang",
                        "year",
                        "tags",
                        "author",
                        "score",
                        "author.name",
                        "tags.name",
                        "",
                        ".name",
                        "name");
        String path = paths.get(random.nextInt(paths.size()));
        Object value = randomValue(random);
        Object ordered = random.nextBoolean() ? (Object) (random.nextInt(9) / 2.0) : "b";
        Object condition =
                switch (random.nextInt(9)) {
                    case 0 -> Map.of("$ne", value);
                    case 1 -> Map.of("$in", List.of(value, randomValue(random)));
                    case 2 -> Map.of("$nin", List.of(value));
                    case 3 -> Map.of("$exists", random.nextBoolean());
                    case 4 -> Map.of(random.nextBoolean() ? "$gt" : "$lte", ordered);
                    case 5 ->
                            ordered instanceof Double low
                                    ? Map.of("$gte", low, "$lt", low + 2)
                                    : Map.of("$gte", "a", "$lte", "b");
                    case 6 -> Map.of("name", value);
                    case 7 -> Map.of("$not", Map.of("$eq", value));
                    default -> value;
                };
        return Map.of(path, condition);
    }
}
