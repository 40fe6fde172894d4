package neuralcore.vectors;

import neuralcore.vectors.simd.CodeKernels;

/**
 * A query as rows of codes are compared with it: what its nearness to a row is about, and how far
 * at most that is from what the float32 kernels would answer.
 *
 * <p><b>The bound.</b> A row is {@code x = c + r}, where {@code c} is what its codes stand for and
 * {@code r} what they leave out; the query is {@code q = p + e} likewise. So {@code q·x = p·c + e·c
 * + q·r}, and by Cauchy and Schwarz {@code |q·x − p·c| ≤ |e|·|c| + |q|·|r|}. {@code |c|} and {@code
 * |r|} are kept with each row ({@link VectorRows.Snapshot#factors}), {@code |e|} and {@code |q|}
 * are computed here; {@code p·c} is a sum of whole numbers. What floats round off is added to the
 * bound, so that it holds for the float32 answer and not only for the true one. For cosine, row and
 * query are taken at length 1. A squared distance is {@code |q|² + |x|² − 2·q·x}.
 *
 * <p>Immutable, thread-safe.
 */
final class CodeQuery {
    /** Sums in float of squares may be off by this share of them. */
    private static final double SQUARES_SHARE = 8e-6;

    /** Beyond this, sums in float may overflow, and all that did are equally near. */
    private static final float LIMIT = Float.MAX_VALUE / 4;

    /** Products below this may have lost digits that no share accounts for. */
    private static final float TINY = 4 * Float.MIN_NORMAL;

    private final short[] prepared;
    private final boolean product;
    private final float step;
    private final float lost;
    private final float norm;
    private final double squared;

    /**
     * @param query for cosine, of length 1
     */
    CodeQuery(Scoring scoring, float[] query) {
        CodeKernels kernels = scoring.kernels().codes();
        this.product = scoring.metric().isProduct();
        this.prepared = new short[CodeKernels.preparedLength(query.length)];
        float unit = kernels.prepare(query, 0, prepared, query.length);
        double error = 0;
        double sum = 0;
        for (int i = 0; i < query.length; i++) {
            double left = query[i] - (double) unit * prepared[i];
            error += left * left;
            sum += (double) query[i] * query[i];
        }
        // Twice for squared distances, in which the product is there twice.
        double times = product ? 1 : 2;
        this.step = (float) (unit * times);
        this.lost = Math.nextUp((float) (Math.sqrt(error) * times * (1 + 1e-6)));
        this.norm = Math.nextUp((float) ((Math.sqrt(sum) + Math.sqrt(error)) * times * (1 + 1e-6)));
        this.squared = sum;
    }

    /** For {@link CodeKernels#dot4}. */
    short[] prepared() {
        return prepared;
    }

    /**
     * A value that grows with nearness to a row, about; {@link #ofScore} is its scale.
     *
     * @param product of the codes
     * @param factors of the row, from {@code at} on
     */
    float near(float product, float[] factors, int at) {
        float scaled = product * (step * factors[at]);
        return this.product ? scaled : scaled - factors[at + 1];
    }

    /** How far {@link #near} is at most from the answer in float32; not finite if nobody knows. */
    float off(float[] factors, int at) {
        float off = lost * factors[at + 2] + norm * factors[at + 3] + TINY;
        if (product) {
            return norm * factors[at + 2] < LIMIT ? off : Float.NaN;
        }
        double squares = squared + factors[at + 1];
        return squares < LIMIT ? off + (float) (SQUARES_SHARE * squares) : Float.NaN;
    }

    /** From a score in float32 to the scale of {@link #near}, rounded down. */
    float ofScore(Metric metric, float score) {
        if (product) {
            return score;
        }
        double distance = metric == Metric.EUCLIDEAN ? (double) score * score : score;
        return Math.nextDown((float) (squared - distance - SQUARES_SHARE * (squared + distance)));
    }
}
