package neuralcore.bus;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;
import neuralcore.journal.Page;
import neuralcore.journal.PageRequest;
import neuralcore.journal.StoredMessage;
import org.jspecify.annotations.Nullable;

/**
 * How much of what waits in a lane of a persistent channel is in memory. The rest is in the journal
 * and read by pages when its turn comes, so that millions of messages may wait.
 *
 * <p>Each priority is a level of its own: its messages are in memory up to a sequence number, and
 * on the disk from there on. A level that has room in memory and has come as far as the journal
 * takes new messages directly. While a more urgent level has messages on the disk and none in
 * memory, the lane holds back what is less urgent.
 *
 * <p>A lane that begins in the past first replays: all priorities are one level then, in the order
 * of their sequence numbers, and new messages stay on the disk until it has come as far as the
 * journal. Then the levels begin behind the last message replayed: no gap, no overlap.
 */
final class Backlog {
    /** Messages of one level in memory. */
    private static final int WINDOW = 4_096;

    private static final long WINDOW_BYTES = 8L << 20;
    private static final int PAGE = 4_096;
    private static final long PAGE_BYTES = 4L << 20;

    private final class Level {
        /** Null while replaying. */
        final @Nullable Long priority;

        /** Every message of the level up to this has been taken into memory. */
        long loadedUpTo;

        /** The newest message of the level that is known to be kept. */
        long knownUpTo;

        int inMemory;
        long bytes;
        boolean loading;

        Level(@Nullable Long priority, long at) {
            this.priority = priority;
            this.loadedUpTo = at;
            this.knownUpTo = at;
        }

        boolean isBehind() {
            return loadedUpTo < knownUpTo;
        }

        boolean hasRoom() {
            return inMemory < WINDOW && bytes < WINDOW_BYTES;
        }

        boolean wantsPage() {
            return isBehind() && !loading && inMemory <= WINDOW / 2 && bytes <= WINDOW_BYTES / 2;
        }
    }

    /** Makes what waits of what is kept. */
    interface Thaw {
        /**
         * @param keyed whether its end decides about its idempotency key
         */
        QueuedMessage thaw(StoredMessage message, Channel channel, boolean keyed);
    }

    private final Lane lane;
    private final Ledger ledger;
    private final Thaw thaw;
    private final TreeMap<Long, Level> levels = new TreeMap<>();
    private final Deque<QueuedMessage> replay = new ArrayDeque<>();
    private @Nullable Level replaying;

    /** Where levels begin that have not been met yet. */
    private long beginning;

    /** Copies that wait on the disk. */
    private long onDisk;

    /** Levels that are behind. */
    private int behind;

    private boolean closed;

    /**
     * @param at sequence number of the last message that the lane is not to get
     */
    Backlog(Lane lane, Ledger ledger, Thaw thaw, long at) {
        this.lane = lane;
        this.ledger = ledger;
        this.thaw = thaw;
        this.beginning = at;
    }

    /** Has it replay all that is kept up to a message, in order, before anything else. */
    void replay(long after, long upTo, long messages) {
        Level level = new Level(null, after);
        level.knownUpTo = upTo;
        replaying = level;
        beginning = upTo;
        onDisk = messages;
        endReplayWhenDone();
    }

    /** A durable subscription comes back: everything of these priorities waits on the disk. */
    void recover(Iterable<Long> priorities, long after, long upTo, long messages) {
        for (long priority : priorities) {
            Level level = new Level(priority, after);
            level.knownUpTo = upTo;
            if (level.isBehind()) {
                behind++;
            }
            levels.put(priority, level);
        }
        beginning = upTo;
        onDisk = messages;
    }

    long onDisk() {
        return onDisk;
    }

    boolean isReplaying() {
        return replaying != null;
    }

    void close() {
        closed = true;
        replay.clear();
    }

