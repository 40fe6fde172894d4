/** Filters over rows' metadata, answered by bitmaps of slots. */
@NullMarked
package neuralcore.vectors.filter;

import org.jspecify.annotations.NullMarked;
