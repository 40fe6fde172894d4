package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.NeuralCoreException;
import org.junit.jupiter.api.Test;

class HalvingRunnerTest {
    private final List<Integer> tried = new ArrayList<>();

    /** Has memory for so many tokens; a text's vector is its first token, and that doubled. */
    private HalvingRunner runner(int memory) {
        return new HalvingRunner(
                (batch, vectors) -> {
                    tried.add(batch.texts());
                    if (batch.texts() * batch.width() > memory) {
                        throw new OutOfMemoryError("a test's");
                    }
                    int from = 0;
                    for (int text = 0; text < batch.texts(); text++) {
                        vectors.put(2 * text, batch.ids()[from]);
                        vectors.put(2 * text + 1, 2f * batch.ids()[from]);
                        from += batch.lengths()[text];
                    }
                },
                2);
    }

    @Test
    void whatDoesNotFitIsHalvedUntilItDoes() {
        TokenBatch batch =
                TokenBatch.of(
                        List.of(
                                new int[] {1, 0},
                                new int[] {2},
                                new int[] {3, 0, 0, 0},
                                new int[] {4},
                                new int[] {5, 0}));
        FloatBuffer vectors = FloatBuffer.allocate(10);
        runner(4).run(batch, vectors);
        assertThat(vectors.array()).containsExactly(1, 2, 2, 4, 3, 6, 4, 8, 5, 10);
        assertThat(tried).containsExactly(5, 2, 3, 1, 2);
    }

    @Test
    void aTextThatDoesNotFitAloneIsAnErrorThatSaysTryAgain() {
        assertThatThrownBy(
                        () ->
                                runner(4)
                                        .run(
                                                TokenBatch.of(List.of(new int[5])),
                                                FloatBuffer.allocate(2)))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.retryAfterSeconds()).isPositive())
                .hasMessageContaining("5 tokens");
    }
}
