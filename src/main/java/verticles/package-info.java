/**
 * The shell around the engines: each verticle receives events, calls its engine and sends what
 * comes back. The only place that knows {@code VerticleBase}.
 */
@NullMarked
package verticles;

import org.jspecify.annotations.NullMarked;
