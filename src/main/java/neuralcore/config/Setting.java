package neuralcore.config;

import java.util.Locale;

/**
 * One key of the configuration.
 *
 * @param key its name, {@code section.name}
 * @param type which values it can have
 * @param standard its default, as one would write it; paths may begin with {@code <data.folder>}
 * @param description one line for {@code conf/neuralcore.yaml}
 */
record Setting<T>(String key, ValueType<T> type, String standard, String description) {

    String environmentName() {
        return "NEURALCORE_" + key.replace('.', '_').toUpperCase(Locale.ROOT);
    }

    /** The part before the dot; empty for a key of the top level. */
    String section() {
        int dot = key.indexOf('.');
        return dot < 0 ? "" : key.substring(0, dot);
    }

    String name() {
        return key.substring(key.indexOf('.') + 1);
    }
}
