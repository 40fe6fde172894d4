package neuralcore.bus;

import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.Delivery;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;

/** Keeps what a step did. */
final class RecordedEffects implements Effects {
    record Delivered(String connection, Delivery delivery) {
        long sequence() {
            return delivery.envelope().sequence();
        }

        /** Subscription and the publisher's number: {@code "1:42"}. */
        String shortly() {
            return delivery.subscription() + ":" + sequence();
        }
    }

    record Evicted(String connection, long sequence) {}

    final List<Delivered> delivered = new ArrayList<>();
    final List<Frame.Rejection> rejected = new ArrayList<>();
    final List<Evicted> evicted = new ArrayList<>();
    final List<String> rooms = new ArrayList<>();
    final List<Long> stored = new ArrayList<>();
    final List<Long> notKept = new ArrayList<>();
    final List<Evicted> refused = new ArrayList<>();
    ErrorCode failure;
    long keptUpTo;
    int settled;
    int unknown;
    int accepted;
    boolean created;

    @Override
    public void deliver(String connection, Delivery delivery) {
        delivered.add(new Delivered(connection, delivery));
    }

    @Override
    public void rejected(long sequence, ErrorCode code) {
        rejected.add(new Frame.Rejection(sequence, code));
    }

    @Override
    public void evicted(String connection, long sequence) {
        evicted.add(new Evicted(connection, sequence));
    }

    @Override
    public void room(String connection, String namespace, String channel, int messages) {
        rooms.add(connection + " " + channel + " " + messages);
    }

    @Override
    public void settled(int some, int others) {
        settled += some;
        unknown += others;
    }

    @Override
    public void stored(String namespace, long position) {
        stored.add(position);
    }

    @Override
    public void kept(String namespace, long position) {
        keptUpTo = position;
    }

    @Override
    public void notKept(String namespace, long position, ErrorCode code) {
        notKept.add(position);
    }

    @Override
    public void refused(String connection, long sequence, ErrorCode code) {
        refused.add(new Evicted(connection, sequence));
    }

    @Override
    public void failed(String namespace, ErrorCode code, String message) {
        failure = code;
    }

    @Override
    public void published(int count) {
        accepted = count;
    }

    @Override
    public void created(boolean fresh) {
        created = fresh;
    }

    void clear() {
        delivered.clear();
        rejected.clear();
        evicted.clear();
        rooms.clear();
        stored.clear();
        notKept.clear();
        refused.clear();
        settled = 0;
        unknown = 0;
        accepted = 0;
    }
}