    /** Whether a new message is taken into memory; else it waits on the disk. */
    boolean admits(QueuedMessage message) {
        long sequence = message.sequence;
        Level all = replaying;
        if (all != null) {
            all.knownUpTo = sequence;
            beginning = sequence;
            onDisk++;
            return false;
        }
        Level level = level(message.envelope.priority());
        boolean current = !level.isBehind();
        level.knownUpTo = sequence;
        if (current && level.hasRoom() && lane.receiver.hasMembers()) {
            level.loadedUpTo = sequence;
            return true;
        }
        if (current) {
            behind++;
        }
        onDisk++;
        load(level);
        return false;
    }

    private Level level(long priority) {
        return levels.computeIfAbsent(priority, p -> new Level(p, beginning));
    }

    /** A copy has come into the lane's memory. */
    void entered(QueuedMessage message) {
        Level level = levelOf(message);
        level.inMemory++;
        level.bytes += message.envelope.body().length;
    }

    /** A copy has left it. */
    void left(QueuedMessage message) {
        Level level = levelOf(message);
        level.inMemory = Math.max(0, level.inMemory - 1);
        level.bytes = Math.max(0, level.bytes - message.envelope.body().length);
        load(level);
    }

    private Level levelOf(QueuedMessage message) {
        Level all = replaying;
        return all != null ? all : level(message.envelope.priority());
    }

    /** Whether something more urgent has to come from the disk first. */
    boolean holdsBack(long priority) {
        if (behind == 0) {
            return false;
        }
        for (Map.Entry<Long, Level> level : levels.headMap(priority).entrySet()) {
            if (level.getValue().isBehind() && level.getValue().inMemory == 0) {
                return true;
            }
        }
        return false;
    }

    /** Somebody is there to take what waits. */
    void wake() {
        Level all = replaying;
        if (all != null) {
            load(all);
        } else if (behind > 0) {
            levels.values().forEach(this::load);
        }
    }

    private void load(Level level) {
        if (closed || !level.wantsPage() || !lane.receiver.hasMembers()) {
            return;
        }
        level.loading = true;
        ledger.read(
                new PageRequest(
                        lane.channel.config().name(),
                        level.priority,
                        level.loadedUpTo,
                        level.knownUpTo,
                        PAGE,
                        PAGE_BYTES),
                page -> loaded(level, page));
    }

    private void loaded(Level level, Page page) {
        level.loading = false;
        if (closed) {
            return;
        }
        for (StoredMessage message : page.messages()) {
            restore(message, level == replaying);
        }
        level.loadedUpTo = page.upToSequence();
        if (level != replaying && !level.isBehind()) {
            caughtUp();
        }
        lane.pageCame();
        load(level);
    }

    /** Copies that were counted, but are not there any more, were pruned. */
    private void caughtUp() {
        behind--;
        if (behind == 0) {
            lane.forgetPruned(onDisk);
            onDisk = 0;
        }
    }

    private void restore(StoredMessage stored, boolean isReplay) {
        Durable durable = lane.receiver.durable;
        if (durable != null && durable.isSettled(stored.number())) {
            return;
        }
        onDisk = Math.max(0, onDisk - 1);
        QueuedMessage message = thaw.thaw(stored, lane.channel, durable != null || !isReplay);
        message.replayed = isReplay;
        if (!lane.restore(message, isReplay)) {
            return;
        }
        if (isReplay) {
            replay.add(message);
        }
        entered(message);
    }

    // Replaying

    /** Copies that were read and wait for their turn. */
    int replaying() {
        return replay.size();
    }

    @Nullable QueuedMessage peekReplayed() {
        return replay.peek();
    }

    QueuedMessage pollReplayed() {
        QueuedMessage message = replay.remove();
        left(message);
        endReplayWhenDone();
        return message;
    }

    void endReplayWhenDone() {
        Level all = replaying;
        if (all != null && replay.isEmpty() && !all.isBehind()) {
            replaying = null;
            lane.forgetPruned(onDisk);
            onDisk = 0;
        }
    }
}
