package neuralcore.bridge;

import java.nio.charset.StandardCharsets;
import neuralcore.eventbus.Addresses;
import neuralcore.wire.NeuralCoreException;

/** A bus channel as an address: {@code neuralcore.bus.<namespace>.<channel>}. */
record Channel(String namespace, String name) {

    Channel {
        check("namespace", namespace);
        check("channel name", name);
        if (namespace.indexOf('.') >= 0) {
            throw NeuralCoreException.invalid(
                    "The namespace '" + namespace + "' contains a dot; channel names may.");
        }
    }

    static boolean isChannel(String address) {
        return address.startsWith(Addresses.CHANNEL_PREFIX);
    }

    static Channel ofAddress(String address) {
        String rest = address.substring(Addresses.CHANNEL_PREFIX.length());
        int dot = rest.indexOf('.');
        if (dot < 0) {
            throw NeuralCoreException.invalid(
                    "'%s' names no channel; the form is %s<namespace>.<channel>."
                            .formatted(address, Addresses.CHANNEL_PREFIX));
        }
        return new Channel(rest.substring(0, dot), rest.substring(dot + 1));
    }

    String address() {
        return Addresses.CHANNEL_PREFIX + namespace + "." + name;
    }

    private static void check(String what, String value) {
        int length = value.getBytes(StandardCharsets.UTF_8).length;
        if (length == 0 || length > Limits.NAME_BYTES) {
            throw NeuralCoreException.invalid(
                    "A %s has %d bytes; it must have 1 to %d."
                            .formatted(what, length, Limits.NAME_BYTES));
        }
    }
}
