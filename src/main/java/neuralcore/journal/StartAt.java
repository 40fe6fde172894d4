package neuralcore.journal;

/** Where in a channel's log a reader begins. */
public sealed interface StartAt {

    /** With the oldest message there is. */
    record First() implements StartAt {}

    /** After the newest: only what comes. */
    record New() implements StartAt {}

    /** With the last so many messages. */
    record Last(long messages) implements StartAt {}

    /** After the message with this sequence number. */
    record AfterSequence(long sequence) implements StartAt {}

    /** After the message that has this number in the channel. */
    record AfterNumber(long number) implements StartAt {}

    /** With the first message that arrived then or later, wall clock. */
    record Since(long epochMillis) implements StartAt {}
}
