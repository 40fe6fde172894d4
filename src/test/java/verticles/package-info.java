/** The verticles on a real Vert.x. */
@NullMarked
package verticles;

import org.jspecify.annotations.NullMarked;
