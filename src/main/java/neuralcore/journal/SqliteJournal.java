package neuralcore.journal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A journal in a SQLite file with a write-ahead log.
 *
 * <p>One thread writes. It takes all groups that wait, makes one transaction of them, and tells the
 * listener; meanwhile the next ones gather. So a group that comes alone is committed at once, and
 * the busier it is, the more groups share the disk's one confirmation. {@code synchronous=FULL} has
 * the disk confirm each commit in which any group asks for {@link Durability#DISK}; a commit whose
 * groups all say {@link Durability#OS} is made with {@code NORMAL}.
 *
 * <p>Reading goes over a connection of its own and never waits for writing.
 */
final class SqliteJournal implements Journal {
    private static final Logger log = LoggerFactory.getLogger(SqliteJournal.class);
    private static final long CHORES_MILLIS = 1_000;
    private static final long FULL_RETRY_MILLIS = 250;
    private static final int MAX_GROUPS = 20_000;
    private static final long MAX_BYTES = 32L << 20;
    private static final int PRUNES_IN_A_ROW = 8;
    private static final long PUBLISHERS_KEPT_MILLIS = 7L * 24 * 3600 * 1000;
    private static final long FORGET_EACH_MILLIS = 600_000;

    private record Group(
            long position, List<Entry> entries, boolean disk, boolean messages, long bytes) {}

    private final JournalFiles files;
    private final JournalSettings settings;
    private final JournalListener listener;
    private final LongSupplier wallMillis;
    private final List<OpenedFile> opened;
    private final HeadFile head;
    private final Connection connection;
    private final GroupWriter writer;
    private final MessageTable writersMessages;
    private final Pruner pruner;
    private final Ballast ballast;
    private final PageReader reader;
    private final Recovery recovery;
    private final Verification verification;
    private final Thread thread;
    private final Thread verifier;
    private final Map<Long, Long> prunedNumbers = new ConcurrentHashMap<>();
    private volatile Map<String, Long> channelIds = Map.of();

    // Guarded by this.
    private List<Group> waiting = new ArrayList<>();
    private long positions;
    private long waitingBytes;
    private boolean closing;
    private @Nullable String damage;
    private @Nullable NeuralCoreException failure;

    // Of the writing thread; the volatile ones are read by others.
    private volatile boolean full;
    private volatile long refused;
    private volatile State state;
    private final State stateAtStart;
    private long bytesSinceCheckpoint;
    private long nextChores;
    private long nextForgetting;

    private SqliteJournal(
            JournalFiles files,
            JournalSettings settings,
            JournalListener listener,
            LongSupplier wallMillis,
            Opening.Opened opening)
            throws SQLException, IOException {
        this.files = files;
        this.settings = settings;
        this.listener = listener;
        this.wallMillis = wallMillis;
        head = opening.head();
        connection = opening.connection();
        writer = opening.writer();
        writersMessages = new MessageTable(connection);
        pruner = new Pruner(writer, writersMessages, settings);
        ballast = new Ballast(files.ballast(), settings.ballastBytes());
        reader = new PageReader(files.database());
        opened = new ArrayList<>();
        for (Path file : files.kept()) {
            opened.add(OpenedFile.of(file));
        }
        state = writer.state();
        stateAtStart = state;
        recovery = writer.contents().recovery();
        publishChannels();
        full = !ballast.take(0);
        Map<Long, Verification.Extent> extents = new HashMap<>();
        for (ChannelState channel : writer.contents().channels.values()) {
            extents.put(channel.id, new Verification.Extent(channel.pruned, channel.lastNumber));
        }
        verification =
                new Verification(
                        files.database(),
                        state.sequence(),
                        extents,
                        channel -> prunedNumbers.getOrDefault(channel, 0L),
                        this::damaged);
        String name = String.valueOf(files.database().getFileName());
        thread = Thread.ofPlatform().name("journal " + name).unstarted(this::write);
        verifier = Thread.ofPlatform().name("check " + name).daemon().unstarted(verification);
    }

    /**
     * Opens a journal, making it if there is none. The newest messages are checked before it
     * returns, the others in the background.
     *
     * @throws NeuralCoreException as {@link JournalStore#open} does; {@code DATA_FOLDER_LOCKED} if
     *     another daemon has it
     */
    static SqliteJournal open(
            JournalFiles files,
            JournalSettings settings,
            JournalListener listener,
            LongSupplier wallMillis) {
        Opening.Opened opened = null;
        try {
            opened = Opening.open(files, settings, wallMillis);
            SqliteJournal journal =
                    new SqliteJournal(files, settings, listener, wallMillis, opened);
            journal.thread.start();
            journal.verifier.start();
            return journal;
        } catch (SQLException e) {
            closeQuietly(opened);
            throw Sqlite.failure("Opening the journal " + files.database(), e);
        } catch (IOException e) {
            closeQuietly(opened);
            throw new NeuralCoreException(
                    ErrorCode.STORAGE_FAILED,
                    "Opening the journal %s failed: %s".formatted(files.database(), e),
                    e);
        }
    }

    private static void closeQuietly(Opening.@Nullable Opened opened) {
        if (opened != null) {
            try {
                opened.connection().close();
                opened.head().close();
            } catch (SQLException | IOException e) {
                log.debug("Closing a journal that did not open failed", e);
            }
        }
    }

    @Override
    public Recovery recovery() {
        return recovery;
    }

    @Override
    public long append(List<Entry> entries, Durability durability) {
        boolean messages = false;
        long bytes = 0;
        for (Entry entry : entries) {
            if (entry instanceof Entry.Message message) {
                messages = true;
                bytes += message.envelope().body().length + MessageRow.HEADER;
            }
        }
        synchronized (this) {
            if (failure != null) {
                throw failure;
            }
            positions++;
            waiting.add(
                    new Group(positions, entries, durability == Durability.DISK, messages, bytes));
            waitingBytes += bytes;
            if (waiting.size() == 1) {
                notifyAll();
            }
            return positions;
        }
    }

    @Override
    public Page read(PageRequest request) {
        Long channel = channelIds.get(request.channel());
        if (channel == null) {
            return new Page(List.of(), request.upToSequence());
        }
        try {
            return reader.page(channel, request);
        } catch (SQLException e) {
            throw reading(e);
        } catch (NeuralCoreException e) {
            throw reading(e);
        }
    }

    @Override
    public Position locate(String name, StartAt start) {
        Long channel = channelIds.get(name);
        if (channel == null) {
            return new Position(0, 0);
        }
        try {
            return reader.locate(channel, start);
        } catch (SQLException e) {
            throw reading(e);
        } catch (NeuralCoreException e) {
            throw reading(e);
        }
    }

    private NeuralCoreException reading(SQLException e) {
        synchronized (this) {
            if (failure != null) {
                // The connection was closed because of it.
                return failure;
            }
        }
        return reading(Sqlite.failure("Reading the journal " + files.database(), e));
    }

    private NeuralCoreException reading(NeuralCoreException e) {
        if (e.code() == ErrorCode.DATA_DAMAGED) {
            damaged(String.valueOf(e.getMessage()));
        }
        return e;
    }

    @Override
    public JournalStats stats() {
        State now = state;
        long bytes;
        synchronized (this) {
            bytes = waitingBytes;
        }
        return new JournalStats(
                now.commits() - stateAtStart.commits(),
                now.rows() - stateAtStart.rows(),
                refused,
                bytes,
                files.bytes(),
                full,
                verification.isDone());
    }

    @Override
    public boolean isInPlace() {
        return opened.stream().allMatch(OpenedFile::isInPlace);
    }

    @Override
    public void backup(Path target) {
        JournalFiles copy = new JournalFiles(target);
        for (Path file : copy.kept()) {
            if (Files.exists(file)) {
                throw new NeuralCoreException(
                        ErrorCode.ALREADY_EXISTS,
                        "%s exists; choose another place for the backup.".formatted(file));
            }
        }
        try {
            Backup.write(files, copy);
        } catch (SQLException e) {
            throw Sqlite.failure("The backup to " + target, e);
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.STORAGE_FAILED,
                    "The backup to %s failed: %s".formatted(target, e),
                    e);
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            closing = true;
            notifyAll();
        }
        verification.stop();
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                verifier.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void damaged(String what) {
        synchronized (this) {
            if (damage == null) {
                damage = what;
                notifyAll();
            }
        }
    }

    /** The life of the writing thread. */
    private void write() {
        try {
            while (true) {
                List<Group> groups = take();
                if (!groups.isEmpty()) {
                    commit(groups);
                }
                chores();
                synchronized (this) {
                    if (closing && waiting.isEmpty()) {
                        break;
                    }
                }
            }
            head.force();
        } catch (SQLException e) {
            fail(
                    Sqlite.isDamaged(e) ? ErrorCode.DATA_DAMAGED : ErrorCode.STORAGE_FAILED,
                    "Writing the journal %s failed: %s."
                            .formatted(files.database(), e.getMessage()),
                    e);
        } catch (IOException e) {
            fail(ErrorCode.STORAGE_FAILED, "Writing %s failed: %s".formatted(files.head(), e), e);
        } catch (NeuralCoreException e) {
            fail(e.code(), String.valueOf(e.getMessage()), e);
        } catch (RuntimeException e) {
            fail(ErrorCode.INTERNAL, "The journal %s: %s.".formatted(files.database(), e), e);
        } finally {
            closeFiles();
        }
    }

    private List<Group> take() {
        synchronized (this) {
            long now = wallNanosToMillis();
            while (waiting.isEmpty() && !closing && damage == null && now < nextChores) {
                try {
                    wait(nextChores - now);
                } catch (InterruptedException e) {
                    // Only close() ends this thread.
                }
                now = wallNanosToMillis();
            }
            List<Group> taken = waiting;
            long bytes = 0;
            int count = 0;
            while (count < taken.size() && count < MAX_GROUPS && bytes < MAX_BYTES) {
                bytes += taken.get(count++).bytes;
            }
            waiting = new ArrayList<>();
            if (count < taken.size()) {
                waiting.addAll(taken.subList(count, taken.size()));
                taken = taken.subList(0, count);
            }
            waitingBytes -= bytes;
            return taken;
        }
    }

    private static long wallNanosToMillis() {
        return System.nanoTime() / 1_000_000;
    }

    /** Commits groups, or refuses them: each of those with messages, if there is no room. */
    private void commit(List<Group> groups) throws SQLException, IOException {
        if (!isInPlace()) {
            throw new NeuralCoreException(
                    ErrorCode.STORAGE_FAILED,
                    ("The journal %s was removed or replaced while it was in use. What was in it is"
                                    + " gone, and what waited for it is not kept.")
                            .formatted(files.database()));
        }
        List<Group> left = groups;
        while (true) {
            if (full) {
                left = refuseMessages(left);
            }
            if (left.isEmpty() || transact(left)) {
                break;
            }
            writer.rollback();
            writer.reload();
            if (!full) {
                setFull(true);
            } else if (!await(FULL_RETRY_MILLIS)) {
                throw new NeuralCoreException(
                        ErrorCode.STORAGE_FULL,
                        "The journal %s is closed while the disk is full; settlements are lost."
                                .formatted(files.database()));
            }
        }
        if (writer.channelsChanged()) {
            publishChannels();
        }
        listener.committed(groups.getLast().position);
    }

    private List<Group> refuseMessages(List<Group> groups) {
        List<Group> left = new ArrayList<>();
        for (Group group : groups) {
            if (group.messages) {
                refused++;
                listener.refused(group.position, ErrorCode.STORAGE_FULL);
            } else {
                left.add(group);
            }
        }
        return left;
    }

    /** False if there was no room. */
    private boolean transact(List<Group> groups) throws SQLException, IOException {
        boolean disk = false;
        long bytes = 0;
        for (Group group : groups) {
            disk |= group.disk;
            bytes += group.bytes;
        }
        try {
            writer.begin(disk);
            for (Group group : groups) {
                writer.apply(group.entries);
            }
            writer.commit();
        } catch (SQLException e) {
            if (Sqlite.isFull(e)) {
                return false;
            }
            throw e;
        }
        committed(disk, bytes);
        return true;
    }

    private void committed(boolean disk, long bytes) throws SQLException, IOException {
        state = writer.state();
        if (disk) {
            head.write(new HeadFile.Head(writer.contents().id, state, false));
        }
        bytesSinceCheckpoint += bytes + (16 << 10);
        if (bytesSinceCheckpoint > settings.checkpointBytes()) {
            checkpoint();
        }
    }

    private void checkpoint() throws SQLException {
        try {
            writer.checkpoint();
            bytesSinceCheckpoint = 0;
        } catch (SQLException e) {
            if (!Sqlite.isFull(e)) {
                throw e;
            }
            // The log keeps what the database has no room for.
            bytesSinceCheckpoint = 0;
        }
    }

    /** Waits, unless it is time to close; false then. */
    private synchronized boolean await(long millis) {
        if (closing) {
            return false;
        }
        try {
            wait(millis);
        } catch (InterruptedException e) {
            // Only close() ends this thread.
        }
        return true;
    }

    private void setFull(boolean isFull) {
        full = isFull;
        if (isFull) {
            ballast.free();
        }
        listener.full(isFull);
        if (isFull) {
            log.error(
                    "The disk is full: {} refuses messages, and goes on with what frees room",
                    files.database());
        } else {
            log.info("There is room again: {} takes messages", files.database());
        }
    }

    /** What is to be done now and then. */
    private void chores() throws SQLException, IOException {
        String found;
        synchronized (this) {
            found = damage;
        }
        if (found != null) {
            head.write(new HeadFile.Head(writer.contents().id, state, true));
            head.force();
            throw Opening.damaged(files, found);
        }
        long now = wallNanosToMillis();
        if (now < nextChores) {
            return;
        }
        nextChores = now + (full ? FULL_RETRY_MILLIS : CHORES_MILLIS);
        head.force();
        if (full && ballast.take(settings.ballastBytes() / 2)) {
            setFull(false);
        }
        prune();
        if (now >= nextForgetting) {
            nextForgetting = now + FORGET_EACH_MILLIS;
            forget();
        }
    }

    private void prune() throws SQLException, IOException {
        long now = wallMillis.getAsLong();
        for (int i = 0; i < PRUNES_IN_A_ROW; i++) {
            ChannelState channel = pruner.due(now);
            if (channel == null) {
                return;
            }
            List<Pruned> told;
            try {
                writer.begin(false);
                told = pruner.prune(channel, now);
                // Before the commit, so that the check never misses rows it was not told of.
                prunedNumbers.put(
                        channel.id, channel.removed ? Long.MAX_VALUE : channel.pruned.number());
                writer.commit();
            } catch (SQLException e) {
                writer.rollback();
                if (!Sqlite.isFull(e)) {
                    throw e;
                }
                writer.reload();
                if (full) {
                    return;
                }
                // Nothing else may come that would find out and make room for this.
                setFull(true);
                continue;
            }
            committed(false, Pruner.CHUNK * 64L);
            told.forEach(listener::pruned);
        }
        nextChores = 0;
    }

    private void forget() throws SQLException, IOException {
        long now = wallMillis.getAsLong();
        try {
            writer.begin(false);
            writer.forgetBefore(now, now - PUBLISHERS_KEPT_MILLIS);
            writer.commit();
            committed(false, 0);
        } catch (SQLException e) {
            writer.rollback();
            if (!Sqlite.isFull(e)) {
                throw e;
            }
            writer.reload();
            if (!full) {
                setFull(true);
            }
        }
    }

    private void publishChannels() {
        Map<String, Long> ids = new HashMap<>();
        writer.contents().channels.values().forEach(channel -> ids.put(channel.name, channel.id));
        channelIds = ids;
    }

    private void fail(ErrorCode code, String message, Throwable cause) {
        if (code == ErrorCode.INTERNAL) {
            log.error("{}; nothing is written to it any more", message, cause);
        } else {
            log.error("{} Nothing is written to it any more.", message);
        }
        NeuralCoreException told = new NeuralCoreException(code, message, cause);
        synchronized (this) {
            failure = told;
            waiting.clear();
            waitingBytes = 0;
        }
        writer.rollback();
        listener.failed(code, message);
    }

    private void closeFiles() {
        verification.stop();
        try {
            verifier.join();
            reader.close();
            writersMessages.close();
            connection.close();
            head.close();
        } catch (SQLException | IOException e) {
            log.warn("Closing the journal {} failed", files.database(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What it is called in messages. */
    @Override
    public String toString() {
        return Objects.toString(files.database());
    }
}
