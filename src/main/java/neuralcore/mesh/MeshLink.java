package neuralcore.mesh;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetSocket;
import io.vertx.core.parsetools.RecordParser;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.function.BiConsumer;
import neuralcore.cluster.Handshake;
import neuralcore.cluster.Passport;
import neuralcore.wire.Json;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Params;
import org.jspecify.annotations.Nullable;

/**
 * One connection between two nodes: JSON objects, each with its length in four bytes before it. For
 * one event loop.
 */
final class MeshLink {
    private static final int LENGTH_BYTES = 4;

    /** Of somebody who has not yet proved to know the secret. */
    private static final int MOST_OF_A_STRANGER = 16 << 10;

    private static final int MOST_OF_A_PEER = 1 << 20;

    /** Beyond it, what is not read by the other side is not worth the memory. */
    private static final int MOST_UNSENT = 16 << 20;

    private final NetSocket socket;
    private final Handshake handshake;
    private final @Nullable String target;
    private final long beganNanos = System.nanoTime();
    private final RecordParser parser = RecordParser.newFixed(LENGTH_BYTES);
    private boolean inLength = true;
    private long heardNanos = beganNanos;
    private @Nullable Passport peer;

    /**
     * @param target what was dialled; null if the other side has
     */
    MeshLink(NetSocket socket, Handshake handshake, @Nullable String target) {
        this.socket = socket;
        this.handshake = handshake;
        this.target = target;
    }

    /** Hands each message on; what is no message ends the link. */
    void open(BiConsumer<MeshLink, Params> messages) {
        parser.handler(part -> take(part, messages));
        socket.setWriteQueueMaxSize(MOST_UNSENT);
        socket.handler(parser);
    }

    private void take(Buffer part, BiConsumer<MeshLink, Params> messages) {
        if (!inLength) {
            inLength = true;
            parser.fixedSizeMode(LENGTH_BYTES);
            heardNanos = System.nanoTime();
            try {
                messages.accept(
                        this, new Params(Json.readObject(ByteBuffer.wrap(part.getBytes()))));
            } catch (NeuralCoreException e) {
                close();
            }
            return;
        }
        int length = part.getInt(0);
        if (length <= 0 || length > (peer == null ? MOST_OF_A_STRANGER : MOST_OF_A_PEER)) {
            socket.handler(ignored -> {});
            close();
            return;
        }
        inLength = false;
        parser.fixedSizeMode(length);
    }

    void say(Map<String, @Nullable Object> message) {
        if (message.isEmpty()) {
            return;
        }
        byte[] bytes = Json.write(message);
        socket.write(
                Buffer.buffer(LENGTH_BYTES + bytes.length)
                        .appendInt(bytes.length)
                        .appendBytes(bytes));
        if (socket.writeQueueFull()) {
            close();
        }
    }

    void close() {
        socket.close();
    }

    Handshake handshake() {
        return handshake;
    }

    NetSocket socket() {
        return socket;
    }

    @Nullable String target() {
        return target;
    }

    /** Null until the other side has proved to know the secret. */
    @Nullable Passport peer() {
        return peer;
    }

    void met(Passport passport) {
        peer = passport;
    }

    /** Which of the two nodes has dialled. */
    String caller(String self, Passport other) {
        return target == null ? other.node() : self;
    }

    long silentMillis(long nowNanos) {
        return (nowNanos - heardNanos) / 1_000_000;
    }

    /** We were held up ourselves, and have not listened. */
    void excuse(long nanos) {
        heardNanos += nanos;
    }

    long ageMillis(long nowNanos) {
        return (nowNanos - beganNanos) / 1_000_000;
    }
}
