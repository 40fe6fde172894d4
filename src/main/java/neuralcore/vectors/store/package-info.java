/**
 * Collections on disk: a log of changes, snapshots, and how both are read again after a crash.
 * {@code docs/vectors.md} has every byte of the files.
 */
@NullMarked
package neuralcore.vectors.store;

import org.jspecify.annotations.NullMarked;
