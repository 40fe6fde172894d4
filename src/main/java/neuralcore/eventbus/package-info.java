/**
 * How services meet on the Vert.x event bus: their addresses, the codecs of what travels there, and
 * the one way a service is offered and called.
 */
@NullMarked
package neuralcore.eventbus;

import org.jspecify.annotations.NullMarked;
