package verticles.relay;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.common.KafkaFuture;

/**
 * The cluster as something that can be asked, and that may be silent. One question of a kind is
 * under way at a time; who asks meanwhile shares its answer. Belongs to its relay's event loop.
 */
final class KafkaCluster {
    private final Vertx vertx;
    private final Context context;
    private final Admin admin;
    private final int patienceMillis;
    private Future<Void> asked = Future.succeededFuture();
    private boolean asking;
    private long askedNanos;
    private long answeredNanos;

    KafkaCluster(Vertx vertx, Admin admin, int patienceMillis) {
        this.vertx = vertx;
        this.context = vertx.getOrCreateContext();
        this.admin = admin;
        this.patienceMillis = patienceMillis;
    }

    /** When it last said something; 0 for never. */
    long answeredNanos() {
        return answeredNanos;
    }

    /** How long it has owed an answer; 0 if it owes none. */
    long silentNanos() {
        return asking ? System.nanoTime() - askedNanos : 0;
    }

    /** Done when the cluster answers. */
    Future<Void> ask() {
        if (!asking) {
            asking = true;
            askedNanos = System.nanoTime();
            asked =
                    here(admin.describeCluster(
                                            new DescribeClusterOptions().timeoutMs(patienceMillis))
                                    .clusterId())
                            .onComplete(answer -> asking = false)
                            .onSuccess(answer -> answeredNanos = System.nanoTime())
                            .mapEmpty();
        }
        return asked;
    }

    /** What a topic is called that no other of the same name ever is. */
    Future<String> identity(String topic) {
        return here(admin.describeTopics(
                                List.of(topic),
                                new DescribeTopicsOptions().timeoutMs(patienceMillis))
                        .allTopicNames())
                .map(found -> Objects.requireNonNull(found.get(topic)).topicId().toString());
    }

    private <T> Future<T> here(KafkaFuture<T> there) {
        Promise<T> here = Promise.promise();
        there.whenComplete(
                (answer, error) ->
                        context.runOnContext(
                                back -> {
                                    if (error == null) {
                                        here.complete(answer);
                                    } else {
                                        here.fail(error);
                                    }
                                }));
        return here.future();
    }

    void close() {
        vertx.executeBlocking(
                () -> {
                    admin.close(Duration.ZERO);
                    return null;
                },
                false);
    }
}
