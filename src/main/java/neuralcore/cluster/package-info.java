/**
 * Which nodes of a cluster embed, and which of them gets what. Knows nothing of Vert.x: what is
 * heard goes in, what is to be sent comes out.
 */
@NullMarked
package neuralcore.cluster;

import org.jspecify.annotations.NullMarked;
