package neuralcore.eventbus;

import neuralcore.wire.Frame;

/** What one client published in one frame, and by which connection it came. */
public record PublishBatch(String connection, Frame.Publish publish) {}
