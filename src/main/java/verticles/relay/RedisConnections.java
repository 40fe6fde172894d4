package verticles.relay;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.redis.client.Redis;
import io.vertx.redis.client.RedisClientType;
import io.vertx.redis.client.RedisConnection;
import io.vertx.redis.client.RedisOptions;
import io.vertx.redis.client.RedisRole;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import neuralcore.relay.RedisSettings;
import neuralcore.relay.RelayConfig;

/**
 * The connections of one attempt to reach a Redis server. They live and end together: if one is
 * lost, all are closed, and nothing is heard of any of them again.
 */
final class RedisConnections {
    /** Commands that may wait for their answers on one connection. */
    static final int MOST_WAITING = 1 << 16;

    /** Of each client: one to the server, and one to each sentinel that is asked for it. */
    private static final int MOST_SENTINELS = 16;

    /** Of each client, one to each node. */
    private static final int MOST_NODES = 256;

    private final Vertx vertx;
    private final RelayConfig config;
    private final Consumer<String> lost;
    private final List<Redis> clients = new ArrayList<>();
    private boolean closed;

    /**
     * @param lost told once, with the reason
     */
    RedisConnections(Vertx vertx, RelayConfig config, Consumer<String> lost) {
        this.vertx = vertx;
        this.config = config;
        this.lost = lost;
    }

    /** One connection more; it fails if it is not ready within the time for answers. */
    Future<RedisConnection> open() {
        return open(placed());
    }

    /**
     * As {@link #open}, but in a cluster to one of its nodes alone: each node hears what is
     * published at any.
     */
    Future<RedisConnection> openToOne() {
        RedisSettings redis = config.redis();
        if (!redis.cluster()) {
            return open();
        }
        List<String> urls = new ArrayList<>(redis.nodes());
        urls.addFirst(config.url());
        String one = urls.get((int) (System.nanoTime() >>> 10 & 0xffff) % urls.size());
        return open(new RedisOptions().addConnectionString(one).setMaxPoolSize(1));
    }

    private Future<RedisConnection> open(RedisOptions placed) {
        Promise<RedisConnection> ready = Promise.promise();
        RedisOptions options =
                placed.setMaxPoolWaiting(MOST_NODES)
                        .setPoolCleanerInterval(-1)
                        .setMaxWaitingHandlers(MOST_WAITING)
                        .setNetClientOptions(wire());
        String password = config.password().read(System.getenv());
        if (password != null) {
            options.setPassword(password);
        }
        if (!config.user().isEmpty()) {
            options.setUser(config.user());
        }
        Redis client = Redis.createClient(vertx, options);
        clients.add(client);
        // A server that takes the connection and says nothing would hold up the greeting for ever.
        long timer =
                vertx.setTimer(
                        config.answerMillis(),
                        fired ->
                                ready.tryFail(
                                        "%s did not answer within %d ms"
                                                .formatted(config.url(), config.answerMillis())));
        client.connect().onComplete(ready::tryComplete, ready::tryFail);
        return ready.future()
                .onComplete(outcome -> vertx.cancelTimer(timer))
                .onSuccess(
                        connection -> {
                            connection.exceptionHandler(e -> end(String.valueOf(e.getMessage())));
                            connection.endHandler(end -> end("the server closed the connection"));
                        });
    }

    private RedisOptions placed() {
        RedisSettings redis = config.redis();
        RedisOptions options = new RedisOptions();
        if (!redis.sentinels().isEmpty()) {
            return options.setType(RedisClientType.SENTINEL)
                    .setEndpoints(redis.sentinels())
                    .setMasterName(redis.master())
                    .setRole(RedisRole.MASTER)
                    .setMaxPoolSize(MOST_SENTINELS);
        }
        options.addConnectionString(config.url()).setMaxPoolSize(1);
        if (redis.cluster()) {
            redis.nodes().forEach(options::addConnectionString);
            options.setType(RedisClientType.CLUSTER).setMaxPoolSize(MOST_NODES);
        }
        return options;
    }

    private NetClientOptions wire() {
        RedisSettings redis = config.redis();
        NetClientOptions options =
                new NetClientOptions()
                        .setTcpNoDelay(true)
                        .setConnectTimeout((int) config.answerMillis());
        if (!config.url().startsWith("rediss:")) {
            return options;
        }
        options.setSsl(true).setHostnameVerificationAlgorithm(redis.verifyHost() ? "HTTPS" : "");
        String ca = redis.caFile();
        if (ca != null) {
            options.setTrustOptions(new PemTrustOptions().addCertPath(ca));
        }
        String certificate = redis.certificateFile();
        String key = redis.keyFile();
        if (certificate != null && key != null) {
            options.setKeyCertOptions(
                    new PemKeyCertOptions().addCertPath(certificate).addKeyPath(key));
        }
        return options;
    }

    boolean isClosed() {
        return closed;
    }

    /** Something is wrong with one of them. */
    void end(String reason) {
        if (!closed) {
            close();
            lost.accept(reason);
        }
    }

    void close() {
        closed = true;
        clients.forEach(Redis::close);
        clients.clear();
    }
}
