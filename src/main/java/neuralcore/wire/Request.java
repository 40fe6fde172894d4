package neuralcore.wire;

import java.util.List;

/**
 * A call of a service: what the address is asked to do, with which values and arrays.
 *
 * @param address the service's event-bus address, for example {@code neuralcore.embedding.embed}
 * @param params the JSON part
 * @param tensors the attached arrays, in the order the service documents
 * @param connection id of the client connection it came by, set by the bridge; empty for a call
 *     from within the daemon
 * @param client who is behind the connection: the same over all connections and reconnects of a
 *     client that names itself, the connection's id otherwise
 */
public record Request(
        String address, Params params, List<Tensor> tensors, String connection, String client) {

    public Request(String address, Params params, List<Tensor> tensors) {
        this(address, params, tensors, "", "");
    }

    /** A call by a client that has no name. */
    public Request(String address, Params params, List<Tensor> tensors, String connection) {
        this(address, params, tensors, connection, connection);
    }

    /** The attachment at this place, or an error that says what is missing. */
    public Tensor tensor(int index, String meaning) {
        if (index >= tensors.size()) {
            throw NeuralCoreException.invalid(
                    "%s needs attachment %d (%s); the request carries %d."
                            .formatted(address, index, meaning, tensors.size()));
        }
        return tensors.get(index);
    }
}
