package verticles.relay;

import io.vertx.core.Future;
import io.vertx.redis.client.Command;
import io.vertx.redis.client.RedisConnection;
import io.vertx.redis.client.Request;
import io.vertx.redis.client.Response;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import neuralcore.relay.Target;
import org.jspecify.annotations.Nullable;

/**
 * The connection on which a relay writes and asks; it knows how long the server has been silent
 * though it was asked.
 */
final class RedisCommands implements Sender {
    static final String DATA = "data";
    static final String ID = "id";

    private final RedisConnection connection;
    private int unanswered;
    private long askedNanos;
    private long answeredNanos = System.nanoTime();

    RedisCommands(RedisConnection connection) {
        this.connection = connection;
    }

    /** When the server last said something. */
    long answeredNanos() {
        return answeredNanos;
    }

    /** How long it has owed an answer; 0 if it owes none. */
    long silentNanos() {
        return unanswered == 0 ? 0 : System.nanoTime() - Math.max(askedNanos, answeredNanos);
    }

    Future<@Nullable Response> ping() {
        return send(Request.cmd(Command.PING));
    }

    Future<@Nullable Response> send(Request request) {
        asked();
        return connection.send(request).onComplete(answer -> answered());
    }

    private Future<List<@Nullable Response>> send(List<Request> requests) {
        asked();
        return connection.batch(requests).onComplete(answer -> answered());
    }

    @Override
    public Future<Map<Integer, String>> send(List<Item> items, Target target) {
        Future<?> answer =
                switch (target) {
                    case Target.PubSub _ -> publish(items);
                    case Target.Stream stream -> add(items, stream);
                    case Target.StreamGroup _, Target.Topic _, Target.TopicGroup _ ->
                            throw new IllegalStateException(target + " is not to be sent to");
                };
        return answer.map(done -> Map.of());
    }

    @Override
    public boolean isLoss(Throwable error) {
        return String.valueOf(error.getMessage()).contains("CONNECTION_CLOSED");
    }

    /** A message of no content, which nobody is to get but who sent it. */
    Future<?> beat(String channel) {
        return send(Request.cmd(Command.PUBLISH).arg(channel).arg(new byte[0]));
    }

    /** Publishes in order; how many of the messages met nobody does not matter. */
    private Future<?> publish(List<Item> items) {
        List<Request> requests = new ArrayList<>(items.size());
        for (Item item : items) {
            requests.add(Request.cmd(Command.PUBLISH).arg(item.target()).arg(item.data()));
        }
        return send(requests);
    }

    /** Adds to streams, all or none: so no message is there before an earlier one. */
    private Future<?> add(List<Item> items, Target.Stream target) {
        List<Request> requests = new ArrayList<>(items.size() + 2);
        if (items.size() > 1) {
            requests.add(Request.cmd(Command.MULTI));
        }
        for (Item item : items) {
            Request add = Request.cmd(Command.XADD).arg(item.target());
            if (target.trimMaxlen() > 0) {
                add.arg("MAXLEN").arg("~").arg(target.trimMaxlen());
            }
            requests.add(add.arg("*").arg(ID).arg(item.message().id()).arg(DATA).arg(item.data()));
        }
        if (items.size() == 1) {
            return send(requests.getFirst());
        }
        requests.add(Request.cmd(Command.EXEC));
        return send(requests).compose(RedisCommands::checked);
    }

    /** An error within a transaction is part of its answer, and not an error of the batch. */
    private static Future<List<@Nullable Response>> checked(List<@Nullable Response> answers) {
        Response executed = answers.getLast();
        if (executed == null) {
            return Future.failedFuture("the transaction was not executed");
        }
        for (Response each : executed) {
            if (each instanceof Throwable error) {
                return Future.failedFuture(error);
            }
        }
        return Future.succeededFuture(answers);
    }

    /** Tells a group that entries are done. */
    Future<?> done(Target.StreamGroup target, List<String> ids) {
        Request ack = Request.cmd(Command.XACK).arg(target.name()).arg(target.group());
        ids.forEach(ack::arg);
        if (!target.deleteOnAck()) {
            return send(ack);
        }
        Request delete = Request.cmd(Command.XDEL).arg(target.name());
        ids.forEach(delete::arg);
        return send(List.of(ack, delete));
    }

    private void asked() {
        if (unanswered++ == 0) {
            askedNanos = System.nanoTime();
        }
    }

    private void answered() {
        unanswered--;
        answeredNanos = System.nanoTime();
    }
}
