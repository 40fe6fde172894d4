package neuralcore.embedding;

import java.nio.FloatBuffer;
import java.util.Arrays;
import neuralcore.wire.NeuralCoreException;

/** How the vectors of a text's tokens become the vector of the text. */
public enum Pooling {
    /** The first token's vector. */
    CLS {
        @Override
        void pool(FloatBuffer tokens, int first, int count, float[] scratch, float[] vector) {
            tokens.get(first, vector);
        }
    },

    /** The mean over the text's tokens; padding does not count. */
    MEAN {
        @Override
        void pool(FloatBuffer tokens, int first, int count, float[] scratch, float[] vector) {
            Arrays.fill(vector, 0);
            for (int token = 0; token < count; token++) {
                tokens.get(first + token * vector.length, scratch);
                for (int i = 0; i < vector.length; i++) {
                    vector[i] += scratch[i];
                }
            }
            float share = 1f / count;
            for (int i = 0; i < vector.length; i++) {
                vector[i] *= share;
            }
        }
    },

    /** The mean over the tokens that attention sees: the text's, so the same as {@link #MEAN}. */
    MEAN_WITH_ATTENTION {
        @Override
        void pool(FloatBuffer tokens, int first, int count, float[] scratch, float[] vector) {
            MEAN.pool(tokens, first, count, scratch, vector);
        }
    },

    /** The largest value of each dimension over the text's tokens. */
    MAX {
        @Override
        void pool(FloatBuffer tokens, int first, int count, float[] scratch, float[] vector) {
            tokens.get(first, vector);
            for (int token = 1; token < count; token++) {
                tokens.get(first + token * vector.length, scratch);
                for (int i = 0; i < vector.length; i++) {
                    vector[i] = Math.max(vector[i], scratch[i]);
                }
            }
        }
    },

    /** The text's last token's vector. */
    LAST_TOKEN {
        @Override
        void pool(FloatBuffer tokens, int first, int count, float[] scratch, float[] vector) {
            tokens.get(first + (count - 1) * vector.length, vector);
        }
    };

    /** The pooling of this name as it stands in settings and requests. */
    public static Pooling of(String name) {
        for (Pooling pooling : values()) {
            if (pooling.name().replace("_", "").equalsIgnoreCase(name.replace("_", ""))) {
                return pooling;
            }
        }
        throw NeuralCoreException.invalid(
                "'pooling' is '%s'; it must be mean, cls, max, last_token or mean_with_attention."
                        .formatted(name));
    }

    /**
     * Pools one text.
     *
     * @param tokens vectors of tokens, one after the other
     * @param first where the text's first token begins, in floats
     * @param count tokens of the text, padding left out
     * @param scratch as long as a vector, overwritten
     * @param vector receives the result
     */
    abstract void pool(FloatBuffer tokens, int first, int count, float[] scratch, float[] vector);

    /** Gives a vector length 1; one of zeros stays as it is. */
    static void normalize(float[] vector) {
        normalize(FloatBuffer.wrap(vector), 0, vector.length);
    }

    /** Gives the vector of so many numbers at {@code first} length 1; one of zeros stays. */
    static void normalize(FloatBuffer vectors, int first, int count) {
        double squares = 0;
        for (int i = first; i < first + count; i++) {
            double value = vectors.get(i);
            squares += value * value;
        }
        // The floor is PyTorch's, so that results agree for tiny vectors too.
        double scale = 1 / Math.max(Math.sqrt(squares), 1e-12);
        for (int i = first; i < first + count; i++) {
            vectors.put(i, (float) (vectors.get(i) * scale));
        }
    }
}
