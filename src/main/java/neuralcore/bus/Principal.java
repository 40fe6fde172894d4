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

    public Principal {
        roles = Set.copyOf(roles);
    }
}
