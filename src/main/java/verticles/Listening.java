package verticles;

/**
 * Where a node can be reached.
 *
 * @param host of the TCP listener
 * @param port of the TCP listener, 0 if the node has no bridge
 * @param httpHost of the HTTP listener
 * @param httpPort of the HTTP listener, 0 if the node has no web role
 */
public record Listening(String host, int port, String httpHost, int httpPort) {

    /** Host and port as URLs have them, an IPv6 address in brackets; "none" for port 0. */
    public static String shown(String host, int port) {
        if (port == 0) {
            return "none";
        }
        return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
    }
}
