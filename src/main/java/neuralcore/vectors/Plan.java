package neuralcore.vectors;

/**
 * How a search was made.
 *
 * @param strategy which way was taken
 * @param inScope rows that the scope holds, counted
 * @param live rows of the collection
 * @param visited rows whose distance to the queries was computed, of all queries together
 * @param rescored of the rows that were compared by codes, how many again in float32; only of an
 *     exact search
 * @param unindexed rows that were compared one by one because the graph does not have them yet
 */
public record Plan(
        Strategy strategy, int inScope, int live, long visited, long rescored, int unindexed) {
    public enum Strategy {
        /** Nothing is in scope. */
        NOTHING,
        /** Every row in scope is compared in float32. */
        EXACT,
        /**
         * Every row in scope is compared in int8, and in float32 those that may be among the
         * nearest; the answer is that of {@link #EXACT}.
         */
        EXACT_INT8,
        /** The graph is walked; rows out of scope are passed through but not returned. */
        GRAPH
    }
}
