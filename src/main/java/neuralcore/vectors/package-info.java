/**
 * Vector similarity and collections of vectors. Plain Java: threads, limits and the disk are handed
 * in.
 */
@NullMarked
package neuralcore.vectors;

import org.jspecify.annotations.NullMarked;
