package neuralcore.bus;

import java.util.ArrayList;
import java.util.List;
import neuralcore.bus.Filter.Comparison;
import neuralcore.bus.Filter.Condition;
import neuralcore.bus.Filter.Literal;
import neuralcore.bus.Filter.Relation;
import neuralcore.bus.Filter.Value;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;

/**
 * Reads a {@link Filter} by recursive descent, from the loosest to the tightest binding: {@code
 * or}, {@code and}, {@code not}, comparison, value. Length and depth are bounded, so that an
 * expression costs no more than it looks like.
 */
final class FilterParser {
    private static final int MAX_LENGTH = 2_000;
    private static final int MAX_DEPTH = 32;

    private final String text;
    private int at;
    private int depth;

    FilterParser(String text) {
        if (text.length() > MAX_LENGTH) {
            throw NeuralCoreException.invalid(
                    "The filter has %d characters; it must have at most %d."
                            .formatted(text.length(), MAX_LENGTH));
        }
        this.text = text;
    }

    Condition parse() {
        Condition whole = either();
        skipSpace();
        if (at < text.length()) {
            throw wrong("the end, 'and' or 'or'");
        }
        return whole;
    }

    private Condition either() {
        Condition left = both();
        while (word("or")) {
            left = new Filter.Or(left, both());
        }
        return left;
    }

    private Condition both() {
        Condition left = negated();
        while (word("and")) {
            left = new Filter.And(left, negated());
        }
        return left;
    }

    private Condition negated() {
        if (++depth > MAX_DEPTH) {
            throw NeuralCoreException.invalid(
                    "The filter nests deeper than %d.".formatted(MAX_DEPTH));
        }
        try {
            if (word("not")) {
                return new Filter.Not(negated());
            }
            if (sign("(")) {
                Condition inner = either();
                require(")");
                return inner;
            }
            return comparison();
        } finally {
            depth--;
        }
    }

    private Condition comparison() {
        Value left = value();
        Relation relation = relation();
        if (relation != null) {
            return new Comparison(left, relation, value());
        }
        if (word("not")) {
            if (!word("in")) {
                throw wrong("'in'");
            }
            return new Filter.Not(new Comparison(left, Relation.IN, value()));
        }
        return new Filter.IsTrue(left);
    }

    private @Nullable Relation relation() {
        if (sign("==")) {
            return Relation.EQUAL;
        }
        if (sign("!=")) {
            return Relation.UNEQUAL;
        }
        if (sign("<=")) {
            return Relation.AT_MOST;
        }
        if (sign(">=")) {
            return Relation.AT_LEAST;
        }
        if (sign("<")) {
            return Relation.LESS;
        }
        if (sign(">")) {
            return Relation.MORE;
        }
        return word("in") ? Relation.IN : null;
    }

    private Value value() {
        skipSpace();
        char next = at < text.length() ? text.charAt(at) : ' ';
        if (next == '"' || next == '\'') {
            return new Literal(string(next));
        }
        if (next == '[') {
            return new Literal(list());
        }
        if (next == '-' || Character.isDigit(next)) {
            return new Literal(number());
        }
        return named(name());
    }

    private Value named(String name) {
        return switch (name) {
            case "true" -> new Literal(true);
            case "false" -> new Literal(false);
            case "null" -> new Literal(null);
            case "priority" -> new Filter.Priority();
            case "channel" -> new Filter.ChannelName();
            case "meta" -> {
                List<String> keys = new ArrayList<>();
                while (at < text.length() && text.charAt(at) == '.') {
                    at++;
                    keys.add(name());
                }
                yield new Filter.Meta(List.copyOf(keys));
            }
            default -> {
                at -= name.length();
                throw wrong("priority, channel, meta.…, a text, a number, true, false or null");
            }
        };
    }

    private List<@Nullable Object> list() {
        List<@Nullable Object> items = new ArrayList<>();
        require("[");
        while (!sign("]")) {
            if (!items.isEmpty()) {
                require(",");
            }
            if (!(value() instanceof Literal(Object item)) || item instanceof List) {
                throw wrong("a text, a number, true, false or null");
            }
            items.add(item);
        }
        return items;
    }

    private String string(char quote) {
        StringBuilder characters = new StringBuilder();
        for (at++; at < text.length() && text.charAt(at) != quote; at++) {
            if (text.charAt(at) == '\\' && at + 1 < text.length()) {
                at++;
            }
            characters.append(text.charAt(at));
        }
        if (at >= text.length()) {
            throw wrong("a closing " + quote);
        }
        at++;
        return characters.toString();
    }

    private Number number() {
        int start = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String digits = text.substring(start, at);
        try {
            if (digits.chars().allMatch(c -> c == '-' || c >= '0' && c <= '9')) {
                return Long.parseLong(digits);
            }
            return Double.parseDouble(digits);
        } catch (NumberFormatException e) {
            at = start;
            throw wrong("a number");
        }
    }

    private String name() {
        int start = at;
        while (at < text.length() && isNamePart(text.charAt(at))) {
            at++;
        }
        if (at == start) {
            throw wrong("a value");
        }
        return text.substring(start, at);
    }

    private static boolean isNamePart(char c) {
        return Character.isLetterOrDigit(c) || c == '_' || c == '-';
    }

    private boolean word(String word) {
        skipSpace();
        int end = at + word.length();
        if (text.startsWith(word, at) && (end == text.length() || !isNamePart(text.charAt(end)))) {
            at = end;
            return true;
        }
        return false;
    }

    private boolean sign(String sign) {
        skipSpace();
        if (text.startsWith(sign, at)) {
            at += sign.length();
            return true;
        }
        return false;
    }

    private void require(String sign) {
        if (!sign(sign)) {
            throw wrong("'" + sign + "'");
        }
    }

    private void skipSpace() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            at++;
        }
    }

    private NeuralCoreException wrong(String expected) {
        String rest = text.substring(Math.min(at, text.length()));
        String found = rest.isEmpty() ? "it ends" : "there is '%.20s'".formatted(rest);
        return NeuralCoreException.invalid(
                "The filter '%s' expects %s at character %d, where %s."
                        .formatted(text, expected, at + 1, found));
    }
}
