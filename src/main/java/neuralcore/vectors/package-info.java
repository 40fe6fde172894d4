/**
 * Vector similarity and collections of vectors, in memory. Plain Java: threads and limits are
 * handed in.
 */
@NullMarked
package neuralcore.vectors;

import org.jspecify.annotations.NullMarked;
