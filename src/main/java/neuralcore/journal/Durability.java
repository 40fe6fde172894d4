package neuralcore.journal;

/** What a committed group outlives. */
public enum Durability {
    /** The death of the process; the operating system has it, the disk perhaps not yet. */
    OS,
    /** The loss of power: the disk has confirmed it. */
    DISK
}
