package neuralcore.bridge;

import java.util.List;

/**
 * What a client is told when it is let in.
 *
 * @param version of the daemon
 * @param features what the node can do: its roles
 */
public record Greeting(String version, List<String> features) {
    public Greeting {
        features = List.copyOf(features);
    }
}
