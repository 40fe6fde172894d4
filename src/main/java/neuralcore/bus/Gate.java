package neuralcore.bus;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.Frame;
import neuralcore.wire.NeuralCoreException;

/**
 * What a batch must pass before it reaches its namespace: the rules of access, and the
 * interceptors. Where there are neither it costs nothing.
 */
final class Gate {
    private final Access access;
    private final Interceptors interceptors;

    Gate(Access access, Interceptors interceptors) {
        this.access = access;
        this.interceptors = interceptors;
    }

    Access access() {
        return access;
    }

    boolean isOpen() {
        return access.isOpen() && interceptors.isEmpty();
    }

    /** The messages that may pass, as they are to be taken; the others go to {@code refused}. */
    List<Envelope> pass(
            String connection,
            String namespace,
            List<Envelope> messages,
            List<Frame.Rejection> refused) {
        List<Envelope> passed = new ArrayList<>(messages.size());
        String lastChannel = null;
        boolean lastAllowed = false;
        for (Envelope message : messages) {
            if (!message.channel().equals(lastChannel)) {
                lastChannel = message.channel();
                lastAllowed =
                        access.allows(connection, Access.Operation.PUBLISH, namespace, lastChannel);
            }
            if (!lastAllowed) {
                refused.add(new Frame.Rejection(message.sequence(), ErrorCode.ACCESS_DENIED));
                continue;
            }
            try {
                passed.add(
                        interceptors.beforePublish(
                                access.principal(connection), namespace, message));
            } catch (NeuralCoreException e) {
                refused.add(new Frame.Rejection(message.sequence(), e.code()));
            }
        }
        return passed;
    }

    /** Tells of those that were taken. */
    void passed(
            String connection,
            String namespace,
            List<Envelope> messages,
            List<Frame.Rejection> rejections) {
        if (interceptors.isEmpty()) {
            return;
        }
        Set<Long> rejected =
                rejections.stream().map(Frame.Rejection::sequence).collect(Collectors.toSet());
        for (Envelope message : messages) {
            if (!rejected.contains(message.sequence())) {
                interceptors.afterPublish(access.principal(connection), namespace, message);
            }
        }
    }
}
