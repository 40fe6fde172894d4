package neuralcore.bus;

import neuralcore.wire.Envelope;

/** Messages for tests. */
final class Messages {
    private static final byte[] BODY = {'{', '}'};

    private Messages() {}

    static Envelope message(String channel, long priority, long sequence) {
        return message(channel, 1, priority, sequence, 0);
    }

    static Envelope message(
            String channel, long publisher, long priority, long sequence, int ttlMillis) {
        return message(channel, publisher, priority, sequence, ttlMillis, BODY);
    }

    static Envelope message(
            String channel,
            long publisher,
            long priority,
            long sequence,
            int ttlMillis,
            byte[] body) {
        return new Envelope(
                channel,
                publisher,
                sequence,
                0,
                priority,
                ttlMillis,
                0,
                Envelope.JSON,
                Envelope.NONE,
                body,
                body.length);
    }
}
