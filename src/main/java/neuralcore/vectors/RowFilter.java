package neuralcore.vectors;

/**
 * Which rows a search may answer with. Must not change while a search uses it, and be safe to be
 * read by several threads.
 */
public interface RowFilter {
    /** Whether this row may be in an answer; false beyond the last row it knows. */
    boolean accepts(int row);

    /** Rows accepted, for the choice of a strategy; an upper bound will do. */
    int count();

    /** The first accepted row from {@code row} on, or −1 if there is none. */
    int next(int row);
}
