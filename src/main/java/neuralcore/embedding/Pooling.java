package neuralcore.embedding;

import java.nio.FloatBuffer;
import java.util.Arrays;

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
        double squares = 0;
        for (float value : vector) {
            squares += (double) value * value;
        }
        // The floor is PyTorch's, so that results agree for tiny vectors too.
        double scale = 1 / Math.max(Math.sqrt(squares), 1e-12);
        for (int i = 0; i < vector.length; i++) {
            vector[i] = (float) (vector[i] * scale);
        }
    }
}
