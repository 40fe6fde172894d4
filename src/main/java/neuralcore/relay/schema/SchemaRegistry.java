package neuralcore.relay.schema;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import neuralcore.wire.Payloads;
import org.jspecify.annotations.Nullable;

/**
 * The schemas of a relay: which version an outgoing message is written with, and whether a message
 * is as its version says.
 *
 * <p>Thread-safe: what was read of the folder is one object that is replaced as a whole. A message
 * of a channel without a subject costs a look-up.
 */
public final class SchemaRegistry {
    /** Channels whose subject is remembered. */
    private static final int MOST_CHANNELS = 4_096;

    /**
     * What was made of an outgoing message.
     *
     * @param tag what it is to say of the version it was written with; null for nothing
     * @param problem why it must not leave; null if it may
     */
    public record Verdict(@Nullable String tag, @Nullable String problem) {
        static final Verdict FREE = new Verdict(null, null);
    }

    private record Subject(
            SchemaRule rule, Pattern channels, SortedMap<Integer, SchemaVersion> versions) {

        SchemaVersion written() {
            SchemaVersion pinned = versions.get(rule.writes());
            return pinned == null ? newest() : pinned;
        }

        SchemaVersion newest() {
            return Objects.requireNonNull(versions.get(versions.lastKey()));
        }
    }

    private static final class Read {
        final List<Subject> subjects = new ArrayList<>();
        final Map<String, Optional<Subject>> byChannel = new ConcurrentHashMap<>();

        @Nullable Subject of(String channel) {
            Optional<Subject> known = byChannel.get(channel);
            if (known == null) {
                String name = "." + channel;
                known =
                        subjects.stream()
                                .filter(each -> each.channels().matcher(name).matches())
                                .findFirst();
                if (byChannel.size() >= MOST_CHANNELS) {
                    byChannel.clear();
                }
                byChannel.put(channel, known);
            }
            return known.orElse(null);
        }
    }

    private final SchemaSettings settings;
    private final SchemaLanguage language;
    private final SchemaFolder folder;
    private volatile Read read = new Read();

    /**
     * Reads the folder; blocks on the disk.
     *
     * @throws NeuralCoreException {@code INVALID_REQUEST} if a file is no schema or a subject has
     *     none, {@code SCHEMA_INCOMPATIBLE} if a version does not go with the one before
     */
    public SchemaRegistry(SchemaSettings settings, SchemaLanguage language) {
        this.settings = settings;
        this.language = language;
        this.folder = new SchemaFolder(settings.folder());
        reload();
    }

    public SchemaSettings settings() {
        return settings;
    }

    /** Reads the folder again; where that fails all stays as it is. Blocks on the disk. */
    public void reload() {
        Read fresh = new Read();
        for (SchemaRule rule : settings.rules()) {
            SortedMap<Integer, SchemaVersion> versions = new TreeMap<>();
            folder.read(rule.subject())
                    .forEach(
                            (number, text) ->
                                    versions.put(number, version(rule.subject(), number, text)));
            if (versions.isEmpty() || (rule.writes() > 0 && !versions.containsKey(rule.writes()))) {
                throw NeuralCoreException.invalid(
                        "There is no %s.v%d.json in %s; there are versions %s."
                                .formatted(
                                        rule.subject(),
                                        Math.max(1, rule.writes()),
                                        settings.folder(),
                                        versions.keySet()));
            }
            SchemaVersion before = null;
            for (SchemaVersion version : versions.values()) {
                if (before != null) {
                    require(rule, before, version.number(), version.schema());
                }
                before = version;
            }
            fresh.subjects.add(new Subject(rule, rule.channels(), versions));
        }
        read = fresh;
    }

    private SchemaVersion version(String subject, int number, byte[] text) {
        try {
            Map<String, @Nullable Object> schema = SchemaText.read(text);
            return new SchemaVersion(subject, number, schema, language.compile(schema));
        } catch (NeuralCoreException e) {
            throw NeuralCoreException.invalid(
                    "%s.v%d.json: %s".formatted(subject, number, e.getMessage()));
        }
    }

