/** Running the daemon: health, metrics, its files and its life. */
@NullMarked
package neuralcore.ops;

import org.jspecify.annotations.NullMarked;
