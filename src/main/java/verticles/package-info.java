/**
 * The shell of the runtime: one verticle a role. A verticle receives an event, calls an engine of
 * {@code neuralcore.*} and sends what comes back; it calls another verticle by address only.
 */
@NullMarked
package verticles;

import org.jspecify.annotations.NullMarked;
