package verticles;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import neuralcore.wire.Frame;
import neuralcore.wire.FrameCodec;
import neuralcore.wire.FrameReader;
import neuralcore.wire.Tensor;

/** A blocking client that speaks in frames, for tests. */
final class FrameClient implements AutoCloseable {
    private final SocketChannel channel;
    private final FrameReader reader = new FrameReader(1 << 26, 1 << 26);
    private final Queue<Frame> received = new ArrayDeque<>();
    private int correlation;

    private FrameClient(SocketAddress address) throws IOException {
        channel =
                address instanceof UnixDomainSocketAddress
                        ? SocketChannel.open(StandardProtocolFamily.UNIX)
                        : SocketChannel.open();
        channel.connect(address);
        if (address instanceof InetSocketAddress) {
            // Each small write would wait 40 ms for the acknowledgement of the one before.
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        }
    }

    static FrameClient tcp(int port) throws IOException {
        return new FrameClient(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    }

    static FrameClient unix(Path socket) throws IOException {
        return new FrameClient(UnixDomainSocketAddress.of(socket));
    }

    FrameClient authenticate(String token) throws IOException {
        send(json("type", "auth", "token", token, "protocol", 1));
        Map<String, Object> answer = receiveText();
        if (!Boolean.TRUE.equals(answer.get("ok"))) {
            throw new IOException("refused: " + answer);
        }
        return this;
    }

    static Map<String, Object> json(Object... namesAndValues) {
        Map<String, Object> json = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            json.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return json;
    }

    void send(Map<String, Object> json) throws IOException {
        send(new Frame.Text(json));
    }

    void send(Frame frame) throws IOException {
        sendBytes(FrameCodec.encodeToArray(frame));
    }

    void sendBytes(byte... bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    /** The answer to a call, or the failure. */
    Frame call(String address, Map<String, Object> params, Tensor... tensors) throws IOException {
        send(new Frame.Call(++correlation, address, 0, params, List.of(tensors)));
        return receive();
    }

    Map<String, Object> receiveText() throws IOException {
        return ((Frame.Text) receive()).json();
    }

    /** The next frame; EOFException once the daemon has closed the connection. */
    Frame receive() throws IOException {
        while (received.isEmpty()) {
            ByteBuffer chunk = ByteBuffer.allocate(1 << 16);
            if (channel.read(chunk) < 0) {
                throw new EOFException("closed by the daemon");
            }
            reader.feed(
                    chunk.flip(),
                    payload -> {
                        ByteBuffer copy = ByteBuffer.allocate(payload.remaining());
                        received.add(FrameCodec.decode(copy.put(payload).flip()));
                    });
        }
        return received.remove();
    }

    boolean isClosedByDaemon() {
        try {
            receive();
            return false;
        } catch (IOException e) {
            return true;
        }
    }

    SocketChannel channel() {
        return channel;
    }

    @Override
    public void close() throws IOException {
        Channels.newOutputStream(channel).close();
    }
}
