package neuralcore.bridge;

import java.util.List;
import neuralcore.eventbus.Addresses;

/**
 * Default-deny lists of addresses. An entry is an address, or a prefix that ends with {@code *}.
 * Addresses between verticles are never let through, whatever the lists say.
 */
public final class AddressRules {
    private final List<String> inbound;
    private final List<String> outbound;

    /**
     * @param inbound what clients may send and publish to
     * @param outbound what clients may register at
     */
    public AddressRules(List<String> inbound, List<String> outbound) {
        this.inbound = List.copyOf(inbound);
        this.outbound = List.copyOf(outbound);
    }

    boolean inboundAllowed(String address) {
        return allowed(inbound, address);
    }

    boolean outboundAllowed(String address) {
        return allowed(outbound, address);
    }

    private static boolean allowed(List<String> rules, String address) {
        if (address.startsWith(Addresses.INTERNAL_PREFIX)) {
            return false;
        }
        for (String rule : rules) {
            boolean matches =
                    rule.endsWith("*")
                            ? address.startsWith(rule.substring(0, rule.length() - 1))
                            : address.equals(rule);
            if (matches) {
                return true;
            }
        }
        return false;
    }
}
