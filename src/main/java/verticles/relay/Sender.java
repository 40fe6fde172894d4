package verticles.relay;

import io.vertx.core.Future;
import java.util.List;
import java.util.Map;
import neuralcore.relay.Target;
import neuralcore.wire.Envelope;

/** A broker, as far as it takes messages. */
interface Sender {
    /**
     * A message as the broker gets it.
     *
     * @param target where to, without marks
     * @param message that the data was made of
     */
    @SuppressWarnings("ArrayRecordComponent") // Compared by nobody.
    record Item(String target, Envelope message, byte[] data) {}

    /**
     * Sends messages in order. Done when the broker has them all, but for those that it will never
     * take, by index and with the reason; failed if some may be taken when they are sent again.
     */
    Future<Map<Integer, String>> send(List<Item> items, Target target);

    /** Whether an error says no more than that the connection is gone. */
    boolean isLoss(Throwable error);
}
