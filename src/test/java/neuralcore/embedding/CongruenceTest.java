package neuralcore.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Our vectors are those of sentence-transformers. */
class CongruenceTest {

    @Test
    void everyTextAloneHasTheReferencesVector() {
        List<Golden> goldens = Golden.read();
        assertThat(goldens).hasSizeGreaterThanOrEqualTo(200);
        for (Golden golden : goldens) {
            double cosine = TestModel.cosine(TestModel.embed(golden.text()), golden.vector());
            assertThat(cosine).as(golden.shown()).isGreaterThanOrEqualTo(0.9999);
        }
    }

    @Test
    void textsOfAnyLengthsSharingABatchKeepTheirVectors() {
        List<Golden> goldens = new ArrayList<>(Golden.read());
        long seed = System.nanoTime();
        Collections.shuffle(goldens, new Random(seed));
        EmbeddingModel.BatchRunner runner = TestModel.get().newRunner();
        for (int from = 0; from < goldens.size(); from += 4) {
            List<Golden> part = goldens.subList(from, Math.min(from + 4, goldens.size()));
            List<int[]> ids =
                    part.stream()
                            .map(golden -> TestModel.get().tokenizer().encode(golden.text()))
                            .toList();
            float[] vectors = new float[part.size() * 384];
            runner.run(TokenBatch.of(ids), FloatBuffer.wrap(vectors));
            for (int i = 0; i < part.size(); i++) {
                float[] vector = Arrays.copyOfRange(vectors, i * 384, (i + 1) * 384);
                assertThat(TestModel.cosine(vector, part.get(i).vector()))
                        .as("%s, seed %d", part.get(i).shown(), seed)
                        .isGreaterThanOrEqualTo(0.9999);
                Pooling.normalize(vector);
                assertThat(norm(vector)).isBetween(0.99999, 1.00001);
            }
        }
    }

    private static double norm(float[] vector) {
        double squares = 0;
        for (float value : vector) {
            squares += (double) value * value;
        }
        return Math.sqrt(squares);
    }
}
