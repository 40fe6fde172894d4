package neuralcore.eventbus;

import neuralcore.wire.Frame;

/** What the bus has for a connection of another node, on its way there. */
public record RoutedFrame(String connection, Frame frame) {}
