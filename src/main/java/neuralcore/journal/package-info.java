/**
 * The message log of one namespace: what a client was told is durable, is here.
 *
 * <p><b>Groups.</b> The owner appends groups of {@link neuralcore.journal.Entry entries}; a group
 * is kept whole or not at all, groups are kept in the order in which they were appended, and the
 * owner learns when. One thread writes: a commit starts at once when the disk is idle, and takes
 * all that waits by then. Appending never waits for the disk.
 *
 * <p><b>Numbers.</b> A message has the namespace's sequence number, which its owner gives it
 * (ascending, gaps allowed), and a number in its channel, which follows from the order of commits
 * (from 1, no gaps but what was pruned). Owner and journal count alike, so neither has to tell the
 * other.
 *
 * <p><b>What is promised.</b> A group committed with {@link neuralcore.journal.Durability#DISK}
 * outlives the loss of power, one with {@link neuralcore.journal.Durability#OS} the death of the
 * process. What is lost or damaged all the same is noticed: each row has a checksum over all of it
 * and a hash over all rows before it in its channel, and a file of its own remembers how far the
 * journal had come. A full disk refuses groups with messages and nothing else; any other failure of
 * a write ends all writing.
 *
 * <p>{@code docs/journal.md} has the files, their layout, and what is checked when.
 */
@NullMarked
package neuralcore.journal;

import org.jspecify.annotations.NullMarked;
