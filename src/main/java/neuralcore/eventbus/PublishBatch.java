package neuralcore.eventbus;

import java.util.Map;
import neuralcore.wire.Burial;
import neuralcore.wire.Frame;

/**
 * What one client published in one frame.
 *
 * @param connection by which it came
 * @param client who is behind it; see {@link neuralcore.wire.Request#client}
 * @param dead which of the messages, by their numbers, go to their channel's dead letters instead
 *     of into it, and why; only said within the daemon
 */
public record PublishBatch(
        String connection, String client, Frame.Publish publish, Map<Long, Burial> dead) {

    public PublishBatch(String connection, String client, Frame.Publish publish) {
        this(connection, client, publish, Map.of());
    }
}
