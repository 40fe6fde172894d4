package verticles.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.junit5.VertxExtension;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(VertxExtension.class)
class KafkaReaderTest {
    private static final String BYTES =
            "org.apache.kafka.common.serialization.ByteArrayDeserializer";

    /** As where the answer to a question comes when the relay has been switched off. */
    @Test
    void aClosedOneIsNotBegunAnew(Vertx vertx) throws Exception {
        KafkaReader reader =
                new KafkaReader(
                        vertx,
                        Map.of(
                                "bootstrap.servers",
                                "127.0.0.1:1",
                                "group.id",
                                "g",
                                "key.deserializer",
                                BYTES,
                                "value.deserializer",
                                BYTES));
        reader.ask(to -> to.subscribe(Set.of("t"))).await(60, TimeUnit.SECONDS);

        Future<Void> closed = reader.close();
        AtomicBoolean asked = new AtomicBoolean();
        Future<?> late =
                reader.ask(
                        to -> {
                            asked.set(true);
                            return to.partitionsFor("t");
                        });

        assertThat(late.failed()).isTrue();
        assertThat(asked).isFalse();
        closed.await(60, TimeUnit.SECONDS);
    }
}