    private static void require(
            SchemaRule rule,
            SchemaVersion before,
            int number,
            Map<String, @Nullable Object> schema) {
        List<String> breaks = rule.compatibility().breaks(before.schema(), schema);
        if (!breaks.isEmpty()) {
            throw new NeuralCoreException(
                    ErrorCode.SCHEMA_INCOMPATIBLE,
                    "Version %d of '%s' does not go with version %d, as 'compatibility: %s' asks for: %s"
                            .formatted(
                                    number,
                                    rule.subject(),
                                    before.number(),
                                    word(rule.compatibility()),
                                    String.join("; ", breaks)));
        }
    }

    // Messages

    /** Whether a message may leave, and what it is to say. */
    public Verdict outgoing(Envelope message) {
        Subject subject = read.of(message.channel());
        if (subject == null || !subject.rule().isChecked(SchemaRule.On.OUT)) {
            return Verdict.FREE;
        }
        SchemaVersion version = subject.written();
        return new Verdict(version.tag(), problem(version, message));
    }

    /**
     * Why a message must not come in; null if it may.
     *
     * @param tag what it says of the version it was written with; empty for nothing, which is taken
     *     to be the newest
     */
    public @Nullable String incoming(Envelope message, String tag) {
        Subject subject = read.of(message.channel());
        if (subject == null || !subject.rule().isChecked(SchemaRule.On.IN)) {
            return null;
        }
        if (tag.isEmpty()) {
            return problem(subject.newest(), message);
        }
        for (SchemaVersion version : subject.versions().values()) {
            if (version.tag().equals(tag)) {
                return problem(version, message);
            }
        }
        return "it says it is %s, and known of %s are versions %s"
                .formatted(tag, subject.rule().subject(), subject.versions().keySet());
    }

    private @Nullable String problem(SchemaVersion version, Envelope message) {
        return message.payloadLength() > settings.maxBytes()
                ? "its payload has %d bytes, and %d are checked against %s at most"
                        .formatted(message.payloadLength(), settings.maxBytes(), version.tag())
                : version.problem(Payloads.payload(message));
    }

    // What may be asked of it

    /** The subjects, for people and clients to look at. */
    public List<@Nullable Object> describe() {
        List<@Nullable Object> all = new ArrayList<>();
        for (Subject each : read.subjects) {
            Map<String, @Nullable Object> map = new LinkedHashMap<>();
            map.put("subject", each.rule().subject());
            map.put("channel", each.rule().channel());
            map.put("compatibility", word(each.rule().compatibility()));
            map.put("on", word(each.rule().on()));
            map.put("versions", each.versions().keySet().stream().map(Integer::longValue).toList());
            map.put("writes", (long) each.written().number());
            all.add(map);
        }
        return all;
    }

    /**
     * What would break if this became a subject's next version; empty if nothing does.
     *
     * @throws NeuralCoreException {@code INVALID_REQUEST} if it is no schema, {@code NOT_FOUND} if
     *     there is no such subject
     */
    public List<String> check(String subject, Map<String, @Nullable Object> schema) {
        Subject known = subject(subject);
        language.compile(SchemaText.checked(schema));
        SchemaVersion newest = known.newest();
        return known.rule().compatibility().breaks(newest.schema(), schema);
    }

    /**
     * Makes a schema a subject's next version, unless it is the newest already. Blocks on the disk.
     *
     * @return its number
     * @throws NeuralCoreException as {@link #check}, and {@code SCHEMA_INCOMPATIBLE}
     */
    public synchronized int add(String subject, Map<String, @Nullable Object> schema) {
        reload();
        Subject known = subject(subject);
        byte[] text = SchemaText.write(SchemaText.checked(schema));
        language.compile(schema);
        SchemaVersion newest = known.newest();
        if (newest.schema().equals(schema)) {
            return newest.number();
        }
        int number = newest.number() + 1;
        require(known.rule(), newest, number, schema);
        folder.write(subject, number, text);
        reload();
        return number;
    }

    private Subject subject(String name) {
        List<Subject> all = read.subjects;
        return all.stream()
                .filter(each -> each.rule().subject().equals(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new NeuralCoreException(
                                        ErrorCode.NOT_FOUND,
                                        "The relay has no schema '%s'; it has %s."
                                                .formatted(
                                                        name,
                                                        all.stream()
                                                                .map(each -> each.rule().subject())
                                                                .toList())));
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
