package neuralcore.embedding;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A request's texts on their way to the scheduler: what is known of each already, and the token ids
 * of the others. Not modified once made.
 */
public final class PreparedTexts {
    private final int[][] ids;
    private final VectorCache.@Nullable Entry[] known;
    private final VectorCache.@Nullable Key[] keys;

    private PreparedTexts(
            int[][] ids, VectorCache.@Nullable Entry[] known, VectorCache.@Nullable Key[] keys) {
        this.ids = ids;
        this.known = known;
        this.keys = keys;
    }

    /** Texts of which nothing is known and nothing is to be kept. */
    public static PreparedTexts of(int[][] ids) {
        return new PreparedTexts(
                ids, new VectorCache.Entry[ids.length], new VectorCache.Key[ids.length]);
    }

    /**
     * Looks a request's texts up and tokenizes those that are not known, equal ones once. Costs
     * some microseconds a token, so it is not for an event loop.
     */
    public static PreparedTexts of(EmbedCall call, EmbeddingModel model, VectorCache cache) {
        int[][] given = call.tokenIds(model.spec().maxTokens());
        if (given != null) {
            return of(given);
        }
        String prefix = call.prefix(model.spec());
        List<String> texts = call.texts();
        if (!prefix.isEmpty()) {
            texts = texts.stream().map(prefix::concat).toList();
        }
        if (cache.keepsNothing()) {
            Distinct distinct = new Distinct();
            texts.forEach(distinct::add);
            int[][] encoded = distinct.encode(model);
            return of(texts.stream().map(text -> encoded[distinct.at(text)]).toArray(int[][]::new));
        }
        VectorCache.@Nullable Entry[] known = new VectorCache.Entry[texts.size()];
        VectorCache.@Nullable Key[] keys = new VectorCache.Key[texts.size()];
        Distinct others = new Distinct();
        for (int i = 0; i < known.length; i++) {
            VectorCache.Key key = new VectorCache.Key(texts.get(i), call.alone());
            known[i] = cache.get(key);
            if (known[i] == null) {
                keys[i] = key;
                others.add(texts.get(i));
            }
        }
        int[][] encoded = others.encode(model);
        int[][] ids = new int[texts.size()][];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = known[i] == null ? encoded[others.at(texts.get(i))] : new int[0];
        }
        return new PreparedTexts(ids, known, keys);
    }

    /** Texts without their repetitions, in the order in which they first came. */
    private static final class Distinct {
        private final Map<String, Integer> places = new LinkedHashMap<>();

        void add(String text) {
            places.putIfAbsent(text, places.size());
        }

        int at(String text) {
            return places.getOrDefault(text, -1);
        }

        int[][] encode(EmbeddingModel model) {
            return places.isEmpty() ? new int[0][] : model.encode(List.copyOf(places.keySet()));
        }
    }

    int count() {
        return ids.length;
    }

    /** A text's token ids; meaningless if it is known. */
    int[] ids(int text) {
        return ids[text];
    }

    VectorCache.@Nullable Entry known(int text) {
        return known[text];
    }

    /** What a text's vector is to be kept under; null if it is not to be kept. */
    VectorCache.@Nullable Key key(int text) {
        return keys[text];
    }
}
