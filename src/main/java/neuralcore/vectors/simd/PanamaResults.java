package neuralcore.vectors.simd;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * What is done with each result of a matrix product. Of 100 queries and 100,000 rows there are ten
 * million, and with a few nanoseconds each they would take longer than the product itself.
 */
final class PanamaResults {
    private static final VectorSpecies<Float> SPECIES = PanamaKernels.SPECIES;
    private static final int LANES = SPECIES.length();

    private PanamaResults() {}

    static void scaleToCosines(float[] values, int offset, int count, float factor) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            FloatVector.fromArray(SPECIES, values, offset + i)
                    .mul(factor)
                    .min(1f)
                    .max(-1f)
                    .intoArray(values, offset + i);
        }
        for (; i < count; i++) {
            values[offset + i] = Math.max(-1f, Math.min(1f, values[offset + i] * factor));
        }
    }

    static boolean anyAtLeast(
            float[] values, int offset, float[] limits, int limitsOffset, int count) {
        VectorMask<Float> reached = SPECIES.maskAll(false);
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            reached =
                    reached.or(
                            FloatVector.fromArray(SPECIES, values, offset + i)
                                    .compare(
                                            VectorOperators.GE,
                                            FloatVector.fromArray(
                                                    SPECIES, limits, limitsOffset + i)));
        }
        boolean any = reached.anyTrue();
        for (; i < count; i++) {
            any |= values[offset + i] >= limits[limitsOffset + i];
        }
        return any;
    }
}
