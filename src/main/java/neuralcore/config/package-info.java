/** The daemon's settings: where they come from, which there are, and the records they end in. */
@NullMarked
package neuralcore.config;

import org.jspecify.annotations.NullMarked;
