package neuralcore.embedding;

import java.util.Locale;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/** Number format of a network's weights. */
public enum Precision {
    FP32,
    FP16,
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
        /**
         * Float16, for devices that compute in it; a CPU converts it and is slower than in fp32.
         */
        FP16,
        INT8;

        /** What a request asks for; null if it leaves that to the daemon's setting. */
        public static @Nullable Choice of(Params params) {
            String name = params.optionalString("precision");
            if (name == null) {
                return null;
            }
            for (Choice choice : values()) {
                if (choice.name().toLowerCase(Locale.ROOT).equals(name)) {
                    return choice;
                }
            }
            throw NeuralCoreException.invalid(
                    "'precision' is '%s'; it must be auto, fp32, fp16 or int8.".formatted(name));
        }

        /** The choice of this name, as it stands in settings. */
        public static Choice of(String name) {
            return valueOf(name.toUpperCase(Locale.ROOT));
        }
    }
}
