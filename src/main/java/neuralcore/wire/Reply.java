package neuralcore.wire;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a service answers: a JSON object and attached arrays. */
public record Reply(Map<String, @Nullable Object> result, List<Tensor> tensors) {

    public static Reply of(Map<String, @Nullable Object> result) {
        return new Reply(result, List.of());
    }

    public static Reply of(Map<String, @Nullable Object> result, Tensor... tensors) {
        return new Reply(result, List.of(tensors));
    }
}
