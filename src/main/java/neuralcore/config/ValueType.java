package neuralcore.config;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which values a setting can have, and how they are read and shown. Every start reads the whole
 * table: nothing here formats, which would load the machine's locales.
 *
 * @param expected ends the sentence "it must be …"
 * @param parser throws {@link IllegalArgumentException} for what is not such a value
 * @param shown the value as one would write it
 */
record ValueType<T>(String expected, Function<Given, T> parser, Function<T, String> shown) {
    /** The system's limit is 108 on Linux and 104 on macOS, with a closing zero. */
    private static final int LONGEST_SOCKET_PATH = 100;

    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})\\s*(ms|s|m|h|d)");
    private static final Pattern BYTES =
            Pattern.compile("(\\d{1,18})\\s*([KMGT]i?B?|B)?", Pattern.CASE_INSENSITIVE);

    static ValueType<Integer> integer(int min, int max) {
        return new ValueType<>(
                "a whole number between " + min + " and " + max,
                given -> Math.toIntExact(within(Long.parseLong(given.scalar()), min, max)),
                String::valueOf);
    }

    static ValueType<Long> longInteger(long min, long max) {
        return new ValueType<>(
                "a whole number between " + min + " and " + max,
                given -> within(Long.parseLong(given.scalar()), min, max),
                String::valueOf);
    }

    static ValueType<Long> bytes(long min, long max) {
        return new ValueType<>(
                "a size between " + showBytes(min) + " and " + showBytes(max) + ", such as 16 MiB",
                given -> within(parseBytes(given.scalar()), min, max),
                ValueType::showBytes);
    }

    static ValueType<Duration> duration(Duration min, Duration max) {
        return new ValueType<>(
                "a time between "
                        + showDuration(min)
                        + " and "
                        + showDuration(max)
                        + " with its unit (ms, s, m, h or d)",
                given -> {
                    Duration value = parseDuration(given.scalar());
                    within(value.toMillis(), min.toMillis(), max.toMillis());
                    return value;
                },
                ValueType::showDuration);
    }

    static ValueType<Boolean> bool() {
        return new ValueType<>(
                "true or false",
                given ->
                        switch (given.scalar().toLowerCase(Locale.ROOT)) {
                            case "true", "yes", "on", "1" -> true;
                            case "false", "no", "off", "0" -> false;
                            default -> throw new IllegalArgumentException("not a truth value");
                        },
                String::valueOf);
    }

    static ValueType<String> choice(List<String> choices) {
        return new ValueType<>(
                "one of " + String.join(", ", choices),
                given -> {
                    String value = given.scalar().toLowerCase(Locale.ROOT);
                    require(choices.contains(value));
                    return value;
                },
                Function.identity());
    }

    static ValueType<String> text(String expected, Pattern pattern) {
        return new ValueType<>(
                expected,
                given -> {
                    require(pattern.matcher(given.scalar()).matches());
                    return given.scalar();
                },
                Function.identity());
    }

    /** An address of this machine only: without TLS nothing else may be listened on. */
    static ValueType<String> loopback() {
        return new ValueType<>(
                "a loopback address such as 127.0.0.1 or ::1, because connections are not encrypted",
                given -> {
                    String host = Loopback.withoutBrackets(given.scalar());
                    require(Loopback.matches(host));
                    return host;
                },
                Function.identity());
    }

    static ValueType<List<String>> texts(String expected, Pattern pattern) {
        return new ValueType<>(
                expected,
                given -> {
                    List<String> items = given.list();
                    require(items.stream().allMatch(item -> pattern.matcher(item).matches()));
                    return items;
                },
                ValueType::showList);
    }

    static ValueType<Path> path() {
        return new ValueType<>(
                "a path",
                given -> {
                    String text = given.scalar();
                    require(!text.isEmpty());
                    boolean home = text.equals("~") || text.startsWith("~/");
                    Path base = home ? Platform.homeFolder() : given.base();
                    String relative = home ? text.substring(Math.min(2, text.length())) : text;
                    return base.resolve(relative).toAbsolutePath().normalize();
                },
                Path::toString);
    }

    /** A path that a unix socket can have. */
    static ValueType<Path> socketPath() {
        return new ValueType<>(
                "a path of at most " + LONGEST_SOCKET_PATH + " bytes",
                given -> {
                    Path path = path().parser().apply(given);
                    require(fitsSocket(path));
                    return path;
                },
                Path::toString);
    }

    static boolean fitsSocket(Path path) {
        return path.toString().getBytes(StandardCharsets.UTF_8).length <= LONGEST_SOCKET_PATH;
    }

    static ValueType<Set<RuntimeConfig.Role>> roles() {
        return new ValueType<>(
                "some of bus, vectors, embedding, bridge, web, relay",
                given -> {
                    Set<RuntimeConfig.Role> roles = EnumSet.noneOf(RuntimeConfig.Role.class);
                    for (String role : given.list()) {
                        roles.add(RuntimeConfig.Role.valueOf(role.toUpperCase(Locale.ROOT)));
                    }
                    require(!roles.isEmpty());
                    return roles;
                },
                roles ->
                        showList(
                                roles.stream()
                                        .sorted()
                                        .map(role -> role.name().toLowerCase(Locale.ROOT))
                                        .toList()));
    }

    private static Duration parseDuration(String text) {
        if (text.equals("0")) {
            return Duration.ZERO;
        }
        Matcher matcher = DURATION.matcher(text);
        require(matcher.matches());
        long amount = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            case "h" -> Duration.ofHours(amount);
            default -> Duration.ofDays(amount);
        };
    }

    private static String showDuration(Duration value) {
        long millis = value.toMillis();
        if (millis == 0) {
            return "0";
        }
        if (millis % 1_000 != 0) {
            return millis + "ms";
        }
        long seconds = millis / 1_000;
        if (seconds % 86_400 == 0) {
            return seconds / 86_400 + "d";
        }
        if (seconds % 3_600 == 0) {
            return seconds / 3_600 + "h";
        }
        return seconds % 60 == 0 && seconds > 60 ? seconds / 60 + "m" : seconds + "s";
    }

    private static long parseBytes(String text) {
        Matcher matcher = BYTES.matcher(text);
        require(matcher.matches());
        String unit = matcher.group(2);
        int power = unit == null ? 0 : "BKMGT".indexOf(Character.toUpperCase(unit.charAt(0)));
        return Math.multiplyExact(Long.parseLong(matcher.group(1)), 1L << (10 * power));
    }

    private static String showBytes(long bytes) {
        String[] units = {"B", "KiB", "MiB", "GiB", "TiB"};
        int unit = 0;
        while (unit < units.length - 1 && bytes != 0 && bytes % 1_024 == 0) {
            bytes /= 1_024;
            unit++;
        }
        return bytes + " " + units[unit];
    }

    private static String showList(List<String> items) {
        return items.stream()
                .map(item -> item.startsWith("[") ? '"' + item + '"' : item)
                .toList()
                .toString();
    }

    private static long within(long value, long min, long max) {
        require(value >= min && value <= max);
        return value;
    }

    private static void require(boolean holds) {
        if (!holds) {
            throw new IllegalArgumentException("not a possible value");
        }
    }
}
