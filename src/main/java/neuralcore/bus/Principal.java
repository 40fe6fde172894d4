package neuralcore.bus;

import java.util.Set;

/**
 * Who is behind a connection, as the door has found out; never what a client says of itself.
 *
 * @param name of the user
 * @param roles what the user may act as
 */
public record Principal(String name, Set<String> roles) {

    /** Who shares the daemon's user account or its token: whoever that is owns the daemon. */
    public static final Principal OWNER = new Principal("owner", Set.of("owner"));

    private static final String RELAY = "relay:";

    /**
     * Who is behind a connection of this daemon: a relay is the user {@code relay:<name>} in the
     * role {@code relay}, whoever comes through a door owns the daemon.
     *
     * @param connection clients have no say in its name
     */
    public static Principal of(String connection) {
        if (!connection.startsWith(RELAY)) {
            return OWNER;
        }
        return new Principal(connection.substring(0, connection.lastIndexOf(':')), Set.of("relay"));
    }

    public Principal {
        roles = Set.copyOf(roles);
    }
}
