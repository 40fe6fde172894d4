package verticles.relay;

import java.nio.charset.StandardCharsets;
import java.util.List;
import neuralcore.relay.Inbound;
import neuralcore.relay.Incoming;
import neuralcore.relay.Route;
import neuralcore.relay.Target;
import neuralcore.wire.Envelope;
import neuralcore.wire.NeuralCoreException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the bus gets of a topic's records: a message, one for the dead letters, or nothing, where it
 * is no message or has been here before. Belongs to the relay's event loop.
 */
final class KafkaEntries {
    private static final Logger log = LoggerFactory.getLogger(KafkaEntries.class);
    private static final int LONGEST_KEY = 64;

    private final RelayContext relay;
    private final Route.In route;
    private final Target.TopicGroup topic;

    KafkaEntries(RelayContext relay, Route.In route, Target.TopicGroup topic) {
        this.relay = relay;
        this.route = route;
        this.topic = topic;
    }

    /**
     * @param publisher whose message it is to the bus: the partition
     */
    Inbound.Entry of(ConsumerRecord<byte[], byte[]> record, long publisher) {
        String id = Long.toString(record.offset());
        String key = key(record);
        try {
            if (record.value() == null) {
                throw NeuralCoreException.invalid("It has no value.");
            }
            Incoming incoming = relay.codec().decode(record.value());
            if (isLoop(incoming, record)) {
                relay.metrics().loops++;
                return new Inbound.Entry(id, key, null);
            }
            Envelope message =
                    incoming.toEnvelope(
                            route.channel(),
                            publisher,
                            record.offset() + 1,
                            RelayContext.nowEpochNanos(),
                            relay.config().name(),
                            relay.place(topic.name()));
            return new Inbound.Entry(id, key, message, relay.refusal(message, incoming));
        } catch (NeuralCoreException e) {
            if (relay.metrics().malformed++ == 0) {
                log.warn(
                        "Relay {}: message {} of {}-{} is passed over, as more may be: {}",
                        relay.config().name(),
                        record.offset(),
                        topic.name(),
                        record.partition(),
                        e.getMessage());
            }
            return new Inbound.Entry(id, key, null);
        }
    }

    private static String key(ConsumerRecord<byte[], byte[]> record) {
        Header id = record.headers().lastHeader(KafkaSender.ID);
        return id == null || id.value() == null || id.value().length > LONGEST_KEY
                ? ""
                : new String(id.value(), StandardCharsets.UTF_8);
    }

    private boolean isLoop(Incoming incoming, ConsumerRecord<byte[], byte[]> record) {
        // The header says it also of messages whose form has no place for it.
        List<String> passed = hops(record);
        if (!incoming.isLoop(relay.node()) && !passed.contains(relay.node())) {
            return false;
        }
        return !route.own()
                || !passed.equals(List.of(relay.node()))
                || !(incoming.hops().isEmpty() || incoming.isOwn(relay.node()));
    }

    private static List<String> hops(ConsumerRecord<byte[], byte[]> record) {
        Header hops = record.headers().lastHeader(KafkaSender.HOPS);
        return hops == null || hops.value() == null
                ? List.of()
                : List.of(new String(hops.value(), StandardCharsets.UTF_8).split(","));
    }
}
