package neuralcore.bus;

import java.util.ArrayList;
import java.util.List;
import neuralcore.wire.Delivery;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All {@link Interceptor}s of a daemon, called as one; what fails in one stays there. */
public final class Interceptors {
    private static final Logger log = LoggerFactory.getLogger(Interceptors.class);

    private final List<Interceptor> all;

    public Interceptors(List<Interceptor> all) {
        this.all = List.copyOf(all);
    }

    /**
     * Makes one of each class.
     *
     * @throws NeuralCoreException {@code CONFIG_INVALID} for a name that is no such class
     */
    public static Interceptors load(List<String> classNames) {
        List<Interceptor> all = new ArrayList<>();
        for (String name : classNames) {
            try {
                Class<? extends Interceptor> type =
                        Class.forName(name).asSubclass(Interceptor.class);
                all.add(type.getConstructor().newInstance());
            } catch (ReflectiveOperationException | ClassCastException e) {
                throw new NeuralCoreException(
                        ErrorCode.CONFIG_INVALID,
                        ("bus.interceptors names %s, which is no class with a public constructor"
                                        + " that implements %s: %s")
                                .formatted(name, Interceptor.class.getName(), e),
                        e);
            }
        }
        return new Interceptors(all);
    }

    boolean isEmpty() {
        return all.isEmpty();
    }

    Envelope beforePublish(Principal principal, String namespace, Envelope message) {
        Envelope current = message;
        for (Interceptor interceptor : all) {
            try {
                current = interceptor.beforePublish(principal, namespace, current);
            } catch (NeuralCoreException refused) {
                throw refused;
            } catch (RuntimeException e) {
                log.error("{} failed before a publish", interceptor.getClass().getName(), e);
                throw new NeuralCoreException(ErrorCode.INTERNAL, "An interceptor failed: " + e, e);
            }
        }
        return current;
    }

    void afterPublish(Principal principal, String namespace, Envelope message) {
        for (Interceptor interceptor : all) {
            try {
                interceptor.afterPublish(principal, namespace, message);
            } catch (RuntimeException e) {
                log.error("{} failed after a publish", interceptor.getClass().getName(), e);
            }
        }
    }

    /** One that fails leaves the delivery as it was. */
    Delivery beforeDelivery(String connection, Delivery delivery) {
        Delivery current = delivery;
        for (Interceptor interceptor : all) {
            try {
                current =
                        new Delivery(
                                delivery.subscription(),
                                delivery.sequence(),
                                delivery.channelSequence(),
                                delivery.attempt(),
                                delivery.replayed(),
                                interceptor.beforeDelivery(connection, current));
            } catch (RuntimeException e) {
                log.error("{} failed before a delivery", interceptor.getClass().getName(), e);
            }
        }
        return current;
    }
}
