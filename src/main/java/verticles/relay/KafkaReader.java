package verticles.relay;

import io.vertx.core.Future;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.kafka.client.consumer.KafkaReadStream;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.TopicPartition;

/**
 * A Kafka consumer that nothing more is asked of once it is closed. Vert.x's would begin anew, on a
 * second thread, beside the first that is closing it; then its end is never told, and the thread
 * stays. Belongs to the relay's event loop.
 */
final class KafkaReader {
    private final KafkaReadStream<byte[], byte[]> stream;
    private boolean closed;

    KafkaReader(Vertx vertx, Map<String, Object> properties) {
        this.stream = KafkaReadStream.create(vertx, properties, byte[].class, byte[].class);
    }

    /** Fails without asking if this is closed. */
    <T> Future<T> ask(Function<KafkaReadStream<byte[], byte[]>, Future<T>> question) {
        return closed ? Future.failedFuture("the consumer is closed") : question.apply(stream);
    }

    void onRevoked(Handler<Set<TopicPartition>> handler) {
        stream.partitionsRevokedHandler(handler);
    }

    Map<MetricName, ? extends Metric> metrics() {
        return stream.unwrap().metrics();
    }

    Future<Void> close() {
        closed = true;
        return stream.close();
    }
}
