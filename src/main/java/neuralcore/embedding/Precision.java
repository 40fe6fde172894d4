package neuralcore.embedding;

import java.util.Locale;

/** Number format of a network's weights. */
public enum Precision {
    FP32,
    INT8;

    /** As it stands in settings and answers. */
    public String shown() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Which precision is wanted. */
    public enum Choice {
        /** Int8 where the processor multiplies it fast and its vectors are right, else float32. */
        AUTO,
        FP32,
        INT8;

        /** The choice of this name, as it stands in settings. */
        public static Choice of(String name) {
            return valueOf(name.toUpperCase(Locale.ROOT));
        }
    }
}
