package neuralcore.embedding;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.stream.IntStream;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;

/**
 * Texts to token ids, by the Hugging Face tokenizer library.
 *
 * <p>Only ids are asked of it; padding and truncation of {@code tokenizer.json} are off, since
 * batches are padded to their own longest text and the model's real limit is not the file's. Texts
 * go in one by one: the library's batch call ends the process where this one throws.
 *
 * <p>Any text is valid: the empty one is {@code [CLS] [SEP]}; an unpaired surrogate counts as
 * U+FFFD. Thread-safe; costs some microseconds a token, and not more for a text far beyond the
 * limit than for one at it if it has a place to cut.
 */
public final class Tokenizer implements AutoCloseable {
    private static final int SEVERAL_THREADS = 16;
    private static final TokenizersLibrary LIBRARY = TokenizersLibrary.LIB;

    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private final int maxTokens;
    private final int window;
    private final int closing;
    private long handle;

    private Tokenizer(long handle, int maxTokens, int window) {
        this.handle = handle;
        this.maxTokens = maxTokens;
        this.window = window;
        this.closing = closing(ids(""), ids("a"));
    }

    /** How many special tokens end a text: what the ids of the empty one and another share. */
    private static int closing(long[] empty, long[] other) {
        int count = 0;
        while (count < empty.length
                && count < other.length
                && empty[empty.length - 1 - count] == other[other.length - 1 - count]) {
            count++;
        }
        return count;
    }

    static Tokenizer open(CacheFolder cache, Path json, int maxTokens) {
        // Twice what the tokens of an ordinary text take.
        return open(cache, json, maxTokens, maxTokens * 12);
    }

    /**
     * @param window characters that a long text is cut to at first
     */
    static Tokenizer open(CacheFolder cache, Path json, int maxTokens, int window) {
        NativeLibraries.loadTokenizer(cache);
        try {
            // Not by path: a path that the library cannot read it takes for a name to download.
            String text = Files.readString(json);
            long handle = LIBRARY.createTokenizerFromString(text);
            LIBRARY.disablePadding(handle);
            LIBRARY.disableTruncation(handle);
            // Others may look at a text as a whole: theirs is not cut.
            boolean cuts = text.contains("\"BertPreTokenizer\"");
            return new Tokenizer(handle, maxTokens, cuts ? window : Integer.MAX_VALUE);
        } catch (IOException | RuntimeException e) {
            throw new NeuralCoreException(
                    ErrorCode.MODEL_NOT_FOUND, json + " is no tokenizer: " + e.getMessage(), e);
        }
    }

    /**
     * The ids of each text. Equal texts are tokenized once and share their array; many texts are
     * tokenized by several threads, since no batch begins before all have their lengths.
     */
    public int[][] encode(List<String> texts) {
        Map<String, Integer> places = HashMap.newHashMap(texts.size());
        List<String> distinct = new ArrayList<>();
        for (String text : texts) {
            if (places.putIfAbsent(text, distinct.size()) == null) {
                distinct.add(text);
            }
        }
        int[][] made = new int[distinct.size()][];
        IntStream range = IntStream.range(0, made.length);
        (made.length < SEVERAL_THREADS ? range : range.parallel())
                .forEach(i -> made[i] = encode(distinct.get(i)));
        int[][] ids = new int[texts.size()][];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = made[Objects.requireNonNull(places.get(texts.get(i)))];
        }
        return ids;
    }

    /** The ids of a text, special tokens included, at most {@code maxTokens}. */
    public int[] encode(String text) {
        String valid = wellFormed(text);
        lock.readLock().lock();
        try {
            if (handle == 0) {
                throw new NeuralCoreException(
                        ErrorCode.MODEL_NOT_READY, "The model has been unloaded; try again.");
            }
            // A long text's beginning suffices if it has tokens enough by itself.
            for (long size = window; size < valid.length(); size *= 2) {
                int cut = TextCut.before(valid, (int) size);
                long[] ids = cut == 0 ? new long[0] : ids(valid.substring(0, cut));
                if (ids.length >= maxTokens) {
                    return truncate(ids);
                }
            }
            return truncate(ids(valid));
        } finally {
            lock.readLock().unlock();
        }
    }

    private long[] ids(String text) {
        long encoding = LIBRARY.encode(handle, text, true);
        try {
            return LIBRARY.getTokenIds(encoding);
        } finally {
            LIBRARY.deleteEncoding(encoding);
        }
    }

    /** Keeps the first tokens and the special ones at the end, such as {@code [SEP]}. */
    private int[] truncate(long[] ids) {
        // A network wants at least one token; without special ones, the empty text has none.
        int[] kept = new int[Math.max(1, Math.min(ids.length, maxTokens))];
        int end = Math.min(closing, Math.min(ids.length, kept.length));
        for (int i = 0; i < Math.min(ids.length, kept.length); i++) {
            boolean last = i >= kept.length - end;
            kept[i] = (int) ids[last ? ids.length - (kept.length - i) : i];
        }
        return kept;
    }

    /** The text with each unpaired surrogate replaced by U+FFFD. */
    static String wellFormed(String text) {
        int length = text.length();
        for (int i = 0; i < length; i++) {
            if (!Character.isSurrogate(text.charAt(i))) {
                continue;
            }
            if (isPair(text, i)) {
                i++;
                continue;
            }
            StringBuilder repaired = new StringBuilder(text);
            for (; i < length; i++) {
                if (Character.isSurrogate(text.charAt(i))) {
                    if (isPair(text, i)) {
                        i++;
                    } else {
                        repaired.setCharAt(i, '\uFFFD');
                    }
                }
            }
            return repaired.toString();
        }
        return text;
    }

    private static boolean isPair(String text, int at) {
        return at + 1 < text.length()
                && Character.isSurrogatePair(text.charAt(at), text.charAt(at + 1));
    }

    /** Frees the native tokenizer, after the calls in progress. */
    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (handle != 0) {
                LIBRARY.deleteTokenizer(handle);
                handle = 0;
            }
        } finally {
            lock.writeLock().unlock();
        }
    }
}
