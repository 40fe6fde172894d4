/**
 * The shell around the engines: lifecycle, addresses, threads. A verticle receives an event, calls
 * an engine and sends what comes back; the only package that knows {@code VerticleBase}.
 */
@NullMarked
package verticles;

import org.jspecify.annotations.NullMarked;
