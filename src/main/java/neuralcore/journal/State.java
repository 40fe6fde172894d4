package neuralcore.journal;

/**
 * How far a journal has come; a row of the database, changed with each commit.
 *
 * @param commits since it was made
 * @param rows messages ever kept
 * @param sequence greatest number given to one
 * @param chain hash over the checksums of all of them
 */
record State(long commits, long rows, long sequence, long chain) {
    static final State NEW = new State(0, 0, 0, 0);
}
