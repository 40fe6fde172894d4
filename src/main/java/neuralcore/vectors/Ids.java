package neuralcore.vectors;

import java.util.List;
import neuralcore.wire.ElementType;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Tensor;

/**
 * What identifies a row in its namespace: a {@link String} or a {@link Long}. 7 and "7" are two
 * different ids.
 */
final class Ids {
    private static final int MAX_LENGTH = 1_024;

    private Ids() {}

    /** The ids of an attached array: strings, or int64. */
    static List<Object> of(Tensor tensor) {
        if (tensor.type() == ElementType.INT64) {
            long[] numbers = tensor.toLongArray();
            return java.util.Arrays.stream(numbers).boxed().map(Object.class::cast).toList();
        }
        return List.copyOf(tensor.toStrings());
    }

    /** The ids of several attached arrays, in their order. */
    static List<Object> ofAll(List<Tensor> tensors) {
        return tensors.stream().flatMap(tensor -> of(tensor).stream()).toList();
    }

    /** As an array for a reply: int64 if all are integers, else strings. */
    static boolean allNumbers(List<Object> ids) {
        return !ids.isEmpty() && ids.stream().allMatch(Long.class::isInstance);
    }

    static void check(List<Object> ids) {
        for (int i = 0; i < ids.size(); i++) {
            if (ids.get(i) instanceof String text
                    && (text.isEmpty() || text.length() > MAX_LENGTH)) {
                throw NeuralCoreException.invalid(
                        "Id %d has %d characters; an id has 1 to %d."
                                .formatted(i, text.length(), MAX_LENGTH));
            }
        }
    }
}
