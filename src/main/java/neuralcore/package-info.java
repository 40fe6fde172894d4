/** The program: its command line. */
@NullMarked
package neuralcore;

import org.jspecify.annotations.NullMarked;
