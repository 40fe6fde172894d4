package neuralcore.relay;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import neuralcore.wire.Envelope;
import neuralcore.wire.NeuralCoreException;

/**
 * Learns a dictionary of zstd from payloads, as they would travel: in both forms, each within a
 * message of its own.
 */
public final class Training {
    static final int MOST_SAMPLES = 50_000;

    private static final int SMALLEST = 1 << 10;
    private static final int LARGEST = 112 << 10;
    private static final int LARGEST_SAMPLE = 1 << 20;

    private Training() {}

    /**
     * Takes seconds for many samples.
     *
     * @param channels names of which the messages are
     * @param payloads JSON each
     * @param size bytes of the dictionary at most
     */
    public static byte[] learn(List<String> channels, List<String> payloads, int size) {
        if (size < SMALLEST || size > LARGEST) {
            throw NeuralCoreException.invalid(
                    "A dictionary cannot have %d bytes; it must be %d to %d."
                            .formatted(size, SMALLEST, LARGEST));
        }
        if (channels.isEmpty() || payloads.size() > MOST_SAMPLES) {
            throw NeuralCoreException.invalid(
                    "%d samples for %d channels: there must be a channel and at most %d samples."
                            .formatted(payloads.size(), channels.size(), MOST_SAMPLES));
        }
        SplittableRandom random = new SplittableRandom(size);
        List<byte[]> samples = new ArrayList<>();
        try (RelayCodec codec =
                new RelayCodec(Long.toHexString(random.nextLong()), LARGEST_SAMPLE, List.of())) {
            for (String payload : payloads) {
                byte[] body = payload.getBytes(StandardCharsets.UTF_8);
                Envelope message =
                        new Envelope(
                                channels.get(random.nextInt(channels.size())),
                                random.nextLong(),
                                random.nextLong(1 << 20),
                                1_700_000_000_000_000_000L + random.nextLong(1L << 57),
                                random.nextInt(11),
                                0,
                                0,
                                Envelope.JSON,
                                Envelope.NONE,
                                body,
                                body.length);
                for (Serializer form : Serializer.values()) {
                    byte[] sample = codec.encode(message, form, Compression.NONE).bytes();
                    codec.decode(sample); // What is no JSON is refused here.
                    samples.add(sample);
                }
            }
        }
        return ZstdDictionary.train(samples, size);
    }
}
