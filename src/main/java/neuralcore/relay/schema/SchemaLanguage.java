package neuralcore.relay.schema;

import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/** JSON Schema as a library knows it. */
public interface SchemaLanguage {

    /** One schema, ready to check values. Thread-safe. */
    interface Check {
        /** Why a value is not as the schema says, with the place in it; null if it is. */
        @Nullable String problem(@Nullable Object value);
    }

    /**
     * @param schema that {@link SchemaText} has let pass
     * @throws NeuralCoreException {@code INVALID_REQUEST} if it is no schema
     */
    Check compile(Map<String, @Nullable Object> schema);
}
