package neuralcore.vectors;

import java.util.Arrays;

/**
 * A set of rows, a bit each. Not thread-safe while it is being filled; afterwards any number of
 * threads may read it.
 */
public final class RowBits implements RowFilter {
    private long[] words;
    private int count;

    /** Empty, with room for rows 0 … {@code rows} − 1; it grows. */
    public RowBits(int rows) {
        words = new long[Math.max(1, (rows + 63) >>> 6)];
    }

    /** Adds a row; answers whether it was not there before. */
    public boolean add(int row) {
        int word = row >>> 6;
        if (word >= words.length) {
            words = Arrays.copyOf(words, Math.max(word + 1, words.length * 2));
        }
        long before = words[word];
        words[word] = before | 1L << row;
        boolean added = words[word] != before;
        count += added ? 1 : 0;
        return added;
    }

    /** Takes a row out; answers whether it was there. */
    public boolean remove(int row) {
        if (!accepts(row)) {
            return false;
        }
        words[row >>> 6] &= ~(1L << row);
        count--;
        return true;
    }

    @Override
    public boolean accepts(int row) {
        int word = row >>> 6;
        return word < words.length && (words[word] & 1L << row) != 0;
    }

    @Override
    public int count() {
        return count;
    }

    @Override
    public int next(int row) {
        int word = row >>> 6;
        if (word >= words.length) {
            return -1;
        }
        long bits = words[word] & -1L << row;
        while (bits == 0) {
            if (++word == words.length) {
                return -1;
            }
            bits = words[word];
        }
        return (word << 6) + Long.numberOfTrailingZeros(bits);
    }
}
