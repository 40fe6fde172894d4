package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A disk that keeps after a power cut what was synced, and of the rest whatever the seed says: a
 * part of it, zeros, garbage, deleted names that are back, hints of earlier.
 */
public final class ForgetfulDisk implements Disk {
    private final LocalDisk disk = new LocalDisk();
    private final Path trash;

    /** What is known of each file. */
    private static final class State {
        long size;
        long synced;
        byte @Nullable [] oldHint;
        byte @Nullable [] newHint;
        long hintAt;
    }

    private record Deleted(Path file, Path kept) {}

    private final Map<Path, State> states = new LinkedHashMap<>();
    private final List<Deleted> deleted = new ArrayList<>();
    private int deletions;
    private boolean failing;

    public ForgetfulDisk(Path trash) {
        this.trash = trash;
    }

    /** From now on every sync fails, as on a disk that dies. */
    public void failSyncs() {
        failing = true;
    }

    /** The power is cut and comes back; whoever had files open must open them anew. */
    public void cutPower(Random random) throws IOException {
        for (Map.Entry<Path, State> entry : states.entrySet()) {
            State state = entry.getValue();
            if (!Files.exists(entry.getKey())) {
                continue;
            }
            try (FileChannel channel = FileChannel.open(entry.getKey(), StandardOpenOption.WRITE)) {
                long unsynced = channel.size() - state.synced;
                if (unsynced > 0) {
                    long kept = state.synced + random.nextLong(unsynced + 1);
                    channel.truncate(kept);
                    spoil(channel, state.synced, kept, random);
                }
                if (state.oldHint != null && random.nextBoolean()) {
                    channel.write(ByteBuffer.wrap(state.oldHint), state.hintAt);
                }
            }
        }
        for (Deleted entry : deleted) {
            if (random.nextBoolean() && Files.isDirectory(entry.file().getParent())) {
                Files.move(entry.kept(), entry.file(), StandardCopyOption.REPLACE_EXISTING);
            }
        }
        deleted.clear();
        states.clear();
        failing = false;
    }

    private static void spoil(FileChannel channel, long from, long to, Random random)
            throws IOException {
        int kind = random.nextInt(3);
        if (kind == 0 || to == from) {
            return;
        }
        int length = 1 + random.nextInt((int) Math.min(200, to - from));
        byte[] bytes = new byte[length];
        if (kind == 1) {
            random.nextBytes(bytes);
        }
        channel.write(ByteBuffer.wrap(bytes), to - length);
    }

    @Override
    public Appender create(Path file) throws IOException {
        states.put(file, new State());
        return new Watched(disk.create(file), file);
    }

    @Override
    public Appender open(Path file) throws IOException {
        State state = states.computeIfAbsent(file, path -> new State());
        state.size = Files.size(file);
        state.synced = Math.max(state.synced, state.size);
        return new Watched(disk.open(file), file);
    }

    @Override
    public void move(Path from, Path to) throws IOException {
        disk.move(from, to);
        Map<Path, State> moved = new LinkedHashMap<>();
        states.forEach(
                (path, state) ->
                        moved.put(
                                path.equals(from)
                                        ? to
                                        : path.startsWith(from)
                                                ? to.resolve(from.relativize(path))
                                                : path,
                                state));
        states.clear();
        states.putAll(moved);
    }

    @Override
    public void delete(Path file) throws IOException {
        if (Files.isRegularFile(file)) {
            Path kept = trash.resolve(String.valueOf(deletions++));
            Files.move(file, kept);
            deleted.add(new Deleted(file, kept));
        } else {
            disk.delete(file);
        }
        states.remove(file);
    }

    @Override
    public void syncFolder(Path folder) throws IOException {
        if (failing) {
            throw new IOException("the disk is dead");
        }
        deleted.removeIf(entry -> Objects.equals(entry.file().getParent(), folder));
    }

    private final class Watched implements Appender {
        private final Appender file;
        private final State state;

        Watched(Appender file, Path path) {
            this.file = file;
            this.state = Objects.requireNonNull(states.get(path));
        }

        @Override
        public long size() {
            return file.size();
        }

        @Override
        public void append(ByteBuffer... parts) throws IOException {
            file.append(parts);
        }

        @Override
        public void sync() throws IOException {
            if (failing) {
                throw new IOException("the disk is dead");
            }
            state.synced = file.size();
        }

        @Override
        public void truncate(long size) throws IOException {
            file.truncate(size);
            state.synced = Math.min(state.synced, size);
        }

        @Override
        public void hint(long position, ByteBuffer bytes) throws IOException {
            byte[] copy = new byte[bytes.remaining()];
            bytes.duplicate().get(copy);
            state.oldHint = state.newHint;
            state.newHint = copy;
            state.hintAt = position;
            file.hint(position, bytes);
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }
}
