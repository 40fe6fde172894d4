package neuralcore.journal;

import java.nio.file.Path;
import java.util.List;
import neuralcore.wire.NeuralCoreException;

/**
 * The log of one namespace; the package's description says what it promises.
 *
 * <p>{@link #append} is for one thread, everything else for any. What reads blocks on the disk.
 */
public interface Journal extends AutoCloseable {

    /** What was found when this was opened. */
    Recovery recovery();

    /**
     * Hands over a group, to be kept whole or not at all. Returns at once.
     *
     * @return its position, one more than that of the group before
     * @throws NeuralCoreException {@code STORAGE_FAILED} if nothing is kept any more
     */
    long append(List<Entry> group, Durability durability);

    /**
     * Committed messages of a channel; none if there is no such channel.
     *
     * @throws NeuralCoreException {@code DATA_DAMAGED} if a row is not what was written, {@code
     *     STORAGE_FAILED} if it cannot be read
     */
    Page read(PageRequest request);

    /** The place in a channel where a reader begins; the very beginning if there is no such one. */
    Position locate(String channel, StartAt start);

    JournalStats stats();

    /**
     * Whether its files are still where they were opened. If not, nothing is kept any more: the
     * next group fails.
     */
    boolean isInPlace();

    /**
     * Writes a copy that can be opened as a journal, while work goes on. It has all that was
     * committed before the call.
     *
     * @param target a file that is not there yet
     * @throws NeuralCoreException {@code ALREADY_EXISTS}, {@code STORAGE_FULL} or {@code
     *     STORAGE_FAILED}
     */
    void backup(Path target);

    /** Commits what was appended, then lets go of the files. */
    @Override
    void close();
}
