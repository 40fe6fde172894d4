package neuralcore.relay.schema;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Small schemas and small values, of so few words that they meet each other. */
final class RandomSchemas {
    private static final List<String> NAMES = List.of("a", "b", "ab");

    private RandomSchemas() {}

    static String schema(Random random, int depth) {
        List<String> parts = new ArrayList<>();
        switch (random.nextInt(depth > 0 ? 9 : 5)) {
            case 0 -> parts.add("'type':'string'");
            case 1 -> parts.add("'type':'integer'");
            case 2 -> parts.add("'type':['number','null']");
            case 3 -> parts.add("'enum':[1,'a',null]");
            case 4 -> {
                return "{}";
            }
            case 5 -> parts.add("'type':'array','items':" + schema(random, depth - 1));
            case 6 ->
                    parts.add(
                            "'anyOf':[%s,%s]"
                                    .formatted(
                                            schema(random, depth - 1), schema(random, depth - 1)));
            default -> object(random, depth, parts);
        }
        if (random.nextInt(3) == 0) {
            String key =
                    List.of("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
                            .get(random.nextInt(6));
            parts.add("'%s':%d".formatted(key, random.nextInt(3)));
        }
        if (depth > 0 && random.nextInt(8) == 0) {
            parts.add("'allOf':[%s]".formatted(schema(random, depth - 1)));
        }
        if (depth > 0 && random.nextInt(12) == 0) {
            parts.add("'not':%s".formatted(schema(random, 0)));
        }
        return "{" + String.join(",", parts) + "}";
    }

    private static void object(Random random, int depth, List<String> parts) {
        parts.add("'type':'object'");
        List<String> properties = new ArrayList<>();
        for (String name : NAMES) {
            if (random.nextBoolean()) {
                properties.add("'%s':%s".formatted(name, schema(random, depth - 1)));
            }
        }
        parts.add("'properties':{%s}".formatted(String.join(",", properties)));
        if (random.nextInt(3) == 0) {
            parts.add("'required':['%s']".formatted(NAMES.get(random.nextInt(2))));
        }
        if (random.nextInt(4) == 0) {
            parts.add("'patternProperties':{'^a':%s}".formatted(schema(random, 0)));
        }
        switch (random.nextInt(3)) {
            case 0 -> parts.add("'additionalProperties':false");
            case 1 -> parts.add("'additionalProperties':" + schema(random, 0));
            default -> {
                // Open, as a schema is that says nothing.
            }
        }
    }

    static @Nullable Object value(Random random, int depth) {
        return switch (random.nextInt(depth > 0 ? 8 : 5)) {
            case 0 -> null;
            case 1 -> (long) random.nextInt(4);
            case 2 -> random.nextInt(4) / 2.0;
            case 3 -> "aaa".substring(random.nextInt(4));
            case 4 -> random.nextBoolean();
            case 5 -> {
                List<@Nullable Object> list = new ArrayList<>();
                for (int i = random.nextInt(3); i > 0; i--) {
                    list.add(value(random, depth - 1));
                }
                yield list;
            }
            default -> {
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                for (String name : List.of("a", "b", "ab", "c")) {
                    if (random.nextBoolean()) {
                        map.put(name, value(random, depth - 1));
                    }
                }
                yield map;
            }
        };
    }
}
