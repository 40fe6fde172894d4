package neuralcore.bridge;

import io.netty.buffer.Unpooled;
import io.vertx.core.internal.buffer.BufferInternal;
import io.vertx.core.net.NetSocket;
import java.nio.ByteBuffer;
import java.util.List;
import neuralcore.wire.Frame;
import neuralcore.wire.FrameCodec;

/** Frames over a TCP or unix socket; an attachment's memory goes to the network as it is. */
public final class SocketTransport implements Transport {
    private final NetSocket socket;

    public SocketTransport(NetSocket socket) {
        this.socket = socket;
    }

    @Override
    public Dialect dialect() {
        return Dialect.TCP;
    }

    @Override
    public Written write(Frame frame) {
        List<ByteBuffer> pieces = FrameCodec.encode(frame);
        var bytes = Unpooled.wrappedBuffer(pieces.toArray(ByteBuffer[]::new));
        int length = bytes.readableBytes();
        return new Written(length, socket.write(BufferInternal.buffer(bytes)));
    }

    @Override
    public void pauseReading() {
        socket.pause();
    }

    @Override
    public void resumeReading() {
        socket.resume();
    }

    @Override
    public void close() {
        socket.close();
    }
}
