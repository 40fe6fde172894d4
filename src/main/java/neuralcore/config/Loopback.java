package neuralcore.config;

import java.net.InetAddress;

/** Tells addresses that only this machine reaches from all others, without asking any DNS. */
final class Loopback {
    private Loopback() {}

    static boolean matches(String host) {
        if (host.equals("localhost")) {
            return true;
        }
        try {
            return InetAddress.ofLiteral(host).isLoopbackAddress();
        } catch (IllegalArgumentException notAnAddress) {
            return false;
        }
    }
}
