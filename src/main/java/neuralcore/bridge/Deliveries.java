package neuralcore.bridge;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import neuralcore.eventbus.Addresses;
import neuralcore.eventbus.CreditBatch;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;

/**
 * What the bus delivers to one connection, and the credit that allows it.
 *
 * <p>A client may grant far more credit than the socket takes at once. The bus is given at most
 * {@link #MOST_CREDIT} messages of it per subscription, and for all of them {@link
 * Limits#deliveryWindow} bytes; the rest follows as frames are flushed, so that what waits for a
 * slow reader waits in the bus's bounded queues.
 */
final class Deliveries {
    static final int MOST_CREDIT = 1024;

    /** Subscriptions of JSON clients are numbered from here; clients choose below. */
    private static final int FIRST_OWN_ID = 0x8000_0000;

    private final Session session;
    private final Map<Integer, Subscription> subscriptions = new HashMap<>();
    private int nextOwnId = FIRST_OWN_ID;

    /** Bytes that the bus does not know of yet. */
    private int flushedBytes;

    Deliveries(Session session) {
        this.session = session;
    }

    private static final class Subscription {
        /** Where a JSON client registered, or null for a subscription by binary frames. */
        final @Nullable String address;

        long withheld;

        Subscription(@Nullable String address) {
            this.address = address;
        }
    }

    /** Opens a subscription under the client's own number; returns the credit to give the bus. */
    int open(int id, long credit) {
        if (id < 0) {
            throw NeuralCoreException.invalid(
                    "'subscription' is %d; it must be between 0 and 2³¹ − 1.".formatted(id));
        }
        return open(id, new Subscription(null), credit);
    }

    /** Opens a subscription for a JSON client; returns its number. */
    int openText(String address) {
        int id = nextOwnId++;
        open(id, new Subscription(address), MOST_CREDIT);
        return id;
    }

    private int open(int id, Subscription subscription, long credit) {
        if (subscriptions.containsKey(id)) {
            throw new NeuralCoreException(
                    ErrorCode.ALREADY_EXISTS,
                    "Subscription %d of this connection exists already.".formatted(id));
        }
        session.subscriptionBegins();
        subscriptions.put(id, subscription);
        int granted = (int) Math.min(credit, MOST_CREDIT);
        subscription.withheld = credit - granted;
        return granted;
    }

    void close(int id) {
        if (subscriptions.remove(id) != null) {
            session.subscriptionEnded();
        }
    }

    /** The client grants more. */
    void credit(Frame.Credit credit) {
        List<Frame.Grant> grants = new ArrayList<>(credit.grants().size());
        for (Frame.Grant grant : credit.grants()) {
            Subscription subscription = subscriptions.get(grant.subscription());
            if (subscription == null || subscription.address != null) {
                continue; // Closed meanwhile: the grant was on its way.
            }
            if (subscription.withheld > 0) {
                subscription.withheld += grant.messages();
            } else {
                grants.add(grant);
            }
        }
        grant(grants);
    }

    /** The bus has messages for this connection. */
    void deliver(Frame.Deliver deliver) {
        int ended = 0;
        List<Delivery> binary = new ArrayList<>(deliver.deliveries().size());
        for (Delivery delivery : deliver.deliveries()) {
            Subscription subscription = subscriptions.get(delivery.subscription());
            if (subscription == null) {
                ended += delivery.bytes(); // Unsubscribed while it was on its way.
                continue;
            }
            if (subscription.address == null) {
                binary.add(delivery);
            } else {
                List<Frame.Grant> again = List.of(new Frame.Grant(delivery.subscription(), 1));
                session.write(
                        new Frame.Text(message(subscription.address, delivery.envelope())),
                        () -> {
                            flushed(delivery.bytes());
                            grant(again);
                        });
            }
        }
        flushed(ended);
        if (!binary.isEmpty()) {
            Frame.Deliver frame =
                    binary.size() == deliver.deliveries().size()
                            ? deliver
                            : new Frame.Deliver(binary);
            session.write(
                    frame,
                    () -> {
                        flushed(binary.stream().mapToInt(Delivery::bytes).sum());
                        grantWithheld(binary);
                    });
        }
    }

    /** Tells the bus now and then, which otherwise would hear of each small message twice. */
    private void flushed(int bytes) {
        flushedBytes += bytes;
        if (flushedBytes >= session.limits().deliveryWindow() / 4) {
            grant(List.of(new Frame.Grant(Frame.Grant.CONNECTION, flushedBytes)));
            flushedBytes = 0;
        }
    }

    private void grantWithheld(List<Delivery> flushed) {
        Map<Integer, Integer> counts = new HashMap<>();
        for (Delivery delivery : flushed) {
            Subscription subscription = subscriptions.get(delivery.subscription());
            if (subscription != null && subscription.withheld > 0) {
                subscription.withheld--;
                counts.merge(delivery.subscription(), 1, Integer::sum);
            }
        }
        List<Frame.Grant> grants = new ArrayList<>(counts.size());
        counts.forEach((id, messages) -> grants.add(new Frame.Grant(id, messages)));
        grant(grants);
    }

    private void grant(List<Frame.Grant> grants) {
        if (!grants.isEmpty() && !session.isClosed()) {
            session.vertx()
                    .eventBus()
                    .send(
                            Addresses.BUS_CREDIT,
                            new CreditBatch(session.id(), new Frame.Credit(grants)));
        }
    }

    private Map<String, @Nullable Object> message(String address, Envelope envelope) {
        Map<String, @Nullable Object> headers = new LinkedHashMap<>();
        headers.put("id", envelope.id());
        headers.put("priority", String.valueOf(envelope.priority()));
        Map<String, @Nullable Object> json = new LinkedHashMap<>();
        json.put("type", session.dialect().messageType);
        json.put("address", address);
        json.put("headers", headers);
        json.put("body", Payloads.payload(envelope));
        Object meta = Payloads.meta(envelope);
        if (meta != null) {
            json.put("meta", meta);
        }
        json.put("send", false);
        return json;
    }
}
