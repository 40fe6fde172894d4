package neuralcore.journal;

/**
 * What a journal has done since it was opened, and how big it is.
 *
 * @param commits transactions
 * @param rows messages kept
 * @param refused groups
 * @param waitingBytes of bodies appended and not committed
 * @param fileBytes of the database and its log
 * @param full see {@link JournalListener#full}
 * @param verified whether the rows that were there at the start have all been checked
 */
public record JournalStats(
        long commits,
        long rows,
        long refused,
        long waitingBytes,
        long fileBytes,
        boolean full,
        boolean verified) {}
