package neuralcore.ops;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * A socket's file outlives a daemon that was killed, and would keep the next one from listening.
 */
final class StaleSocket {
    private StaleSocket() {}

    /**
     * Removes the file if nobody answers there.
     *
     * @throws NeuralCoreException {@link ErrorCode#PORT_IN_USE} if somebody does, or if the file is
     *     no socket
     */
    static void remove(Path socket) throws IOException {
        if (!Files.exists(socket, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        BasicFileAttributes attributes =
                Files.readAttributes(socket, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        if (!attributes.isOther()) {
            throw inUse(socket + " is there already and is no socket");
        }
        if (answers(socket)) {
            throw inUse("Another daemon answers on " + socket);
        }
        Files.delete(socket);
    }

    static boolean answers(Path socket) {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            return channel.connect(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            return false;
        }
    }

    private static NeuralCoreException inUse(String reason) {
        return new NeuralCoreException(
                ErrorCode.PORT_IN_USE, reason + ". Choose another path with bridge.socket.");
    }
}
