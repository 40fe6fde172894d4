package neuralcore.eventbus;

import neuralcore.wire.Frame;

/** Leave to deliver, granted by one client. */
public record CreditBatch(String connection, Frame.Credit credit) {}
