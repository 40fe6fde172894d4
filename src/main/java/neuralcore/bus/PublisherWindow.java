package neuralcore.bus;

import java.util.Arrays;

/**
 * Which of one publisher's numbers were taken, so that what is sent again after a connection broke
 * is not queued again.
 *
 * <p>The last {@value #SIZE} numbers are known one by one, so gaps, refusals and numbers that come
 * out of turn are no trouble; older ones count as taken. The ring of bits is that of IPsec's replay
 * window (RFC 4303). O(1), 150 bytes.
 */
final class PublisherWindow {
    static final int SIZE = 1_024;

    private final long[] taken = new long[SIZE / Long.SIZE];

    /** One more than the greatest number taken, as unsigned. */
    private long end;

    boolean isTaken(long number) {
        if (Long.compareUnsigned(number, end) >= 0) {
            return false;
        }
        return end - number > SIZE || (taken[word(number)] & bit(number)) != 0;
    }

    void take(long number) {
        if (Long.compareUnsigned(number, end) >= 0) {
            clearUpTo(number);
            end = number + 1;
        }
        if (end - number <= SIZE) {
            taken[word(number)] |= bit(number);
        }
    }

    /** All numbers up to this one count as taken. */
    void takeUpTo(long number) {
        Arrays.fill(taken, -1);
        end = number + 1;
    }

    /** The numbers between the end and this one have not been taken. */
    private void clearUpTo(long number) {
        long skipped = number - end;
        if (Long.compareUnsigned(skipped, SIZE) >= 0) {
            Arrays.fill(taken, 0);
            return;
        }
        for (long between = end; between != number + 1; between++) {
            taken[word(between)] &= ~bit(between);
        }
    }

    private static int word(long number) {
        return (int) (number & SIZE - 1) / Long.SIZE;
    }

    private static long bit(long number) {
        return 1L << number;
    }
}
