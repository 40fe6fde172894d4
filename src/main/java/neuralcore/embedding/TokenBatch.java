package neuralcore.embedding;

import java.util.Arrays;
import java.util.List;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Request;
import neuralcore.wire.Tensor;

/**
 * Texts as token ids, to be run together.
 *
 * @param ids all ids, text after text, without padding
 * @param lengths tokens of each text, each at least 1
 */
public record TokenBatch(int[] ids, int[] lengths) {

    public TokenBatch {
        long total = 0;
        for (int length : lengths) {
            if (length < 1) {
                throw NeuralCoreException.invalid("A text of a batch has " + length + " tokens.");
            }
            total += length;
        }
        if (total != ids.length) {
            throw NeuralCoreException.invalid(
                    "A batch has %d ids, its lengths add up to %d.".formatted(ids.length, total));
        }
    }

    static TokenBatch of(List<int[]> texts) {
        int[] lengths = texts.stream().mapToInt(text -> text.length).toArray();
        int[] ids = new int[Arrays.stream(lengths).sum()];
        int next = 0;
        for (int[] text : texts) {
            System.arraycopy(text, 0, ids, next, text.length);
            next += text.length;
        }
        return new TokenBatch(ids, lengths);
    }

    /** The batch that {@link #toTensors} was called on. */
    public static TokenBatch of(Request request) {
        return new TokenBatch(
                request.tensor(0, "token ids").toIntArray(),
                request.tensor(1, "lengths").toIntArray());
    }

    /** The texts from one number on to before another. */
    TokenBatch part(int from, int to) {
        int first = Arrays.stream(lengths, 0, from).sum();
        int[] some = Arrays.copyOfRange(lengths, from, to);
        return new TokenBatch(
                Arrays.copyOfRange(ids, first, first + Arrays.stream(some).sum()), some);
    }

    /** As it travels to a worker. */
    public List<Tensor> toTensors() {
        return List.of(Tensor.ofInts(ids), Tensor.ofInts(lengths));
    }

    public int texts() {
        return lengths.length;
    }

    /** Tokens of the longest text, to which the others are padded. */
    public int width() {
        return Arrays.stream(lengths).max().orElse(0);
    }
}
