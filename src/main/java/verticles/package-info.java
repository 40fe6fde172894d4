/**
 * The shell: each verticle receives events, calls its engine in {@code neuralcore}, and sends what
 * comes back. What can be computed without Vert.x is not here.
 */
@NullMarked
package verticles;

import org.jspecify.annotations.NullMarked;
