package neuralcore.config;

import java.net.InetAddress;

/** Tells addresses that only this machine reaches from all others, without asking any DNS. */
final class Loopback {
    private Loopback() {}

    /** An IPv6 address stands in brackets in URLs, where its colons would be taken for a port's. */
    static String withoutBrackets(String host) {
        return host.startsWith("[") && host.endsWith("]")
                ? host.substring(1, host.length() - 1)
                : host;
    }

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
