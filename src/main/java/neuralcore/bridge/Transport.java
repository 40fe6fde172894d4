package neuralcore.bridge;

import io.vertx.core.Future;
import neuralcore.wire.Frame;

/** How frames get to one client. Used on the connection's event loop only. */
public interface Transport {

    /** What a JSON message frame is called, and whether a ping is answered. */
    enum Dialect {
        TCP("message", true),
        /** The SockJS bridge of vertx-web: its clients know no pong. */
        SOCKJS("rec", false);

        final String messageType;
        final boolean answersPing;

        Dialect(String messageType, boolean answersPing) {
            this.messageType = messageType;
            this.answersPing = answersPing;
        }
    }

    Dialect dialect();

    /** How many bytes the frame takes on the way. */
    Written write(Frame frame);

    /** Reads nothing more until {@link #resumeReading}; what was read already may still come. */
    void pauseReading();

    void resumeReading();

    void close();

    /**
     * A frame handed to the network.
     *
     * @param bytes its size
     * @param flushed done when the network has taken it
     */
    record Written(int bytes, Future<Void> flushed) {}
}
