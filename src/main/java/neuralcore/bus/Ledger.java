package neuralcore.bus;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import neuralcore.journal.Durability;
import neuralcore.journal.Entry;
import neuralcore.journal.Journal;
import neuralcore.journal.JournalListener;
import neuralcore.journal.Page;
import neuralcore.journal.PageRequest;
import neuralcore.journal.Pruned;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * A namespace's way to its journal. What a step has to keep is gathered into a group and appended
 * when the step ends; what may only happen once it is kept waits here, in the order of the groups,
 * and happens in the step that brings the journal's word.
 *
 * <p>The journal speaks from a thread of its own: its words are queued, and the owner is woken to
 * take them in a step. Everything else belongs to the namespace's thread.
 */
final class Ledger implements JournalListener {
    /** Something that waits for its group. */
    interface Held {
        void kept(Effects effects);

        /** The group has changed nothing. */
        void refused(ErrorCode code, Effects effects);
    }

    /** Bytes that may wait for the disk before messages are refused. */
    private static final long MAX_WAITING_BYTES = 64L << 20;

    private static final long NEVER = Long.MAX_VALUE;

    private record Group(long position, List<Held> held, long bytes) {}

    private final String namespace;
    private final Surroundings.Storage storage;
    private final Journal journal;
    private final Deque<Group> groups = new ArrayDeque<>();
    private final Queue<Consumer<Effects>> words = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean woken = new AtomicBoolean();
    private final Consumer<Pruned> onPruned;
    private List<Entry> entries = new ArrayList<>();
    private List<Held> held = new ArrayList<>();
    private Durability durability = Durability.OS;
    private long bytes;
    private long waitingBytes;
    private boolean hasMessages;
    private boolean full;
    private @Nullable NeuralCoreException failure;

    /**
     * @param onPruned what to do when messages have gone
     */
    Ledger(String namespace, Surroundings.Storage storage, Consumer<Pruned> onPruned) {
        this.namespace = namespace;
        this.storage = storage;
        this.onPruned = onPruned;
        this.journal = storage.journals().open(namespace, this);
    }

    Journal journal() {
        return journal;
    }

    // Writing

    /** Why a message cannot be kept now; null if it can. */
    @Nullable ErrorCode refusal() {
        if (failure != null) {
            return failure.code();
        }
        if (full) {
            return ErrorCode.STORAGE_FULL;
        }
        return waitingBytes + bytes > MAX_WAITING_BYTES ? ErrorCode.QUEUE_FULL : null;
    }

    /** What has no messages is not to be refused together with some: it is a group of its own. */
    void beforeMessage(Effects effects) {
        if (!hasMessages) {
            flush(effects);
        }
    }

    void write(Entry entry, Durability asked) {
        entries.add(entry);
        if (asked == Durability.DISK) {
            durability = Durability.DISK;
        }
        if (entry instanceof Entry.Message message) {
            bytes += message.envelope().body().length;
            hasMessages = true;
        }
    }

    void write(Entry entry, Durability asked, Held action) {
        write(entry, asked);
        held.add(action);
    }

    /** Has something done once all that was written so far is kept. */
    void afterwards(Held action) {
        held.add(action);
    }

    /** The end of a group. Once the journal has failed, nothing answers any more. */
    void flush(Effects effects) {
        if (entries.isEmpty() && held.isEmpty()) {
            return;
        }
        List<Entry> group = entries;
        List<Held> actions = held;
        long size = bytes;
        Durability asked = durability;
        entries = new ArrayList<>();
        held = new ArrayList<>();
        bytes = 0;
        hasMessages = false;
        durability = Durability.OS;
        if (failure != null) {
            effects.stored(namespace, NEVER);
            return;
        }
        long position;
        try {
            position = journal.append(group, asked);
        } catch (NeuralCoreException e) {
            effects.stored(namespace, NEVER);
            return;
        }
        waitingBytes += size;
        groups.add(new Group(position, actions, size));
        effects.stored(namespace, position);
    }

    // Reading

    /** Reads a page elsewhere; it is handed over in a later step. */
    void read(PageRequest request, Consumer<Page> onPage) {
        storage.reading()
                .execute(
                        () -> {
                            try {
                                Page page = journal.read(request);
                                say(effects -> onPage.accept(page));
                            } catch (NeuralCoreException e) {
                                failed(e.code(), String.valueOf(e.getMessage()));
                            }
                        });
    }

    // The journal's words

    @Override
    public void committed(long position) {
        say(effects -> keepUpTo(position, effects));
    }

    @Override
    public void refused(long position, ErrorCode code) {
        say(effects -> refuse(position, code, effects));
    }

    @Override
    public void full(boolean isFull) {
        say(effects -> full = isFull);
    }

    @Override
    public void pruned(Pruned pruned) {
        say(effects -> onPruned.accept(pruned));
    }

    @Override
    public void failed(ErrorCode code, String message) {
        say(effects -> fail(code, message, effects));
    }

    private void say(Consumer<Effects> word) {
        words.add(word);
        if (woken.compareAndSet(false, true)) {
            storage.wake().accept(namespace);
        }
    }

    /** Takes what the journal has said by now. */
    void listen(Effects effects) {
        woken.set(false);
        for (Consumer<Effects> word = words.poll(); word != null; word = words.poll()) {
            word.accept(effects);
        }
    }

    private void keepUpTo(long position, Effects effects) {
        for (Group group = groups.peek();
                group != null && group.position <= position;
                group = groups.peek()) {
            groups.remove();
            waitingBytes -= group.bytes;
            for (Held action : group.held) {
                action.kept(effects);
            }
        }
        effects.kept(namespace, position);
    }

    private void refuse(long position, ErrorCode code, Effects effects) {
        Group refused = null;
        for (Group group : groups) {
            if (group.position == position) {
                refused = group;
                break;
            }
        }
        if (refused != null) {
            groups.remove(refused);
            waitingBytes -= refused.bytes;
            refused.held.forEach(action -> action.refused(code, effects));
            effects.notKept(namespace, position, code);
        }
    }

    private void fail(ErrorCode code, String message, Effects effects) {
        if (failure != null) {
            return;
        }
        failure = new NeuralCoreException(code, message);
        for (Group group = groups.poll(); group != null; group = groups.poll()) {
            for (Held action : group.held) {
                action.refused(code, effects);
            }
            effects.notKept(namespace, group.position, code);
        }
        effects.failed(namespace, code, message);
    }
}
