/**
 * What relays' verticles are made of: the bus as a relay sees it, and a broker's own words. Each
 * object belongs to the event loop of its relay's verticle.
 */
@NullMarked
package verticles.relay;

import org.jspecify.annotations.NullMarked;
