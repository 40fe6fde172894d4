package verticles;

/**
 * Where a node can be reached.
 *
 * @param host of the TCP and HTTP listeners
 * @param port of the TCP listener, 0 if the node has no bridge
 * @param httpPort of the HTTP listener, 0 if the node has no web role
 */
public record Listening(String host, int port, int httpPort) {}
