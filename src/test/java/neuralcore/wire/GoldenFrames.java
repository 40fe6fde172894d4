package neuralcore.wire;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One example of each frame. {@code golden/<name>.bin} holds its bytes; {@code
 * python-client/tests/test_golden.py} builds the same frames and reads the same files.
 */
final class GoldenFrames {
    private GoldenFrames() {}

    static Map<String, Frame> all() {
        Map<String, Frame> frames = new LinkedHashMap<>();
        frames.put("text", new Frame.Text(object("type", "ping")));
        frames.put(
                "call",
                new Frame.Call(
                        7,
                        "neuralcore.vectors.search",
                        1500,
                        object("collection", "docs", "k", 3L),
                        List.of(
                                matrix(2, 3, 1f, -2.5f, 0f, 3.25f, 0.5f, -1f),
                                Tensor.ofStrings(List.of("a", "", "Grüße 🙂")))));
        frames.put(
                "call-empty", new Frame.Call(8, "neuralcore.system.info", 0, object(), List.of()));
        frames.put(
                "answer",
                new Frame.Answer(
                        7,
                        object("counts", List.of(2L, 1L)),
                        List.of(
                                Tensor.ofFloats(new float[] {0.5f, 0.25f, -1f}),
                                Tensor.ofLongs(new long[] {1, -1, Long.MAX_VALUE}),
                                Tensor.ofInts(new int[] {-7, 8, 9}))));
        frames.put(
                "failure",
                new Frame.Failure(
                        9, object("code", "NOT_FOUND", "message", "Collection 'x' is not there.")));
        frames.put(
                "publish",
                new Frame.Publish(
                        21,
                        Frame.Confirm.ACCEPTED,
                        "atlas",
                        List.of(
                                envelope(
                                        "llm.request",
                                        1,
                                        5,
                                        0,
                                        "{\"a\":1}",
                                        "{\"trace_id\":\"t\"}"),
                                envelope("tool.result", 2, -3, 2500, "[]", ""),
                                envelope("llm.request", 3, Long.MAX_VALUE, 0, "\"é\"", ""))));
        frames.put(
                "published",
                new Frame.Published(21, 2, List.of(new Frame.Rejection(3, ErrorCode.QUEUE_FULL))));
        frames.put(
                "deliver",
                new Frame.Deliver(
                        List.of(
                                new Delivery(
                                        4,
                                        2001,
                                        1001,
                                        1,
                                        false,
                                        envelope("llm.request", 1, 5, 0, "{\"a\":1}", "{}")),
                                new Delivery(
                                        5,
                                        18,
                                        17,
                                        2,
                                        true,
                                        envelope("tool.result", 2, 9, 2500, "[]", "")))));
        frames.put(
                "credit",
                new Frame.Credit(List.of(new Frame.Grant(4, 100), new Frame.Grant(5, 1))));
        frames.put(
                "publish-delayed",
                new Frame.Publish(
                        22,
                        Frame.Confirm.DURABLE,
                        "atlas",
                        List.of(delayed(4, 0), delayed(5, 86_400_000_000L))));
        frames.put(
                "settle",
                new Frame.Settle(
                        31,
                        true,
                        List.of(
                                Settlement.ack(4, 2001),
                                new Settlement(
                                        4,
                                        Settlement.Kind.NACK,
                                        2002,
                                        Settlement.BY_BACKOFF,
                                        "{\"error_type\":\"ValueError\",\"error\":\"é\"}"),
                                new Settlement(5, Settlement.Kind.TERM, 2003, 0, "{}"),
                                new Settlement(5, Settlement.Kind.EXTEND, 2004, 30_000, ""))));
        frames.put("settled", new Frame.Settled(31, 3, 1));
        frames.put(
                "flow",
                new Frame.Flow(
                        "atlas",
                        List.of(
                                new Frame.Room("llm.stream", 0),
                                new Frame.Room("tool.result", 500))));
        return frames;
    }

    private static Map<String, Object> object(Object... namesAndValues) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            object.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return object;
    }

    private static Tensor matrix(int rows, int columns, float... values) {
        Tensor tensor = Tensor.ofFloats(rows, columns);
        tensor.floats().put(values);
        return tensor;
    }

    private static Envelope delayed(long sequence, long delayMillis) {
        byte[] body = "{}".getBytes(StandardCharsets.UTF_8);
        return new Envelope(
                "jobs",
                0x0123456789abcdefL,
                sequence,
                1_750_000_000_000_000_000L,
                5,
                0,
                delayMillis,
                Envelope.JSON,
                Envelope.NONE,
                body,
                body.length);
    }

    private static Envelope envelope(
            String channel, long sequence, long priority, int ttl, String payload, String meta) {
        byte[] payloadBytes = payload.getBytes(StandardCharsets.UTF_8);
        byte[] body = (payload + meta).getBytes(StandardCharsets.UTF_8);
        return new Envelope(
                channel,
                0x0123456789abcdefL,
                sequence,
                1_750_000_000_000_000_000L + sequence,
                priority,
                ttl,
                0,
                Envelope.JSON,
                meta.isEmpty() ? Envelope.NONE : Envelope.JSON,
                body,
                payloadBytes.length);
    }
}
