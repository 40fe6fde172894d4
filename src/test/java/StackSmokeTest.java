import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.jdbcclient.JDBCConnectOptions;
import io.vertx.jdbcclient.JDBCPool;
import io.vertx.kafka.client.producer.KafkaProducer;
import io.vertx.redis.client.Redis;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.PoolOptions;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The pinned versions work together on this JDK: their patches differ, and mixing lines of Vert.x
 * fails only at run time.
 */
@Timeout(120)
class StackSmokeTest {

    @Test
    void thePinnedStackStartsTogether() throws Exception {
        Vertx vertx = Vertx.vertx();
        try {
            http(vertx);
            sqlite(vertx);
            redis(vertx);
            kafka(vertx);
        } finally {
            await(vertx.close());
        }
    }

    private static void http(Vertx vertx) throws Exception {
        Router router = Router.router(vertx);
        router.get("/").handler(context -> context.json(new JsonObject().put("ok", true)));
        var server = await(vertx.createHttpServer().requestHandler(router).listen(0, "127.0.0.1"));
        var request =
                await(
                        vertx.createHttpClient()
                                .request(
                                        io.vertx.core.http.HttpMethod.GET,
                                        server.actualPort(),
                                        "127.0.0.1",
                                        "/"));
        var body = await(request.send().compose(response -> response.body()));
        assertThat(body.toJsonObject().getBoolean("ok")).isTrue();
    }

    private static void sqlite(Vertx vertx) throws Exception {
        Pool pool =
                JDBCPool.pool(
                        vertx,
                        new JDBCConnectOptions().setJdbcUrl("jdbc:sqlite::memory:"),
                        new PoolOptions().setMaxSize(1));
        var rows = await(pool.query("select sqlite_version() as v").execute());
        assertThat(rows.iterator().next().getString(0)).startsWith("3.5");
        await(pool.close());
    }

    /** There is no server: a refused connection shows that the client itself works. */
    private static void redis(Vertx vertx) {
        Redis redis = Redis.createClient(vertx, "redis://127.0.0.1:1");
        assertThatThrownBy(() -> await(redis.connect())).hasMessageContaining("127.0.0.1");
        redis.close();
    }

    private static void kafka(Vertx vertx) throws Exception {
        KafkaProducer<String, String> producer =
                KafkaProducer.create(
                        vertx,
                        Map.of(
                                "bootstrap.servers", "127.0.0.1:1",
                                "key.serializer",
                                        "org.apache.kafka.common.serialization.StringSerializer",
                                "value.serializer",
                                        "org.apache.kafka.common.serialization.StringSerializer"));
        await(producer.close(1_000));
    }

    private static <T> T await(Future<T> future) throws Exception {
        return future.await(30, TimeUnit.SECONDS);
    }
}
