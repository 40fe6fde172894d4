package neuralcore.bus;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One subscription of a client: how much of its receiver's messages may be delivered to it, and
 * which it has not settled yet.
 */
final class Subscription {
    final int id;
    final Subscriber subscriber;
    final Receiver receiver;

    /** Deliveries to be settled, by the message's number, oldest delivery first. */
    final Map<Long, Lease> leases = new LinkedHashMap<>();

    /** What its group hands to it; null if it has its receiver for itself. */
    final @Nullable HandedOut handedOut;

    private long credit;

    /** Whether its group counts it among those that can take more. */
    boolean eligible;

    Subscription(int id, Subscriber subscriber, Receiver receiver, @Nullable HandedOut handedOut) {
        this.id = id;
        this.subscriber = subscriber;
        this.receiver = receiver;
        this.handedOut = handedOut;
    }

    long credit() {
        return credit;
    }

    void grant(long messages) {
        long before = credit;
        credit = Math.min(credit + Math.max(messages, 0), Integer.MAX_VALUE);
        receiver.creditChanged(credit - before);
    }

    /** One delivery's worth of credit and of the receiver's rate. */
    void spend(long nowMillis) {
        credit--;
        receiver.spend(nowMillis);
    }

    /** It will take nothing more. */
    void retire() {
        receiver.creditChanged(-credit);
        credit = 0;
    }
}
