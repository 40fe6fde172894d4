package verticles;

import static org.assertj.core.api.Assertions.assertThat;
import static verticles.FrameClient.json;

import java.nio.file.Path;
import java.util.List;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.Frame;
import neuralcore.wire.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The jar as a user starts it. */
@Timeout(180)
class FatJarIT {

    @TempDir Path folder;

    @Test
    void javaMinusJarWithoutFlagsWorksAndNamesTheFlagItMisses() throws Exception {
        try (DaemonProcess daemon = DaemonProcess.start(folder.resolve("d"), List.of());
                FrameClient client = daemon.connect()) {
            Frame.Answer embedded =
                    (Frame.Answer)
                            client.call(
                                    Addresses.EMBEDDING_EMBED,
                                    json(),
                                    Tensor.ofStrings(
                                            List.of("a cat", "a kitten", "the stock market")));
            Tensor vectors = embedded.tensors().getFirst();
            assertThat(vectors.rows()).isEqualTo(3);
            assertThat(vectors.columns()).isEqualTo(384);

            Frame.Answer scores =
                    (Frame.Answer)
                            client.call(
                                    Addresses.VECTORS_SIMILARITY,
                                    json("metric", "cosine"),
                                    vectors,
                                    vectors);
            float[] matrix = scores.tensors().getFirst().toFloatArray();
            assertThat(matrix[0]).isBetween(0.9999f, 1.0001f);
            assertThat(matrix[1]).isGreaterThan(matrix[2]);
            assertThat(daemon.output()).contains("--add-modules jdk.incubator.vector");
            assertThat(daemon.stop()).isZero();
        }
    }
}
