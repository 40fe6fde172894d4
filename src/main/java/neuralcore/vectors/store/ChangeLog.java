package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ObjLongConsumer;
import java.util.stream.Stream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The changes of one collection in the order in which they were made, numbered from 1, in segments
 * {@code <first number>.log}.
 *
 * <p>{@link #append} writes and returns; {@link #sync} returns when a change is on the disk. Of the
 * callers that wait, one syncs for all whose changes were written by then (group commit).
 *
 * <p>Thread-safe. After an error of the disk nothing is taken any more: what of the last changes is
 * on the disk is known only when the log is read again.
 */
final class ChangeLog implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ChangeLog.class);
    private static final String SUFFIX = ".log";

    /** A segment by its first change. */
    private record Segment(long first, Path file) {}

    private final Disk disk;
    private final Path folder;
    private final int dimension;
    private final long collection;
    private final ChangeCodec codec;

    /** Taken before the monitor of this object. */
    private final Object syncing = new Object();

    private Segment current;
    private Disk.Appender file;
    private long last;
    private long earlierBytes;
    private volatile long synced;
    private volatile @Nullable IOException failure;

    private ChangeLog(
            Disk disk,
            Path folder,
            int dimension,
            long collection,
            Segment current,
            Disk.Appender file,
            long last) {
        this.disk = disk;
        this.folder = folder;
        this.dimension = dimension;
        this.collection = collection;
        this.codec = new ChangeCodec(dimension);
        this.current = current;
        this.file = file;
        this.last = last;
        this.synced = last;
    }

    /** Begins the log of a new collection. */
    static ChangeLog create(Disk disk, Path folder, int dimension, long collection)
            throws IOException {
        Segment segment = new Segment(1, folder.resolve(name(1)));
        Disk.Appender file = begin(disk, segment, dimension, collection);
        return new ChangeLog(disk, folder, dimension, collection, segment, file, 0);
    }

    /**
     * Reads the changes after {@code after} and continues the log.
     *
     * @throws NeuralCoreException {@link ErrorCode#DATA_DAMAGED} if one that was acknowledged
     *     cannot be read
     */
    static ChangeLog open(
            Disk disk,
            Path folder,
            int dimension,
            long collection,
            long after,
            ObjLongConsumer<Change> apply)
            throws IOException {
        List<Segment> segments = segments(folder);
        int start = 0;
        while (start + 1 < segments.size() && segments.get(start + 1).first() <= after + 1) {
            start++;
        }
        if (segments.isEmpty() || segments.get(start).first() > after + 1) {
            throw Damage.missing(
                    folder.resolve(name(after + 1)), "no snapshot has the changes in it either");
        }
        long next = segments.get(start).first();
        LogReader.End end = new LogReader.End(0, next, 0);
        long earlier = 0;
        for (Segment segment : segments.subList(start, segments.size())) {
            if (segment.first() != next) {
                throw Damage.missing(folder.resolve(name(next)), "the changes in it are lost");
            }
            earlier += end.bytes();
            boolean isLast = segment == segments.getLast();
            end =
                    new LogReader(segment.file(), dimension, collection)
                            .read(next, after, isLast, apply);
            next = end.next();
        }
        if (next <= after) {
            throw Damage.missing(folder.resolve(name(next)), "the snapshot is newer than the log");
        }
        Segment current = segments.getLast();
        Disk.Appender file = disk.open(current.file());
        if (end.bytes() < end.fileBytes()) {
            log.warn(
                    "{}: a change that had not been acknowledged was cut off by a crash;"
                            + " {} bytes from {} on were taken away",
                    current.file(),
                    end.fileBytes() - end.bytes(),
                    end.bytes());
            file.truncate(end.bytes());
        }
        file.sync();
        file.hint(LogHeader.MARK_AT, LogHeader.mark(end.bytes()));
        ChangeLog opened =
                new ChangeLog(disk, folder, dimension, collection, current, file, next - 1);
        opened.earlierBytes = earlier;
        return opened;
    }

    private static Disk.Appender begin(Disk disk, Segment segment, int dimension, long collection)
            throws IOException {
        Path beside = segment.file().resolveSibling(segment.file().getFileName() + ".new");
        disk.delete(beside);
        LogHeader header = new LogHeader(dimension, collection, segment.first(), LogHeader.BYTES);
        try (Disk.Appender file = disk.create(beside)) {
            file.append(header.toBytes());
            file.sync();
        }
        disk.move(beside, segment.file());
        Path folder = segment.file().getParent();
        if (folder != null) {
            disk.syncFolder(folder);
        }
        return disk.open(segment.file());
    }

    /** Number of the last change. */
    synchronized long last() {
        return last;
    }

    /** Bytes of all segments. */
    synchronized long bytes() {
        return earlierBytes + file.size();
    }

    /**
     * Writes a change; it lasts once {@link #sync} has returned for its number.
     *
     * @throws NeuralCoreException {@link ErrorCode#STORAGE_FULL} or {@link
     *     ErrorCode#STORAGE_FAILED} if it could not be written, or an earlier one could not; then
     *     it has not been
     */
    long append(Change change) {
        ByteBuffer record = codec.encode(LogReader.HEAD_BYTES, change);
        synchronized (this) {
            refuseAfterFailure();
            record.putInt(0, record.limit() - LogReader.HEAD_BYTES).putLong(8, last + 1);
            ByteBuffer payload = record.slice(LogReader.HEAD_BYTES, record.limit() - 16);
            record.putInt(4, LogReader.crc(record, payload));
            long before = file.size();
            try {
                file.append(record);
            } catch (IOException e) {
                takeBack(before, e);
                throw unwritable(e);
            }
            return ++last;
        }
    }

    private void takeBack(long size, IOException reason) {
        try {
            file.truncate(size);
        } catch (IOException e) {
            reason.addSuppressed(e);
            failure = reason;
        }
    }

    /** Returns when the changes up to this one are on the disk. */
    void sync(long sequence) {
        if (synced >= sequence) {
            return;
        }
        synchronized (syncing) {
            if (synced >= sequence) {
                return;
            }
            refuseAfterFailure();
            long upTo;
            long bytes;
            Disk.Appender target;
            synchronized (this) {
                upTo = last;
                bytes = file.size();
                target = file;
            }
            try {
                target.sync();
                target.hint(LogHeader.MARK_AT, LogHeader.mark(bytes));
            } catch (IOException e) {
                failure = e;
                throw unwritable(e);
            }
            synced = upTo;
        }
    }

    /** Begins a new segment; answers the last change of the old one. */
    long rotate() {
        synchronized (syncing) {
            sync(last());
            synchronized (this) {
                refuseAfterFailure();
                sync(last);
                if (current.first() == last + 1) {
                    return last; // still empty
                }
                Segment next = new Segment(last + 1, folder.resolve(name(last + 1)));
                try {
                    long bytes = file.size();
                    Disk.Appender opened = begin(disk, next, dimension, collection);
                    file.close();
                    earlierBytes += bytes;
                    file = opened;
                    current = next;
                } catch (IOException e) {
                    throw unwritable(e);
                }
                return last;
            }
        }
    }

    /** Deletes the segments that hold nothing after this change. */
    void deleteThrough(long sequence) throws IOException {
        List<Segment> segments = segments(folder);
        for (int i = 0; i + 1 < segments.size(); i++) {
            if (segments.get(i + 1).first() <= sequence + 1) {
                long bytes = Files.size(segments.get(i).file());
                disk.delete(segments.get(i).file());
                synchronized (this) {
                    earlierBytes = Math.max(0, earlierBytes - bytes);
                }
            }
        }
        disk.syncFolder(folder);
    }

    @Override
    public void close() throws IOException {
        synchronized (syncing) {
            try (Disk.Appender closing = file) {
                if (failure == null) {
                    sync(last());
                }
            }
        }
    }

    private void refuseAfterFailure() {
        IOException reason = failure;
        if (reason != null) {
            throw unwritable(reason);
        }
    }

    private NeuralCoreException unwritable(IOException reason) {
        return Disk.unwritable(
                "%s could not be written: %s. What was acknowledged is safe; %s."
                        .formatted(
                                current.file(),
                                reason.getMessage(),
                                failure == null
                                        ? "try again when the disk has room"
                                        : "restart the daemon when the disk works again"),
                reason);
    }

    private static List<Segment> segments(Path folder) throws IOException {
        List<Segment> segments = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                String name = String.valueOf(file.getFileName());
                if (name.matches("[0-9a-f]{16}\\.log")) {
                    long first = Long.parseUnsignedLong(name.substring(0, 16), 16);
                    segments.add(new Segment(first, file));
                }
            }
        }
        segments.sort(Comparator.comparingLong(Segment::first));
        return segments;
    }

    private static String name(long first) {
        return "%016x%s".formatted(first, SUFFIX);
    }
}
