package neuralcore.relay.schema;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiPredicate;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * Whether all that one schema allows, another allows too.
 *
 * <p>That cannot be decided for every pair of schemas. This goes over the wider schema keyword by
 * keyword and asks whether the narrower one grants what it demands; where it cannot tell (two
 * different {@code not}, {@code if}, {@code oneOf}, …) it says so, as a break. So what it lets pass
 * is right, and what it refuses may be a matter of writing. An object that does not forbid further
 * properties allows each of them with any value: to describe one later breaks that promise.
 *
 * <p>References within a schema are followed; what is asked while it is being asked counts as
 * answered, as the circle adds nothing. Cost: about one step for each pair of places that stand
 * against each other; after {@value #MOST_STEPS} it gives up.
 */
final class Containment {
    private static final int MOST_BREAKS = 10;
    private static final int MOST_DEPTH = 100;
    private static final int MOST_STEPS = 100_000;

    private static final Set<String> NUMBERS = Set.of("number", "integer");
    private static final Set<String> STRINGS = Set.of("string");
    private static final Set<String> ARRAYS = Set.of("array");
    private static final Set<String> OBJECTS = Set.of("object");
    private static final Set<String> ALL =
            Set.of("null", "boolean", "object", "array", "number", "integer", "string");

    /** Keywords that are compared by being equal, and of which types they speak. */
    private static final Map<String, Set<String>> WHOLE = new LinkedHashMap<>();

    /** Limits from below and from above. */
    private static final Map<String, Set<String>> AT_LEAST = new LinkedHashMap<>();

    private static final Map<String, Set<String>> AT_MOST = new LinkedHashMap<>();

    static {
        for (String key : List.of("not", "if", "then", "else", "oneOf", "$dynamicRef")) {
            WHOLE.put(key, ALL);
        }
        for (String key : List.of("pattern", "format", "contentEncoding", "contentMediaType")) {
            WHOLE.put(key, STRINGS);
        }
        for (String key :
                List.of(
                        "contains",
                        "minContains",
                        "maxContains",
                        "prefixItems",
                        "additionalItems")) {
            WHOLE.put(key, ARRAYS);
        }
        WHOLE.put("unevaluatedItems", ARRAYS);
        for (String key :
                List.of(
                        "dependentRequired",
                        "dependentSchemas",
                        "dependencies",
                        "propertyNames",
                        "unevaluatedProperties")) {
            WHOLE.put(key, OBJECTS);
        }
        AT_LEAST.put("minimum", NUMBERS);
        AT_LEAST.put("exclusiveMinimum", NUMBERS);
        AT_LEAST.put("minLength", STRINGS);
        AT_LEAST.put("minItems", ARRAYS);
        AT_LEAST.put("minProperties", OBJECTS);
        AT_MOST.put("maximum", NUMBERS);
        AT_MOST.put("exclusiveMaximum", NUMBERS);
        AT_MOST.put("maxLength", STRINGS);
        AT_MOST.put("maxItems", ARRAYS);
        AT_MOST.put("maxProperties", OBJECTS);
    }

    private final Map<String, @Nullable Object> narrowRoot;
    private final Map<String, @Nullable Object> wideRoot;

    /** What is being asked: for each wide schema the narrow ones. */
    private final Map<Object, Set<Object>> asking = new IdentityHashMap<>();

    private int depth;
    private int steps;

    Containment(Map<String, @Nullable Object> narrow, Map<String, @Nullable Object> wide) {
        this.narrowRoot = narrow;
        this.wideRoot = wide;
    }

    /** Why something that the narrow schema allows may not be allowed; empty if all of it is. */
    List<String> breaks() {
        return within(narrowRoot, wideRoot, "");
    }

    private List<String> within(@Nullable Object narrow, @Nullable Object wide, String path) {
        List<String> breaks = new ArrayList<>();
        if (Boolean.FALSE.equals(narrow) || !(wide instanceof Map<?, ?> demands)) {
            if (Boolean.FALSE.equals(wide) && !Boolean.FALSE.equals(narrow)) {
                breaks.add(at(path) + " is not allowed any more");
            }
            return breaks;
        }
        Map<?, ?> grants = narrow instanceof Map<?, ?> map ? map : Map.of();
        if (isTheSame(grants, demands)) {
            return breaks;
        }
        Set<Object> with = asking.computeIfAbsent(demands, key -> identities());
        if (!with.add(grants)) {
            return breaks;
        }
        if (++depth > MOST_DEPTH || ++steps > MOST_STEPS) {
            breaks.add(at(path) + " is too deep or too large to be compared");
        } else {
            if (demands.get("$ref") instanceof String ref) {
                Object target = SchemaText.resolve(wideRoot, ref);
                breaks.addAll(
                        target == null
                                ? equal("$ref", grants, demands, path)
                                : within(narrow, target, path));
            }
            breaks.addAll(compared(grants, demands, path));
        }
        depth--;
        with.remove(grants);
        return breaks.size() > MOST_BREAKS ? breaks.subList(0, MOST_BREAKS) : breaks;
    }

    private static Set<Object> identities() {
        return Collections.newSetFromMap(new IdentityHashMap<>());
    }

    /**
     * What the narrow schema grants by itself; if that is not enough, what one of those grants of
     * which all apply, or every one of those of which one applies.
     */
    private List<String> compared(Map<?, ?> narrow, Map<?, ?> wide, String path) {
        List<String> breaks = alone(narrow, wide, path);
        if (breaks.isEmpty()) {
            return breaks;
        }
        if (narrow.get("$ref") instanceof String ref) {
            Object target = SchemaText.resolve(narrowRoot, ref);
            if (target != null) {
                return within(target, wide, path);
            }
        }
        if (narrow.get("allOf") instanceof List<?> all) {
            for (Object each : all) {
                if (within(each, wide, path).isEmpty()) {
                    return List.of();
                }
            }
        }
        for (String key : List.of("anyOf", "oneOf")) {
            if (narrow.get(key) instanceof List<?> any && !any.isEmpty()) {
                if (any.stream().allMatch(each -> within(each, wide, path).isEmpty())) {
                    return List.of();
                }
            }
        }
        return breaks;
    }

    private List<String> alone(Map<?, ?> narrow, Map<?, ?> wide, String path) {
        List<String> breaks = new ArrayList<>();
        Set<String> types = types(narrow);
        Set<String> allowed = declared(wide);
        for (String type : types) {
            if (!allowed.contains(type)
                    && !(type.equals("integer") && allowed.contains("number"))) {
                breaks.add("%s may be %s and must be %s".formatted(at(path), type, allowed));
            }
        }
        values(narrow, wide, path, breaks);
        bounds(AT_LEAST, (has, wanted) -> has >= wanted, types, narrow, wide, path, breaks);
        bounds(AT_MOST, (has, wanted) -> has <= wanted, types, narrow, wide, path, breaks);
        if (speaksOf(NUMBERS, types) && wide.get("multipleOf") instanceof Number wanted) {
            if (!(narrow.get("multipleOf") instanceof Number has)
                    || has.doubleValue() % wanted.doubleValue() != 0) {
                breaks.add("%s must be a multiple of %s".formatted(at(path), wanted));
            }
        }
        WHOLE.forEach(
                (key, of) -> {
                    if (wide.containsKey(key) && speaksOf(of, types)) {
                        breaks.addAll(equal(key, narrow, wide, path));
                    }
                });
        if (speaksOf(ARRAYS, types)) {
            items(narrow, wide, path, breaks);
        }
        if (speaksOf(OBJECTS, types)) {
            new Properties(narrow, wide, path).compare(breaks);
        }
        if (wide.get("allOf") instanceof List<?> all) {
            all.forEach(each -> breaks.addAll(within(narrow, each, path)));
        }
        if (wide.get("anyOf") instanceof List<?> any
                && any.stream().noneMatch(each -> within(narrow, each, path).isEmpty())) {
            breaks.add("%s is none of the 'anyOf' for certain".formatted(at(path)));
        }
        return breaks;
    }

    private static boolean speaksOf(Set<String> those, Set<String> types) {
        return those.stream().anyMatch(types::contains);
    }

    private static Set<String> types(Map<?, ?> schema) {
        Collection<?> values = values(schema);
        if (values == null) {
            return declared(schema);
        }
        Set<String> types = new TreeSet<>();
        values.forEach(value -> types.add(typeOf(value)));
        return types;
    }

    private static Set<String> declared(Map<?, ?> schema) {
        return switch (schema.get("type")) {
            case String one -> Set.of(one);
            case Collection<?> several -> {
                Set<String> types = new TreeSet<>();
                several.forEach(one -> types.add(String.valueOf(one)));
                yield types;
            }
            case null, default -> ALL;
        };
    }

    private static String typeOf(@Nullable Object value) {
        return switch (value) {
            case null -> "null";
            case Boolean _ -> "boolean";
            case String _ -> "string";
            case Map<?, ?> _ -> "object";
            case Collection<?> _ -> "array";
            case Number number -> number.doubleValue() % 1 == 0 ? "integer" : "number";
            default -> "object";
        };
    }

    /** The values that alone are allowed; null if all are. */
    private static @Nullable Collection<?> values(Map<?, ?> schema) {
        if (schema.containsKey("const")) {
            return Collections.singletonList(schema.get("const"));
        }
        return schema.get("enum") instanceof Collection<?> list ? list : null;
    }

    private static void values(Map<?, ?> narrow, Map<?, ?> wide, String path, List<String> breaks) {
        Collection<?> wanted = values(wide);
        if (wanted == null) {
            return;
        }
        Collection<?> has = values(narrow);
        if (has == null) {
            breaks.add("%s must be one of %s".formatted(at(path), wanted));
            return;
        }
        for (Object value : has) {
            if (wanted.stream().noneMatch(each -> same(each, value))) {
                breaks.add(
                        "%s may be '%s' and must be one of %s".formatted(at(path), value, wanted));
            }
        }
    }

    private static void bounds(
            Map<String, Set<String>> keys,
            BiPredicate<Double, Double> isEnough,
            Set<String> types,
            Map<?, ?> narrow,
            Map<?, ?> wide,
            String path,
            List<String> breaks) {
        keys.forEach(
                (key, of) -> {
                    if (!wide.containsKey(key) || !speaksOf(of, types)) {
                        return;
                    }
                    Object wanted = wide.get(key);
                    Object has = narrow.get(key);
                    boolean granted =
                            wanted instanceof Number limit
                                    ? has instanceof Number own
                                            && isEnough.test(own.doubleValue(), limit.doubleValue())
                                    : same(has, wanted);
                    if (!granted && !isImplied(key, wanted, isEnough, narrow)) {
                        breaks.add("%s has '%s' %s".formatted(at(path), key, wanted));
                    }
                });
    }

    /** Values that alone are allowed may be within a limit that is not said of them. */
    private static boolean isImplied(
            String key,
            @Nullable Object wanted,
            BiPredicate<Double, Double> isEnough,
            Map<?, ?> narrow) {
        Collection<?> values = values(narrow);
        if (!(wanted instanceof Number limit)) {
            return false;
        }
        if (values == null) {
            return limit.doubleValue() <= 0 && AT_LEAST.containsKey(key) && !isOfNumbers(key);
        }
        boolean open = key.startsWith("exclusive");
        return values.stream()
                .allMatch(
                        value -> {
                            double size =
                                    switch (value) {
                                        case String text -> text.codePointCount(0, text.length());
                                        case Number number -> number.doubleValue();
                                        case Collection<?> list -> list.size();
                                        case Map<?, ?> map -> map.size();
                                        case null, default -> Double.NaN;
                                    };
                            return isEnough.test(size, limit.doubleValue())
                                    && !(open && size == limit.doubleValue());
                        });
    }

    private static boolean isOfNumbers(String key) {
        return NUMBERS.equals(AT_LEAST.get(key));
    }

    private void items(Map<?, ?> narrow, Map<?, ?> wide, String path, List<String> breaks) {
        if (Boolean.TRUE.equals(wide.get("uniqueItems"))
                && !Boolean.TRUE.equals(narrow.get("uniqueItems"))) {
            breaks.add("%s must have no item twice".formatted(at(path)));
        }
        if (!wide.containsKey("items")) {
            return;
        }
        boolean byPlace =
                wide.get("items") instanceof Collection<?>
                        || narrow.get("items") instanceof Collection<?>
                        || wide.containsKey("prefixItems")
                        || narrow.containsKey("prefixItems");
        if (byPlace) {
            breaks.addAll(equal("items", narrow, wide, path));
        } else {
            breaks.addAll(within(narrow.get("items"), wide.get("items"), path + "/*"));
        }
    }

    /** An object's properties, by name, by pattern, and all others. */
    private final class Properties {
        private final Map<?, ?> has;
        private final Map<?, ?> hasPatterns;
        private final @Nullable Object hasOthers;
        private final Map<?, ?> wanted;
        private final Map<?, ?> wantedPatterns;
        private final @Nullable Object wantedOthers;
        private final Collection<?> required;
        private final Collection<?> granted;
        private final String path;

        Properties(Map<?, ?> narrow, Map<?, ?> wide, String path) {
            has = map(narrow, "properties");
            hasPatterns = map(narrow, "patternProperties");
            hasOthers = narrow.get("additionalProperties");
            wanted = map(wide, "properties");
            wantedPatterns = map(wide, "patternProperties");
            wantedOthers = wide.get("additionalProperties");
            granted = narrow.get("required") instanceof Collection<?> list ? list : List.of();
            required = wide.get("required") instanceof Collection<?> list ? list : List.of();
            this.path = path;
        }

        private static Map<?, ?> map(Map<?, ?> schema, String key) {
            return schema.get(key) instanceof Map<?, ?> map ? map : Map.of();
        }

        void compare(List<String> breaks) {
            for (Object name : required) {
                if (!granted.contains(name)) {
                    breaks.add("property '%s/%s' may be missing".formatted(path, name));
                }
            }
            wanted.forEach((name, schema) -> breaks.addAll(named(String.valueOf(name), schema)));
            wantedPatterns.forEach(
                    (pattern, schema) -> breaks.addAll(patterned(String.valueOf(pattern), schema)));
            if (wantedOthers != null) {
                breaks.addAll(others());
            }
        }

        private List<String> named(String name, @Nullable Object schema) {
            if (has.containsKey(name)) {
                return within(has.get(name), schema, path + "/" + name);
            }
            if (hasOthers instanceof Boolean closed && !closed && !isPatterned(name, hasPatterns)) {
                return List.of();
            }
            List<String> breaks =
                    within(
                            isPatterned(name, hasPatterns) ? null : hasOthers,
                            schema,
                            path + "/" + name);
            return breaks.isEmpty()
                    ? breaks
                    : List.of(
                            "property '%s/%s' may be anything where it is not described"
                                    .formatted(path, name));
        }

        private List<String> patterned(String pattern, @Nullable Object schema) {
            List<String> breaks = new ArrayList<>();
            has.forEach(
                    (name, own) -> {
                        if (matches(pattern, String.valueOf(name))) {
                            breaks.addAll(within(own, schema, path + "/" + name));
                        }
                    });
            if (hasPatterns.containsKey(pattern)) {
                breaks.addAll(within(hasPatterns.get(pattern), schema, path + "/" + pattern));
            } else if (!Boolean.FALSE.equals(hasOthers) || !hasPatterns.isEmpty()) {
                breaks.addAll(
                        within(
                                hasPatterns.isEmpty() ? hasOthers : null,
                                schema,
                                path + "/" + pattern));
            }
            return breaks;
        }

        private List<String> others() {
            List<String> breaks = new ArrayList<>();
            has.forEach(
                    (name, own) -> {
                        String text = String.valueOf(name);
                        if (!wanted.containsKey(text) && !isPatterned(text, wantedPatterns)) {
                            breaks.addAll(within(own, wantedOthers, path + "/" + text));
                        }
                    });
            hasPatterns.forEach(
                    (pattern, own) -> {
                        if (!wantedPatterns.containsKey(pattern)) {
                            breaks.addAll(within(own, wantedOthers, path + "/" + pattern));
                        }
                    });
            if (!Boolean.FALSE.equals(hasOthers)
                    && !within(hasOthers, wantedOthers, path + "/*").isEmpty()) {
                breaks.add("%s may have properties that are not described".formatted(at(path)));
            }
            return breaks;
        }

        private static boolean isPatterned(String name, Map<?, ?> patterns) {
            return patterns.keySet().stream()
                    .anyMatch(pattern -> matches(String.valueOf(pattern), name));
        }

        private static boolean matches(String pattern, String name) {
            try {
                return Pattern.compile(pattern).matcher(name).find();
            } catch (PatternSyntaxException e) {
                return true; // So that what it demands is asked for.
            }
        }
    }

    private List<String> equal(String key, Map<?, ?> narrow, Map<?, ?> wide, String path) {
        return narrow.containsKey(key) && isTheSame(narrow.get(key), wide.get(key))
                ? List.of()
                : List.of("%s has another '%s', or none".formatted(at(path), key));
    }

    /** Whether both are written alike, and what they refer to as well. */
    private boolean isTheSame(@Nullable Object narrow, @Nullable Object wide) {
        return same(narrow, wide) && (!refers(wide) || (sameDefinitions() && isPlain(wide)));
    }

    private static boolean refers(@Nullable Object node) {
        return SchemaText.REFERENCES.stream().anyMatch(key -> SchemaText.uses(node, key));
    }

    /** Whether it refers to definitions alone. */
    private static boolean isPlain(@Nullable Object node) {
        return switch (node) {
            case Map<?, ?> map ->
                    map.entrySet().stream()
                            .allMatch(
                                    each ->
                                            SchemaText.REFERENCES.contains(
                                                                    String.valueOf(each.getKey()))
                                                            && each.getValue() instanceof String to
                                                    ? to.matches("#/(\\$defs|definitions)/.*")
                                                    : isPlain(each.getValue()));
            case Collection<?> list -> list.stream().allMatch(Containment::isPlain);
            case null, default -> true;
        };
    }

    private boolean sameDefinitions() {
        return same(narrowRoot.get("$defs"), wideRoot.get("$defs"))
                && same(narrowRoot.get("definitions"), wideRoot.get("definitions"));
    }

    private static boolean same(@Nullable Object a, @Nullable Object b) {
        if (a instanceof Number one && b instanceof Number two) {
            return one.doubleValue() == two.doubleValue();
        }
        return Objects.equals(a, b);
    }

    private static String at(String path) {
        return path.isEmpty() ? "the whole" : "'" + path + "'";
    }
}
