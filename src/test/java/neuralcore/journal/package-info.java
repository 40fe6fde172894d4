@NullMarked
package neuralcore.journal;

import org.jspecify.annotations.NullMarked;
