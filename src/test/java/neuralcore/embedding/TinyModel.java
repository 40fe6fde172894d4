package neuralcore.embedding;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Writes networks small enough to be worked out by hand: token {@code i} has row {@code i} of a
 * table as its vector. The ONNX file is written field by field, as its protocol buffer wants it;
 * the tokenizer knows the words it is given and splits at white space.
 */
public final class TinyModel {
    /** The words' ids are their places here; 0 is what is not known. */
    public static final String[] WORDS = {"?", "one", "two", "three", "query:", "passage:"};

    /** A vector of two numbers for each word. */
    public static final float[][] TABLE = {
        {0.5f, -0.5f}, {1, 0}, {0, 2}, {-3, 3}, {10, 0}, {0, 10},
    };

    private TinyModel() {}

    /** A model folder with {@code model.onnx} and {@code tokenizer.json}. */
    public static Path write(Path folder) throws IOException {
        Files.createDirectories(folder);
        Files.write(folder.resolve("model.onnx"), network(null));
        Files.writeString(folder.resolve("tokenizer.json"), tokenizer());
        return folder;
    }

    /** A tokenizer that ends the process that it is used in. */
    static String deadlyTokenizer() {
        return tokenizer()
                .replace(
                        "\"post_processor\": null",
                        """
                        "post_processor": {"type": "TemplateProcessing", "pair": [],
                         "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}],
                         "special_tokens": {}}""");
    }

    /** A tokenizer without special tokens. */
    static String tokenizer() {
        StringBuilder vocabulary = new StringBuilder();
        for (int i = 0; i < WORDS.length; i++) {
            vocabulary.append(i == 0 ? "" : ", ").append("\"%s\": %d".formatted(WORDS[i], i));
        }
        return """
        {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
         "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
         "post_processor": null, "decoder": null,
         "model": {"type": "WordLevel", "unk_token": "?", "vocab": {%s}}}
        """
                .formatted(vocabulary);
    }

    /**
     * The network.
     *
     * @param external where its table lies if not in itself, as the file names it; else null
     */
    static byte[] network(String external) {
        return network(external, TABLE);
    }

    /** A network that has "two"'s vector for "one". */
    public static byte[] otherNetwork() {
        float[][] table = TABLE.clone();
        table[1] = TABLE[2];
        return network(null, table);
    }

    static byte[] network(String external, float[][] vectors) {
        ByteBuffer table =
                ByteBuffer.allocate(TABLE.length * 2 * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (float[] row : vectors) {
            table.putFloat(row[0]).putFloat(row[1]);
        }
        Message tensor = new Message().number(1, TABLE.length).number(1, 2).number(2, 1);
        tensor.text(8, "table");
        if (external == null) {
            tensor.bytes(9, table.array());
        } else {
            for (Map.Entry<String, String> entry :
                    Map.of("location", external, "length", "" + table.capacity()).entrySet()) {
                tensor.message(13, new Message().text(1, entry.getKey()).text(2, entry.getValue()));
            }
            tensor.number(14, 1);
        }
        Message gather =
                new Message().text(1, "table").text(1, "input_ids").text(2, "last_hidden_state");
        gather.text(3, "gather").text(4, "Gather");
        Message graph = new Message().message(1, gather).text(2, "tiny").message(5, tensor);
        graph.message(11, value("input_ids", 7, 0));
        graph.message(11, value("attention_mask", 7, 0));
        graph.message(12, value("last_hidden_state", 1, 2));
        return new Message()
                .number(1, 8)
                .message(7, graph)
                .message(8, new Message().text(1, "").number(2, 14))
                .bytes();
    }

    /** A tensor of texts × tokens, and of so many numbers each if that is not 0. */
    private static Message value(String name, int elementType, int numbers) {
        Message shape = new Message().message(1, new Message().text(2, "texts"));
        shape.message(1, new Message().text(2, "tokens"));
        if (numbers > 0) {
            shape.message(1, new Message().number(1, numbers));
        }
        Message tensor = new Message().number(1, elementType).message(2, shape);
        return new Message().text(1, name).message(2, new Message().message(1, tensor));
    }

    /** A protocol buffer's message. */
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Message number(int field, long value) {
            varint((long) field << 3);
            varint(value);
            return this;
        }

        Message text(int field, String value) {
            return bytes(field, value.getBytes(StandardCharsets.UTF_8));
        }

        Message message(int field, Message value) {
            return bytes(field, value.bytes());
        }

        Message bytes(int field, byte[] value) {
            varint((long) field << 3 | 2);
            varint(value.length);
            out.writeBytes(value);
            return this;
        }

        byte[] bytes() {
            return out.toByteArray();
        }

        private void varint(long value) {
            long rest = value;
            while (rest >= 0x80) {
                out.write((int) (rest & 0x7F | 0x80));
                rest >>>= 7;
            }
            out.write((int) rest);
        }
    }
}
