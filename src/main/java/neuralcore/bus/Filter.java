package neuralcore.bus;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which messages a subscription wants, decided where they are, so that others do not travel:
 *
 * <pre>priority &lt;= 5 and meta.kind in ["task", "job"] and not meta.customs.quiet</pre>
 *
 * <p>Values are {@code priority}, {@code channel}, {@code meta} and its keys, strings, numbers,
 * {@code true}, {@code false} and {@code null}, which is also what is not there. A value by itself
 * holds if it is {@code true}. {@code a in b} asks for an element of a list or a part of a text.
 * What has different types is unequal, and neither less nor more. Immutable.
 */
public final class Filter {
    private final String text;
    private final Condition condition;

    private Filter(String text, Condition condition) {
        this.text = text;
        this.condition = condition;
    }

    /**
     * @throws neuralcore.wire.NeuralCoreException {@code INVALID_REQUEST} that names the place
     */
    public static Filter parse(String text) {
        return new Filter(text, new FilterParser(text).parse());
    }

    boolean matches(Subject message) {
        return condition.holds(message);
    }

    @Override
    public String toString() {
        return text;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Filter filter && filter.text.equals(text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    /** What holds or does not. */
    sealed interface Condition {
        boolean holds(Subject message);
    }

    record And(Condition left, Condition right) implements Condition {
        @Override
        public boolean holds(Subject message) {
            return left.holds(message) && right.holds(message);
        }
    }

    record Or(Condition left, Condition right) implements Condition {
        @Override
        public boolean holds(Subject message) {
            return left.holds(message) || right.holds(message);
        }
    }

    record Not(Condition of) implements Condition {
        @Override
        public boolean holds(Subject message) {
            return !of.holds(message);
        }
    }

    record IsTrue(Value value) implements Condition {
        @Override
        public boolean holds(Subject message) {
            return Boolean.TRUE.equals(value.in(message));
        }
    }

    enum Relation {
        EQUAL,
        UNEQUAL,
        LESS,
        AT_MOST,
        MORE,
        AT_LEAST,
        IN
    }

    record Comparison(Value left, Relation relation, Value right) implements Condition {
        @Override
        public boolean holds(Subject message) {
            Object a = left.in(message);
            Object b = right.in(message);
            return switch (relation) {
                case EQUAL -> equal(a, b);
                case UNEQUAL -> !equal(a, b);
                case LESS -> comparable(a, b) && order(a, b) < 0;
                case AT_MOST -> comparable(a, b) && order(a, b) <= 0;
                case MORE -> comparable(a, b) && order(a, b) > 0;
                case AT_LEAST -> comparable(a, b) && order(a, b) >= 0;
                case IN -> contains(b, a);
            };
        }

        private static boolean equal(@Nullable Object a, @Nullable Object b) {
            return comparable(a, b) ? order(a, b) == 0 : a == null ? b == null : a.equals(b);
        }

        /** Both numbers or both texts; NaN compares to nothing. */
        private static boolean comparable(@Nullable Object a, @Nullable Object b) {
            return a instanceof Number x
                            && b instanceof Number y
                            && !Double.isNaN(x.doubleValue())
                            && !Double.isNaN(y.doubleValue())
                    || a instanceof String && b instanceof String;
        }

        private static int order(@Nullable Object a, @Nullable Object b) {
            if (a instanceof String x && b instanceof String y) {
                return x.compareTo(y);
            }
            if (a instanceof Long x && b instanceof Long y) {
                return Long.compare(x, y);
            }
            return a instanceof Number x && b instanceof Number y
                    ? Double.compare(x.doubleValue() + 0.0, y.doubleValue() + 0.0)
                    : 0;
        }

        private static boolean contains(@Nullable Object whole, @Nullable Object part) {
            return switch (whole) {
                case List<?> list -> list.stream().anyMatch(item -> equal(part, item));
                case String text -> part instanceof String wanted && text.contains(wanted);
                case null, default -> false;
            };
        }
    }

    /** What has a value. */
    sealed interface Value {
        @Nullable Object in(Subject message);
    }

    record Literal(@Nullable Object value) implements Value {
        @Override
        public @Nullable Object in(Subject message) {
            return value;
        }
    }

    record Priority() implements Value {
        @Override
        public Object in(Subject message) {
            return message.envelope().priority();
        }
    }

    record ChannelName() implements Value {
        @Override
        public Object in(Subject message) {
            return message.envelope().channel();
        }
    }

    record Meta(List<String> keys) implements Value {
        @Override
        public @Nullable Object in(Subject message) {
            return message.meta(keys);
        }
    }
}
