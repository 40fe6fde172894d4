package neuralcore.relay.schema;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * What a schema may be before a library sees it: one object of a bounded size and depth whose
 * references all lead into itself, so that nothing has to be fetched from anywhere.
 */
final class SchemaText {
    static final int MOST_BYTES = 256 * 1024;
    static final int MOST_DEPTH = 32;

    static final Set<String> REFERENCES = Set.of("$ref", "$dynamicRef", "$recursiveRef");

    private SchemaText() {}

    /**
     * @throws NeuralCoreException {@code INVALID_REQUEST} if it is not to be a schema here
     */
    static Map<String, @Nullable Object> read(byte[] text) {
        if (text.length > MOST_BYTES) {
            throw tooLong(text.length);
        }
        try {
            return checked(Json.readObject(ByteBuffer.wrap(text)));
        } catch (NeuralCoreException e) {
            throw NeuralCoreException.invalid(String.valueOf(e.getMessage()));
        }
    }

    /** The same schema, if it may be one. */
    static Map<String, @Nullable Object> checked(Map<String, @Nullable Object> schema) {
        look(schema, schema, 0, "");
        return schema;
    }

    static byte[] write(Map<String, @Nullable Object> schema) {
        byte[] text = Json.write(schema);
        if (text.length > MOST_BYTES) {
            throw tooLong(text.length);
        }
        return text;
    }

    private static NeuralCoreException tooLong(int bytes) {
        return NeuralCoreException.invalid(
                "A schema of %d bytes; it may have %d.".formatted(bytes, MOST_BYTES));
    }

    private static void look(
            Map<String, @Nullable Object> root, @Nullable Object node, int depth, String path) {
        if (depth > MOST_DEPTH) {
            throw NeuralCoreException.invalid(
                    "A schema nests more than %d deep, at %s.".formatted(MOST_DEPTH, path));
        }
        if (node instanceof Collection<?> list) {
            int at = 0;
            for (Object each : list) {
                look(root, each, depth + 1, path + "/" + at++);
            }
        } else if (node instanceof Map<?, ?> map) {
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                String key = String.valueOf(entry.getKey());
                if (REFERENCES.contains(key)
                        && entry.getValue() instanceof String to
                        && (!to.startsWith("#")
                                || (to.startsWith("#/") && resolve(root, to) == null))) {
                    throw NeuralCoreException.invalid(
                            "A schema has '%s' to '%s' at %s; it must lead to something in itself: '#/…'."
                                    .formatted(key, to, path.isEmpty() ? "/" : path));
                }
                if (node != root && key.equals("$id") && entry.getValue() instanceof String) {
                    throw NeuralCoreException.invalid(
                            "A schema has '$id' at %s; only the whole may have one."
                                    .formatted(path));
                }
                look(root, entry.getValue(), depth + 1, path + "/" + key);
            }
        }
    }

    /** What a pointer within a schema leads to; null for what is none, or leads nowhere. */
    static @Nullable Object resolve(Map<String, @Nullable Object> root, String ref) {
        if (ref.equals("#")) {
            return root;
        }
        if (!ref.startsWith("#/")) {
            return null;
        }
        Object at = root;
        for (String part : ref.substring(2).split("/", -1)) {
            String key = part.replace("~1", "/").replace("~0", "~");
            if (at instanceof Map<?, ?> map) {
                at = map.get(key);
            } else if (at instanceof List<?> list && key.matches("\\d{1,6}")) {
                int index = Integer.parseInt(key);
                at = index < list.size() ? list.get(index) : null;
            } else {
                return null;
            }
        }
        return at;
    }

    /** Whether a schema uses a keyword anywhere. */
    static boolean uses(@Nullable Object node, String keyword) {
        List<@Nullable Object> inner = new ArrayList<>();
        if (node instanceof Collection<?> list) {
            inner.addAll(list);
        } else if (node instanceof Map<?, ?> map) {
            if (map.containsKey(keyword)) {
                return true;
            }
            inner.addAll(map.values());
        }
        return inner.stream().anyMatch(each -> uses(each, keyword));
    }
}
