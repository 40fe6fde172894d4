package neuralcore.cluster;

import java.util.LinkedHashMap;
import java.util.Map;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * What a node tells of itself when it meets another.
 *
 * @param node its name, another one after each start
 * @param version of the program
 * @param host at which the others reach it
 * @param port of its membership
 * @param eventHost at which its event bus is reached
 * @param eventPort of its event bus
 * @param roles that it has, separated by commas
 */
public record Passport(
        String node,
        String version,
        String host,
        int port,
        String eventHost,
        int eventPort,
        String roles) {
    private static final int MOST_CHARACTERS = 255;
    private static final int MOST_PORT = 65_535;

    public Passport {
        for (String text : new String[] {node, version, host, eventHost, roles}) {
            if (text.length() > MOST_CHARACTERS) {
                throw NeuralCoreException.invalid("A node's text is too long.");
            }
        }
        if (node.isEmpty() || port < 0 || port > MOST_PORT || eventPort > MOST_PORT) {
            throw NeuralCoreException.invalid(
                    "'%s' at %s:%d is no node.".formatted(node, host, port));
        }
    }

    /** Where its membership is, as {@code cluster.join} has it. */
    public String at() {
        return host.contains(":") ? "[%s]:%d".formatted(host, port) : host + ":" + port;
    }

    /** All of it in one text, for proofs. */
    String words() {
        return String.join(
                "\n",
                node,
                version,
                host,
                String.valueOf(port),
                eventHost,
                String.valueOf(eventPort),
                roles);
    }

    public Map<String, @Nullable Object> toMap() {
        Map<String, @Nullable Object> keys = new LinkedHashMap<>();
        keys.put("node", node);
        keys.put("version", version);
        keys.put("host", host);
        keys.put("port", (long) port);
        keys.put("event_host", eventHost);
        keys.put("event_port", (long) eventPort);
        keys.put("roles", roles);
        return keys;
    }

    public static Passport of(Params params) {
        return new Passport(
                params.string("node"),
                params.string("version"),
                params.string("host"),
                params.integer("port", 0, 0, MOST_PORT),
                params.string("event_host"),
                params.integer("event_port", 0, 0, MOST_PORT),
                params.string("roles"));
    }
}
