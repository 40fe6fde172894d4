package neuralcore.vectors;

import java.util.List;

/**
 * Rows that have room in one answer: one at least, if there is any.
 *
 * @param next what the next page begins with, as the method that made this one says; {@link #END}
 *     if there is none
 */
public record Page(List<StoredRow> rows, long next) {
    public static final long END = -1;
}
