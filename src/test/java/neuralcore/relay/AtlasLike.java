package neuralcore.relay;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.UUID;
import neuralcore.wire.Envelope;
import neuralcore.wire.Json;
import org.jspecify.annotations.Nullable;

/** Messages as an application of agents sends them: requests, answers, tools, states, tasks. */
final class AtlasLike {
    private static final List<String> AGENTS =
            List.of("planner", "researcher", "coder", "reviewer", "writer", "supervisor");
    private static final List<String> TOOLS =
            List.of("web.search", "fs.read", "fs.write", "python.run", "calendar.add", "sql.query");
    private static final List<String> MODELS =
            List.of("gpt-4o", "claude-sonnet", "llama-3-70b", "mistral-large", "gemini-pro");
    private static final List<String> STATES =
            List.of("pending", "running", "completed", "failed", "cancelled", "idle", "busy");

    private final SplittableRandom random;
    private final List<String> sentences;

    /**
     * @param texts files of prose, from which what people and models say is taken
     */
    AtlasLike(long seed, List<Path> texts) throws IOException {
        this.random = new SplittableRandom(seed);
        this.sentences = new ArrayList<>();
        for (Path text : texts) {
            String prose =
                    Files.readString(text)
                            .replaceAll("(?s)```.*?```", " ")
                            .replaceAll("[|`*#\\[\\]]", "")
                            .replaceAll("\\s+", " ");
            for (String sentence : prose.split("(?<=[.:?]) ")) {
                if (sentence.length() > 20 && sentence.length() < 400) {
                    sentences.add(sentence);
                }
            }
        }
    }

    /** One whose payload has about this many characters. */
    Envelope next(int length) {
        Map<String, @Nullable Object> payload = new LinkedHashMap<>();
        String channel;
        switch (random.nextInt(8)) {
            case 0 -> {
                channel = "user.input";
                put(payload, "text", "", "user_id", "user-" + random.nextInt(100));
                put(payload, "conversation_id", uuid(), "attachments", List.of());
            }
            case 1 -> {
                channel = "llm.request";
                put(payload, "request_id", uuid(), "conversation_id", uuid());
                put(payload, "provider", pick(List.of("openai", "anthropic", "local")));
                put(payload, "model", pick(MODELS), "temperature", 0.7, "max_tokens", 1024L);
                put(payload, "stream", random.nextBoolean(), "prompt", "");
            }
            case 2 -> {
                channel = "llm.complete";
                put(payload, "request_id", uuid(), "model", pick(MODELS), "content", "");
                put(payload, "finish_reason", "stop", "usage", usage());
            }
            case 3 -> {
                channel = "tool.invoke";
                put(payload, "request_id", uuid(), "tool_name", pick(TOOLS));
                put(payload, "agent_id", pick(AGENTS), "tool_args", Map.of("query", sentence()));
                put(payload, "text", "");
            }
            case 4 -> {
                channel = "tool.result";
                put(payload, "request_id", uuid(), "tool_name", pick(TOOLS), "success", true);
                put(payload, "error", null, "duration_ms", random.nextDouble() * 900, "result", "");
            }
            case 5 -> {
                channel = "agent.status";
                put(payload, "agent_id", pick(AGENTS), "status", pick(STATES));
                put(payload, "task_id", uuid(), "progress", random.nextInt(100) / 100.0);
                put(payload, "message", "");
            }
            case 6 -> {
                channel = "task.update";
                put(payload, "task_id", uuid(), "title", sentence(), "status", pick(STATES));
                put(payload, "assigned_to", pick(AGENTS), "updated_at", time(), "text", "");
            }
            default -> {
                channel = "agent.delegate";
                put(payload, "source_agent", pick(AGENTS), "target_agent", pick(AGENTS));
                put(payload, "task", sentence(), "priority", (long) random.nextInt(10));
                put(payload, "role", "assistant", "content", "");
            }
        }
        fill(payload, length);
        byte[] told = Json.write(payload);
        byte[] meta = Json.write(Map.of("trace_id", uuid(), "source", pick(AGENTS)));
        byte[] body = Arrays.copyOf(told, told.length + meta.length);
        System.arraycopy(meta, 0, body, told.length, meta.length);
        return new Envelope(
                channel,
                random.nextLong(),
                random.nextLong(1_000_000),
                1_760_000_000_000_000_000L + random.nextLong(40_000_000_000_000_000L),
                random.nextInt(11),
                0,
                0,
                Envelope.JSON,
                Envelope.JSON,
                body,
                told.length);
    }

    /** Text until it is as long as wanted. */
    private void fill(Map<String, @Nullable Object> payload, int length) {
        String key =
                payload.keySet().stream()
                        .filter(each -> "".equals(payload.get(each)))
                        .findFirst()
                        .orElseThrow();
        StringBuilder text = new StringBuilder(sentence());
        int rest = length - new String(Json.write(payload), StandardCharsets.UTF_8).length();
        while (text.length() < rest) {
            text.append(' ').append(sentence());
        }
        text.setLength(Math.max(8, Math.min(text.length(), rest)));
        payload.put(key, text.toString());
    }

    private Map<String, @Nullable Object> usage() {
        Map<String, @Nullable Object> usage = new LinkedHashMap<>();
        put(
                usage,
                "prompt_tokens",
                random.nextLong(4_000),
                "completion_tokens",
                random.nextLong(900));
        return usage;
    }

    private static void put(Map<String, @Nullable Object> map, @Nullable Object... pairs) {
        for (int i = 0; i < pairs.length; i += 2) {
            map.put(String.valueOf(pairs[i]), pairs[i + 1]);
        }
    }

    private String sentence() {
        return pick(sentences);
    }

    private String pick(List<String> from) {
        return from.get(random.nextInt(from.size()));
    }

    private String uuid() {
        return new UUID(random.nextLong(), random.nextLong()).toString();
    }

    private String time() {
        return "2026-%02d-%02dT%02d:%02d:%02dZ"
                .formatted(
                        random.nextInt(1, 13),
                        random.nextInt(1, 29),
                        random.nextInt(24),
                        random.nextInt(60),
                        random.nextInt(60));
    }
}
