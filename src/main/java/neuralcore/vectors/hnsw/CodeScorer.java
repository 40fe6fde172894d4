package neuralcore.vectors.hnsw;

import neuralcore.vectors.VectorRows;
import neuralcore.vectors.simd.CodeKernels;

/**
 * Distances by int8 codes. A squared distance is made from the product and the two squared norms:
 * |q − x|² = |q|² + |x|² − 2·q·x.
 */
final class CodeScorer extends RowScorer {
    private final CodeKernels codes;
    private final boolean squared;
    private final short[] prepared;
    private final float[] sums = new float[4];

    /** With what a product in whole numbers is multiplied, beside the row's own step. */
    private float step;

    /** |q|² for squared distances, else 0. */
    private float querySquared;

    CodeScorer(VectorRows rows) {
        super(rows);
        codes = kernels.codes();
        squared = !metric.isProduct();
        prepared = new short[CodeKernels.preparedLength(dimension)];
    }

    @Override
    void prepare() {
        step = -codes.prepare(query, 0, prepared, dimension);
        if (squared) {
            step *= 2;
            querySquared = kernels.dot(query, 0, query, 0, dimension);
        }
    }

    /**
     * {@inheritDoc}
     *
     * <p>What is not in a cache is waited for at once: the factors of all rows are read before any
     * codes are, for a processor does not look as far ahead as the end of a product.
     */
    @Override
    void score(int[] ids, int count, float[] out) {
        int padded = pad(ids, count);
        VectorRows.Snapshot from = at;
        for (int i = 0; i < padded; i++) {
            out[i] = from.factors(ids[i])[from.factorOffset(ids[i])] * step;
        }
        for (int i = 0; i < padded; i += 4) {
            int a = ids[i];
            int b = ids[i + 1];
            int c = ids[i + 2];
            int d = ids[i + 3];
            codes.dot4(
                    prepared,
                    from.codes(a),
                    from.codeOffset(a),
                    from.codes(b),
                    from.codeOffset(b),
                    from.codes(c),
                    from.codeOffset(c),
                    from.codes(d),
                    from.codeOffset(d),
                    dimension,
                    sums,
                    0);
            out[i] *= sums[0];
            out[i + 1] *= sums[1];
            out[i + 2] *= sums[2];
            out[i + 3] *= sums[3];
        }
        if (squared) {
            for (int i = 0; i < padded; i++) {
                out[i] += querySquared + from.factors(ids[i])[from.factorOffset(ids[i]) + 1];
            }
        }
    }

    @Override
    float between(int a, int b) {
        VectorRows.Snapshot from = at;
        float[] factorsA = from.factors(a);
        float[] factorsB = from.factors(b);
        int offsetA = from.factorOffset(a);
        int offsetB = from.factorOffset(b);
        float product =
                codes.dot(
                                from.codes(a),
                                from.codeOffset(a),
                                from.codes(b),
                                from.codeOffset(b),
                                dimension)
                        * (factorsA[offsetA] * factorsB[offsetB]);
        return squared ? factorsA[offsetA + 1] + factorsB[offsetB + 1] - 2 * product : -product;
    }
}
