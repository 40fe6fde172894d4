package neuralcore.eventbus;

import neuralcore.wire.Frame;

/**
 * What one client published in one frame.
 *
 * @param connection by which it came
 * @param client who is behind it; see {@link neuralcore.wire.Request#client}
 */
public record PublishBatch(String connection, String client, Frame.Publish publish) {}
