package neuralcore.eventbus;

import neuralcore.wire.Frame;

/** What one client made of its deliveries. */
public record SettleBatch(String connection, Frame.Settle settle) {}
