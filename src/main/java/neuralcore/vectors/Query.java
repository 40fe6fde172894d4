package neuralcore.vectors;

import org.jspecify.annotations.Nullable;

/**
 * What is searched for.
 *
 * @param vectors queries, rows of {@code dimension}
 * @param k nearest rows of each query
 * @param limit rows must be at least this similar, or at most this far; null for any
 * @param metadataToo whether the answer has metadata and texts
 * @param vectorsToo whether hits carry their vectors
 * @param exact true to look at every row in scope
 * @param breadth how many candidates the graph keeps in sight; 0 for the collection's own
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of arguments, never compared
public record Query(
        float[] vectors,
        int dimension,
        int k,
        Scope scope,
        @Nullable Float limit,
        boolean metadataToo,
        boolean vectorsToo,
        boolean exact,
        int breadth) {

    /** The k nearest of all rows in the default namespace. */
    public static Query nearest(float[] vectors, int dimension, int k) {
        return new Query(vectors, dimension, k, Scope.DEFAULT, null, false, false, false, 0);
    }
}
