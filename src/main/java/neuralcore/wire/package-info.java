/**
 * The protocol without its I/O: frames, their byte layout, JSON, error codes and the requests and
 * replies that services exchange. {@code docs/protocol.md} is the specification.
 *
 * <p>Nothing here opens a socket, starts a thread or knows Vert.x.
 */
@NullMarked
package neuralcore.wire;

import org.jspecify.annotations.NullMarked;
