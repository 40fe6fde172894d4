package neuralcore.vectors.store;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * The folder with all collections, one folder each, named like the collection where that is
 * possible. Making and dropping one is a rename: a crash leaves all of it or nothing. One process
 * uses it at a time; the data folder's lock sees to that.
 */
public final class StoreFolder {
    private static final int LONGEST_NAME = 120;
    private static final String UNFINISHED = ".new-";
    private static final String DROPPED = ".dropped-";

    private final Disk disk;
    private final Path root;

    private StoreFolder(Disk disk, Path root) {
        this.disk = disk;
        this.root = root;
    }

    /**
     * Makes the folder if it is not there, and removes what a crash has left in it.
     *
     * @throws NeuralCoreException {@link ErrorCode#STORAGE_FAILED}
     */
    public static StoreFolder open(Disk disk, Path root) {
        StoreFolder opened = new StoreFolder(disk, root);
        try {
            LocalDisk.createFolder(root);
            for (Path folder : opened.folders()) {
                String name = String.valueOf(folder.getFileName());
                if (name.startsWith(UNFINISHED) || name.startsWith(DROPPED)) {
                    opened.deleteAll(folder);
                }
            }
        } catch (IOException e) {
            throw new NeuralCoreException(
                    ErrorCode.STORAGE_FAILED, "%s cannot be used: %s".formatted(root, e), e);
        }
        return opened;
    }

    /** The folders of the collections there are. */
    public List<Path> collections() throws IOException {
        return folders().stream()
                .filter(folder -> !String.valueOf(folder.getFileName()).startsWith("."))
                .toList();
    }

    private List<Path> folders() throws IOException {
        try (Stream<Path> entries = Files.list(root)) {
            return entries.filter(Files::isDirectory).sorted().toList();
        }
    }

    /** How its files are written. */
    public Disk disk() {
        return disk;
    }

    /** Where a collection of this name is, or would be. */
    public Path folder(String name) {
        return root.resolve(folderName(name));
    }

    public CollectionFiles create(Descriptor descriptor) throws IOException {
        Path unfinished = root.resolve(UNFINISHED + Long.toHexString(descriptor.number()));
        LocalDisk.createFolder(unfinished);
        CollectionFiles.create(disk, unfinished, descriptor);
        Path folder = folder(descriptor.name());
        disk.move(unfinished, folder);
        disk.syncFolder(root);
        return open(folder, descriptor, new EmptyLoader());
    }

    public CollectionFiles open(Path folder, Descriptor descriptor, CollectionFiles.Loader loader)
            throws IOException {
        return CollectionFiles.open(disk, folder, descriptor, loader);
    }

    /** Deletes a collection that nobody has open. */
    public void drop(Path folder) throws IOException {
        Path dropped = root.resolve(DROPPED + Long.toHexString(System.nanoTime()));
        disk.move(folder, dropped);
        disk.syncFolder(root);
        deleteAll(dropped);
    }

    private void deleteAll(Path folder) throws IOException {
        List<Path> all = new ArrayList<>();
        try (Stream<Path> paths = Files.walk(folder)) {
            paths.sorted(Comparator.reverseOrder()).forEach(all::add);
        }
        for (Path path : all) {
            disk.delete(path);
        }
    }

    /**
     * Small letters, digits, '-', '_' and inner dots stay, everything else becomes %XX, so that no
     * name leaves the folder, and none meets another on a disk that ignores case.
     */
    static String folderName(String name) {
        StringBuilder out = new StringBuilder();
        for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            boolean plain =
                    (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
            if (plain || (c == '.' && !out.isEmpty())) {
                out.append(c);
            } else {
                out.append('%').append(HexFormat.of().withUpperCase().toHexDigits(b));
            }
        }
        if (out.length() <= LONGEST_NAME) {
            return out.toString();
        }
        return out.substring(0, LONGEST_NAME - 33) + "~" + hash(name);
    }

    private static String hash(String name) {
        try {
            byte[] digest =
                    MessageDigest.getInstance("SHA-256")
                            .digest(name.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    private static final class EmptyLoader implements CollectionFiles.Loader {
        @Override
        public void reset() {}

        @Override
        public boolean load(Snapshot snapshot) {
            throw new IllegalStateException("a new collection has a snapshot");
        }

        @Override
        public void apply(Change change, long sequence) {
            throw new IllegalStateException("a new collection has changes");
        }
    }
}
