/** What the bus promises, line by line and by seeded simulation. */
@NullMarked
package neuralcore.bus;

import org.jspecify.annotations.NullMarked;
