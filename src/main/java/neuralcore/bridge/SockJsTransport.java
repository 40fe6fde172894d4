package neuralcore.bridge;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.net.impl.VertxConnection;
import io.vertx.ext.web.handler.sockjs.SockJSSocket;
import neuralcore.wire.Frame;
import neuralcore.wire.Json;

/**
 * JSON frames over SockJS on a WebSocket, which frames them itself. Binary frames have no form
 * here.
 */
public final class SockJsTransport implements Transport {
    private final SockJSSocket socket;

    public SockJsTransport(SockJSSocket socket) {
        this.socket = socket;
    }

    @Override
    public Dialect dialect() {
        return Dialect.SOCKJS;
    }

    @Override
    public Written write(Frame frame) {
        if (!(frame instanceof Frame.Text text)) {
            throw new IllegalArgumentException("SockJS carries no binary frame: " + frame);
        }
        byte[] bytes = Json.write(text.json());
        return new Written(bytes.length, socket.write(Buffer.buffer(bytes).toString()));
    }

    /** The session's own pause would go on reading, and keep what comes without bound. */
    @Override
    public void pauseReading() {
        read(false);
    }

    @Override
    public void resumeReading() {
        read(true);
    }

    private void read(boolean on) {
        HttpConnection connection = socket.routingContext().request().connection();
        ((VertxConnection) connection).channel().config().setAutoRead(on);
    }

    @Override
    public void close() {
        socket.close();
    }
}
