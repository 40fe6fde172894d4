package neuralcore.bus;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import neuralcore.journal.AckSet;
import neuralcore.journal.Durability;
import neuralcore.journal.DurableName;
import neuralcore.journal.Entry;
import neuralcore.journal.Journal;
import neuralcore.journal.JournalListener;
import neuralcore.journal.JournalStats;
import neuralcore.journal.JournalStore;
import neuralcore.journal.Page;
import neuralcore.journal.PageRequest;
import neuralcore.journal.Position;
import neuralcore.journal.Recovery;
import neuralcore.journal.StartAt;
import neuralcore.journal.StoredMessage;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * A journal in memory that behaves as a disk does: groups are written when the simulation says so,
 * synced or not, and told of later still. A {@link #crash} keeps what was synced and any part of
 * what was only written, up to a whole group; the journal that is opened next has that and no more.
 */
final class SimulatedStore implements JournalStore {
    /** What the journal of one namespace consists of; what is in memory is made of it. */
    private final Map<String, List<List<Entry>>> disks = new HashMap<>();

    private final Map<String, Integer> synced = new HashMap<>();
    private final Map<String, SimulatedJournal> open = new LinkedHashMap<>();
    private final Random random;
    boolean full;

    SimulatedStore(Random random) {
        this.random = random;
    }

    @Override
    public List<String> existing() {
        return new ArrayList<>(new TreeSet<>(disks.keySet()));
    }

    @Override
    public Journal open(String namespace, JournalListener listener) {
        List<List<Entry>> disk = disks.computeIfAbsent(namespace, name -> new ArrayList<>());
        SimulatedJournal journal = new SimulatedJournal(namespace, disk, listener);
        open.put(namespace, journal);
        return journal;
    }

    SimulatedJournal journal(String namespace) {
        return open.get(namespace);
    }

    /** Power goes: what was not synced may be there or not, in its order. */
    void crash() {
        disks.forEach(
                (name, disk) -> {
                    int safe = synced.getOrDefault(name, 0);
                    int kept = safe + random.nextInt(disk.size() - safe + 1);
                    disk.subList(kept, disk.size()).clear();
                    synced.put(name, kept);
                });
        open.clear();
    }

    private record Group(long position, List<Entry> entries, Durability durability) {}

    /** What groups amount to. */
    static final class Contents {
        final Map<String, Entry.ChannelConfigured> channels = new LinkedHashMap<>();
        final Map<String, List<StoredMessage>> messages = new HashMap<>();
        final Map<DurableName, AckSet> acks = new LinkedHashMap<>();
        final Map<DurableName, Map<Long, Recovery.Attempts>> attempts = new HashMap<>();
        final Map<String, Map<String, Recovery.Key>> keys = new HashMap<>();
        final Map<Long, Long> publishers = new HashMap<>();
        final Map<DurableName, List<Long>> settledTwice = new HashMap<>();
        long lastSequence;

        void apply(List<Entry> group) {
            for (Entry entry : group) {
                switch (entry) {
                    case Entry.Message m -> {
                        if (m.sequence() <= lastSequence) {
                            throw new AssertionError("I3: sequence " + m.sequence() + " again");
                        }
                        lastSequence = m.sequence();
                        List<StoredMessage> all = messages.get(m.envelope().channel());
                        if (all == null) {
                            throw new AssertionError("no channel " + m.envelope().channel());
                        }
                        all.add(
                                new StoredMessage(
                                        m.sequence(),
                                        all.size() + 1,
                                        0,
                                        m.dueAtMillis(),
                                        m.expiresAtMillis(),
                                        m.envelope()));
                    }
                    case Entry.Settled s -> {
                        AckSet set = acks.get(s.subscription());
                        if (set != null && !set.add(s.number())) {
                            settledTwice
                                    .computeIfAbsent(s.subscription(), x -> new ArrayList<>())
                                    .add(s.number());
                        }
                        attempts.getOrDefault(s.subscription(), new HashMap<>()).remove(s.number());
                    }
                    case Entry.Attempt a ->
                            attempts.computeIfAbsent(a.subscription(), x -> new HashMap<>())
                                    .put(
                                            a.number(),
                                            new Recovery.Attempts(a.attempts(), a.reason()));
                    case Entry.SubscriptionOpened o ->
                            acks.putIfAbsent(o.subscription(), new AckSet(o.afterNumber()));
                    case Entry.SubscriptionEnded e -> {
                        acks.remove(e.subscription());
                        attempts.remove(e.subscription());
                    }
                    case Entry.ChannelConfigured c -> {
                        channels.put(c.channel(), c);
                        messages.computeIfAbsent(c.channel(), x -> new ArrayList<>());
                    }
                    case Entry.ChannelRemoved r -> {
                        channels.remove(r.channel());
                        messages.remove(r.channel());
                    }
                    case Entry.KeyMarked k ->
                            keys.computeIfAbsent(k.channel(), x -> new LinkedHashMap<>())
                                    .put(
                                            k.key(),
                                            new Recovery.Key(
                                                    k.channel(),
                                                    k.key(),
                                                    k.done(),
                                                    k.sequence(),
                                                    k.expiresAtMillis()));
                    case Entry.KeyReleased k ->
                            keys.getOrDefault(k.channel(), new HashMap<>()).remove(k.key());
                    case Entry.PublisherSeen p ->
                            publishers.merge(p.publisher(), p.number(), Long::max);
                    case Entry.Purged p -> throw new AssertionError("not simulated: " + p);
                }
            }
        }
    }

    final class SimulatedJournal implements Journal {
        final Contents contents = new Contents();
        private final String namespace;
        private final List<List<Entry>> disk;
        private final JournalListener listener;
        private final Recovery recovery;
        private final List<Group> waiting = new ArrayList<>();
        private final List<Runnable> toTell = new ArrayList<>();
        private long positions;
        boolean failed;

        SimulatedJournal(String namespace, List<List<Entry>> disk, JournalListener listener) {
            this.namespace = namespace;
            this.disk = disk;
            this.listener = listener;
            disk.forEach(contents::apply);
            recovery = recover();
        }

        private Recovery recover() {
            List<Recovery.Channel> channels = new ArrayList<>();
            contents.channels.forEach(
                    (name, c) -> {
                        TreeSet<Long> priorities = new TreeSet<>();
                        List<StoredMessage> all = contents.messages.get(name);
                        all.forEach(m -> priorities.add(m.envelope().priority()));
                        channels.add(
                                new Recovery.Channel(
                                        name,
                                        c.config(),
                                        c.retention(),
                                        all.size(),
                                        0,
                                        List.copyOf(priorities)));
                    });
            List<Recovery.Subscription> subscriptions = new ArrayList<>();
            contents.acks.forEach(
                    (name, acks) ->
                            subscriptions.add(
                                    new Recovery.Subscription(
                                            name,
                                            "{}",
                                            acks.copy(),
                                            Map.copyOf(
                                                    contents.attempts.getOrDefault(
                                                            name, Map.of())))));
            List<Recovery.Key> keys = new ArrayList<>();
            contents.keys.values().forEach(map -> keys.addAll(map.values()));
            return new Recovery(
                    contents.lastSequence,
                    channels,
                    subscriptions,
                    keys,
                    Map.copyOf(contents.publishers),
                    List.of());
        }

        /** Writes some of what waits, and tells of it at once, later, or never before a crash. */
        void work() {
            int groups = random.nextInt(waiting.size() + 1);
            boolean disks = false;
            long last = 0;
            for (int i = 0; i < groups; i++) {
                Group group = waiting.removeFirst();
                boolean messages = group.entries.stream().anyMatch(Entry.Message.class::isInstance);
                last = group.position;
                if (full && messages) {
                    toTell.add(() -> listener.refused(group.position, ErrorCode.STORAGE_FULL));
                    continue;
                }
                disks |= group.durability == Durability.DISK;
                disk.add(group.entries);
                contents.apply(group.entries);
            }
            if (disks) {
                synced.put(namespace, disk.size());
            }
            if (groups > 0) {
                long upTo = last;
                toTell.add(() -> listener.committed(upTo));
            }
        }

        void tell() {
            while (!toTell.isEmpty()) {
                toTell.removeFirst().run();
            }
        }

        void sayFull(boolean isFull) {
            toTell.add(() -> listener.full(isFull));
        }

        void fail() {
            failed = true;
            waiting.clear();
            toTell.clear();
            listener.failed(ErrorCode.STORAGE_FAILED, "simulated");
        }

        @Override
        public Recovery recovery() {
            return recovery;
        }

        @Override
        public long append(List<Entry> group, Durability durability) {
            if (failed) {
                throw new NeuralCoreException(ErrorCode.STORAGE_FAILED, "simulated");
            }
            waiting.add(new Group(++positions, group, durability));
            return positions;
        }

        @Override
        public Page read(PageRequest request) {
            List<StoredMessage> page = new ArrayList<>();
            for (StoredMessage message :
                    contents.messages.getOrDefault(request.channel(), List.of())) {
                if (message.sequence() > request.afterSequence()
                        && message.sequence() <= request.upToSequence()
                        && (request.priority() == null
                                || request.priority() == message.envelope().priority())) {
                    page.add(message);
                    // Pages of a few rows, so that there are many.
                    if (page.size() == 3) {
                        return new Page(page, message.sequence());
                    }
                }
            }
            return new Page(page, request.upToSequence());
        }

        @Override
        public Position locate(String channel, StartAt start) {
            List<StoredMessage> all = contents.messages.getOrDefault(channel, List.of());
            int number =
                    switch (start) {
                        case StartAt.First _ -> 0;
                        case StartAt.New _ -> all.size();
                        case StartAt.Last last -> (int) Math.max(0, all.size() - last.messages());
                        case StartAt.AfterNumber after -> (int) after.number();
                        case StartAt.AfterSequence after -> {
                            List<Long> sequences =
                                    all.stream().map(StoredMessage::sequence).toList();
                            int found = Collections.binarySearch(sequences, after.sequence());
                            yield found >= 0 ? found + 1 : -found - 1;
                        }
                        case StartAt.Since _ -> 0;
                    };
            return new Position(number == 0 ? 0 : all.get(number - 1).sequence(), number);
        }

        @Override
        public JournalStats stats() {
            return new JournalStats(0, 0, 0, 0, 0, full, true);
        }

        @Override
        public boolean isInPlace() {
            return true;
        }

        @Override
        public void backup(java.nio.file.Path target) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }
}
