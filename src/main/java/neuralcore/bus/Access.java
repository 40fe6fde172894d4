package neuralcore.bus;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * Who may do what with which channels.
 *
 * <p>Without a rule everybody may do everything. As soon as there is one, only what a rule allows
 * is allowed. A rule reads {@code who operations channels}:
 *
 * <pre>
 * role:agent publish+subscribe atlas/llm.**
 * user:auditor replay atlas/**
 * * subscribe atlas/system.health
 * role:owner * *&#47;**
 * </pre>
 *
 * Private namespaces belong to one client and have no rules; nor have the dead letters that the bus
 * itself publishes. Immutable but for the principals, which are asked for each time.
 */
public final class Access {
    /** What rules are about. */
    public enum Operation {
        PUBLISH,
        SUBSCRIBE,
        /** Reading what has passed: history, and subscriptions that begin in the past. */
        REPLAY,
        /** Creating, configuring and removing channels, and what is done to their messages. */
        ADMIN
    }

    private record Rule(String who, Set<Operation> operations, Pattern namespace, Pattern channel) {

        boolean allows(Principal principal, Operation operation, String space, String name) {
            return operations.contains(operation)
                    && isMeant(principal)
                    && namespace.matches(space)
                    && channel.matches(name);
        }

        private boolean isMeant(Principal principal) {
            return who.equals("*")
                    || who.equals("user:" + principal.name())
                    || who.startsWith("role:") && principal.roles().contains(who.substring(5));
        }
    }

    private final List<Rule> rules = new ArrayList<>();
    private final Function<String, Principal> principals;

    /**
     * @param principals who is behind a connection
     * @throws NeuralCoreException {@code CONFIG_INVALID} for a rule that is none
     */
    public Access(List<String> rules, Function<String, Principal> principals) {
        this.principals = principals;
        rules.forEach(rule -> this.rules.add(parse(rule)));
    }

    /** Everybody may do everything. */
    public static Access open() {
        return new Access(List.of(), connection -> Principal.OWNER);
    }

    Principal principal(String connection) {
        return principals.apply(connection);
    }

    boolean isOpen() {
        return rules.isEmpty();
    }

    /** Whether whoever is behind a connection may do this; a channel may be a pattern. */
    boolean allows(String connection, Operation operation, String namespace, String channel) {
        if (rules.isEmpty() || Namespaces.isPrivate(namespace)) {
            return true;
        }
        Principal principal = principal(connection);
        return rules.stream()
                .anyMatch(rule -> rule.allows(principal, operation, namespace, channel));
    }

    /**
     * @throws NeuralCoreException {@code ACCESS_DENIED} if that is not allowed
     */
    void require(String connection, Operation operation, String namespace, String channel) {
        if (!allows(connection, operation, namespace, channel)) {
            throw new NeuralCoreException(
                    ErrorCode.ACCESS_DENIED,
                    "'%s' may not %s '%s' of namespace '%s'; bus.access says who may."
                            .formatted(
                                    principal(connection).name(),
                                    operation.name().toLowerCase(Locale.ROOT),
                                    channel,
                                    namespace));
        }
    }

    private static Rule parse(String text) {
        String[] words = text.trim().split("\\s+");
        int slash = words.length == 3 ? words[2].indexOf('/') : -1;
        if (slash < 0 || !words[0].matches("\\*|(user|role):\\S+")) {
            throw new NeuralCoreException(
                    ErrorCode.CONFIG_INVALID,
                    ("The access rule '%s' is none; one reads 'role:agent publish+subscribe"
                                    + " namespace/channel.**'.")
                            .formatted(text));
        }
        Set<Operation> operations = EnumSet.noneOf(Operation.class);
        for (String word : words[1].split("\\+")) {
            operations.addAll(operations(word, text));
        }
        return new Rule(
                words[0],
                operations,
                new Pattern(words[2].substring(0, slash)),
                new Pattern(words[2].substring(slash + 1)));
    }

    private static Set<Operation> operations(String word, String rule) {
        return switch (word) {
            case "*" -> EnumSet.allOf(Operation.class);
            case "publish" -> EnumSet.of(Operation.PUBLISH);
            case "subscribe" -> EnumSet.of(Operation.SUBSCRIBE);
            case "replay" -> EnumSet.of(Operation.REPLAY);
            case "admin" -> EnumSet.of(Operation.ADMIN);
            default ->
                    throw new NeuralCoreException(
                            ErrorCode.CONFIG_INVALID,
                            ("The access rule '%s' names '%s'; operations are publish, subscribe,"
                                            + " replay, admin and *.")
                                    .formatted(rule, word));
        };
    }
}
