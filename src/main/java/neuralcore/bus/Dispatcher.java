package neuralcore.bus;

import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import java.util.function.BiFunction;
import neuralcore.wire.Delivery;

/** Knows who may have something to deliver, and has it delivered at the end of a step. */
final class Dispatcher {
    private final List<Subscriber> touched = new ArrayList<>();
    private final List<Receiver> groups = new ArrayList<>();
    private final PriorityQueue<Source> picks = new PriorityQueue<>(Source.MOST_URGENT_FIRST);
    private final BiFunction<String, Delivery, Delivery> lastLook;

    Dispatcher(BiFunction<String, Delivery, Delivery> lastLook) {
        this.lastLook = lastLook;
    }

    Delivery lastLook(String connection, Delivery delivery) {
        return lastLook.apply(connection, delivery);
    }

    /** A lane has something in it, or its receiver has credit again. */
    void ready(Lane lane) {
        Receiver receiver = lane.receiver;
        receiver.list(lane);
        if (receiver.credit() <= 0) {
            return;
        }
        if (receiver.isGroup()) {
            if (!receiver.ready) {
                receiver.ready = true;
                groups.add(receiver);
            }
        } else if (receiver.only().subscriber.becameReady(lane)) {
            touch(receiver.only().subscriber);
        }
    }

    /** A group has handed something to a member. */
    void handed(Subscription member, HandedOut out) {
        if (member.subscriber.becameReady(out)) {
            touch(member.subscriber);
        }
    }

    /** A connection has something that may be delivered; told once in a step. */
    void touch(Subscriber subscriber) {
        touched.add(subscriber);
    }

    /** Delivers what may be delivered, one connection after the other. */
    void flush(long nowMillis, Effects effects) {
        for (Receiver group : groups) {
            group.ready = false;
            group.handOut(nowMillis, picks);
        }
        groups.clear();
        for (Subscriber subscriber : touched) {
            subscriber.flush(nowMillis, effects, picks);
        }
        touched.clear();
    }
}
