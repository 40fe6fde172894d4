package neuralcore.ops;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.StackTraceElementProxy;
import ch.qos.logback.core.encoder.EncoderBase;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;

/**
 * One event as one line, for people or as JSON for programs.
 *
 * <p>A message may hold what a stranger sent: control characters are escaped, so that none can
 * forge a line or move a terminal's cursor; a message is cut at 4,096 characters; what follows a
 * name such as {@code token} or {@code password} is not shown.
 */
final class LogLine extends EncoderBase<ILoggingEvent> {
    enum Format {
        TEXT,
        JSON
    }

    private static final int LONGEST = 4_096;
    private static final byte[] NOTHING = {};
    private static final Pattern SECRET =
            Pattern.compile(
                    "(?i)((?:token|api[_-]?key|password|passwd|secret|authorization|sasl\\w*|jwt)"
                            + "[\"']?\\s*[=:]\\s*[\"']?(?:bearer\\s+|basic\\s+)?)[^\\s\"'&,;}]+");

    private final Format format;

    LogLine(Format format) {
        this.format = format;
    }

    @Override
    public byte[] encode(ILoggingEvent event) {
        String line =
                switch (format) {
                    case TEXT -> text(event);
                    case JSON -> json(event);
                };
        return line.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(ILoggingEvent event) {
        StringBuilder line = new StringBuilder(160);
        line.append(Instant.ofEpochMilli(event.getTimeStamp())).append(' ');
        String level = event.getLevel().toString();
        line.append(level).append(" ".repeat(6 - level.length()));
        line.append(shortName(event.getLoggerName())).append(": ");
        line.append(safe(event.getFormattedMessage())).append('\n');
        trace(line, event.getThrowableProxy(), "");
        return line.toString();
    }

    private static String json(ILoggingEvent event) {
        Map<String, @Nullable Object> line = new LinkedHashMap<>();
        line.put("time", Instant.ofEpochMilli(event.getTimeStamp()).toString());
        line.put("level", event.getLevel().toString());
        line.put("logger", event.getLoggerName());
        line.put("thread", event.getThreadName());
        line.put("message", safe(event.getFormattedMessage()));
        if (event.getThrowableProxy() != null) {
            StringBuilder trace = new StringBuilder();
            trace(trace, event.getThrowableProxy(), "");
            line.put("error", trace.toString());
        }
        return Json.writeText(line) + "\n";
    }

    private static void trace(StringBuilder to, @Nullable IThrowableProxy thrown, String prefix) {
        for (IThrowableProxy cause = thrown; cause != null; cause = cause.getCause()) {
            to.append(prefix).append(cause == thrown ? "" : "caused by ");
            to.append(cause.getClassName()).append(": ");
            to.append(safe(String.valueOf(cause.getMessage()))).append('\n');
            for (StackTraceElementProxy element : cause.getStackTraceElementProxyArray()) {
                to.append(prefix).append("    ").append(element.getSTEAsString()).append('\n');
            }
            for (IThrowableProxy suppressed : cause.getSuppressed()) {
                to.append(prefix).append("    besides:\n");
                trace(to, suppressed, prefix + "    ");
            }
            if (cause.isCyclic()) {
                return;
            }
        }
    }

    static String safe(String message) {
        String shown = message.length() > LONGEST ? message.substring(0, LONGEST) + "…" : message;
        shown = SECRET.matcher(shown).replaceAll("$1***");
        if (shown.chars().noneMatch(Character::isISOControl)) {
            return shown;
        }
        StringBuilder escaped = new StringBuilder(shown.length() + 16);
        for (int i = 0; i < shown.length(); i++) {
            char c = shown.charAt(i);
            switch (c) {
                case '\n' -> escaped.append("\\n");
                case '\r' -> escaped.append("\\r");
                case '\t' -> escaped.append("\\t");
                default -> {
                    if (Character.isISOControl(c)) {
                        escaped.append("\\x%02x".formatted((int) c));
                    } else {
                        escaped.append(c);
                    }
                }
            }
        }
        return escaped.toString();
    }

    private static String shortName(String logger) {
        return logger.substring(logger.lastIndexOf('.') + 1);
    }

    @Override
    public byte[] headerBytes() {
        return NOTHING;
    }

    @Override
    public byte[] footerBytes() {
        return NOTHING;
    }
}
