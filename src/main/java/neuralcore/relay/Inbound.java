package neuralcore.relay;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import org.jspecify.annotations.Nullable;

/**
 * One incoming route's entries between the broker and the bus, in the order of the broker's log:
 * one batch is with the bus at a time, so that what is refused for lack of room can be offered
 * again without a later one having been taken before it.
 *
 * <p>Not thread-safe. O(1) an entry.
 */
public final class Inbound {

    /**
     * An entry of the broker's log.
     *
     * @param id by which the broker is told that it is done
     * @param key by which it is known again if it was written twice; empty for none
     * @param message null if there is nothing for the bus in it
     * @param dead why it goes to its channel's dead letters instead; null if it does not
     */
    public record Entry(String id, String key, @Nullable Envelope message, @Nullable Refusal dead) {

        public Entry(String id, String key, @Nullable Envelope message) {
            this(id, key, message, null);
        }

        /** The same, from a publisher that has no other message. */
        public Entry apart() {
            return message == null
                    ? this
                    : new Entry(
                            id,
                            key,
                            message.withPublisher(
                                    Positions.publisher(Long.toHexString(message.publisher()), id)),
                            dead);
        }
    }

    /**
     * What came of a batch.
     *
     * @param done ids of entries that the broker may forget
     * @param taken messages that the bus has now
     * @param duplicates of them, those it had before
     * @param buried messages that went to the dead letters
     * @param refused why the rest was not taken, and is to be offered again; null if all was
     */
    public record Outcome(
            List<String> done,
            int taken,
            int duplicates,
            int buried,
            @Nullable ErrorCode refused) {}

    private final RecentIds recent;
    private final Deque<Entry> waiting = new ArrayDeque<>();
    private List<Entry> offered = List.of();

    /**
     * @param recent ids taken before, by whatever route of the relay
     */
    public Inbound(RecentIds recent) {
        this.recent = recent;
    }

    public void add(Entry entry) {
        waiting.add(entry);
    }

    public int size() {
        return waiting.size() + offered.size();
    }

    public boolean isOffering() {
        return !offered.isEmpty();
    }

    /** The next messages for the bus; what has none among them is done with the batch. */
    public List<Envelope> offer(int most) {
        List<Entry> batch = new ArrayList<>();
        List<Envelope> messages = new ArrayList<>();
        Set<String> here = new HashSet<>();
        while (batch.size() < most && !waiting.isEmpty()) {
            Entry entry = waiting.remove();
            boolean again =
                    recent.contains(entry.key())
                            || (!entry.key().isEmpty() && !here.add(entry.key()));
            if (entry.message() != null && again) {
                entry = new Entry(entry.id(), "", null);
            }
            batch.add(entry);
            if (entry.message() != null) {
                messages.add(entry.message());
            }
        }
        offered = batch;
        return messages;
    }

    /** Why some of the messages offered go to the dead letters, by their numbers. */
    public Map<Long, Refusal> dead() {
        Map<Long, Refusal> dead = new HashMap<>();
        for (Entry entry : offered) {
            if (entry.message() != null && entry.dead() != null) {
                dead.put(entry.message().sequence(), entry.dead());
            }
        }
        return dead;
    }

    /** The bus has answered. Entries from the first that it had no room for on go back. */
    public Outcome answered(Frame.Published published) {
        Map<Long, ErrorCode> rejected = new HashMap<>();
        published.rejections().forEach(r -> rejected.put(r.sequence(), r.code()));
        List<String> done = new ArrayList<>();
        int taken = 0;
        int duplicates = 0;
        int buried = 0;
        for (int i = 0; i < offered.size(); i++) {
            Entry entry = offered.get(i);
            Envelope message = entry.message();
            if (message != null) {
                ErrorCode code = rejected.get(message.sequence());
                if (code != null && code != ErrorCode.DUPLICATE && isPassing(code)) {
                    setApart(i, rejected);
                    putBackFrom(i);
                    return new Outcome(done, taken, duplicates, buried, code);
                }
                boolean has = code == null || code == ErrorCode.DUPLICATE;
                taken += has && entry.dead() == null ? 1 : 0;
                buried += code == null && entry.dead() != null ? 1 : 0;
                duplicates += code == ErrorCode.DUPLICATE ? 1 : 0;
                recent.add(entry.key());
            }
            done.add(entry.id());
        }
        offered = List.of();
        return new Outcome(done, taken, duplicates, buried, null);
    }

    /**
     * Nobody knows what became of the batch: it is offered again, and known again if it was taken.
     */
    public void unanswered() {
        putBackFrom(0);
    }

    /** The broker will hand over again all that it has not been told of. */
    public void clear() {
        waiting.clear();
        offered = List.of();
    }

    /**
     * The bus counts a publisher's old numbers as taken once much higher ones are. Where a later
     * message of the batch was taken all the same, those refused go on as publishers of their own.
     */
    private void setApart(int first, Map<Long, ErrorCode> rejected) {
        boolean laterTaken = false;
        for (int i = offered.size() - 1; i >= first; i--) {
            Entry entry = offered.get(i);
            Envelope message = entry.message();
            if (message == null) {
                continue;
            }
            if (!rejected.containsKey(message.sequence())) {
                laterTaken = true;
            } else if (laterTaken) {
                offered.set(i, entry.apart());
            }
        }
    }

    private void putBackFrom(int first) {
        for (int i = offered.size() - 1; i >= first; i--) {
            waiting.addFirst(offered.get(i));
        }
        offered = List.of();
    }

    /** Whether a refusal may be another answer later; others are of the message itself. */
    private static boolean isPassing(ErrorCode code) {
        return switch (code) {
            case QUEUE_FULL,
                    RATE_LIMITED,
                    STORAGE_FULL,
                    STORAGE_FAILED,
                    LIMIT_EXCEEDED,
                    UNAVAILABLE,
                    TIMEOUT,
                    SHUTTING_DOWN,
                    INTERNAL ->
                    true;
            default -> false;
        };
    }
}
