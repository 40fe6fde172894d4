/**
 * Arithmetic on float vectors: one small interface, a scalar implementation and one on the JDK's
 * Vector API, chosen once for the process.
 */
@NullMarked
package neuralcore.vectors.simd;

import org.jspecify.annotations.NullMarked;
