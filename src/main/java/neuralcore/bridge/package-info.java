/**
 * The door for clients: what a connection may send, what becomes of it, and what it gets. TCP, unix
 * socket and SockJS differ only in their {@link neuralcore.bridge.Transport}; a {@link
 * neuralcore.bridge.Session} is the same behind each.
 */
@NullMarked
package neuralcore.bridge;

import org.jspecify.annotations.NullMarked;
