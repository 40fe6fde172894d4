package neuralcore.journal;

import neuralcore.wire.ErrorCode;

/**
 * Learns what becomes of a journal's groups, in their order. Called from the journal's own thread,
 * which waits meanwhile: pass it on.
 */
public interface JournalListener {

    /** All groups up to this position are kept, but for those that were refused. */
    void committed(long position);

    /** This group is not kept, and has changed nothing; {@code STORAGE_FULL}. */
    void refused(long position, ErrorCode code);

    /** Whether the disk is full: groups with messages are refused until it is not. */
    void full(boolean full);

    /** Told after the commit that made it so. */
    void pruned(Pruned pruned);

    /**
     * Nothing will be kept any more: of the groups that were not confirmed it is unknown which are.
     * {@code STORAGE_FAILED} after an error of the disk, {@code DATA_DAMAGED} if rows were found
     * that are not what was written.
     */
    void failed(ErrorCode code, String message);
}
