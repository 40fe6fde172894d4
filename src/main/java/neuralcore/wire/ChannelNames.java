package neuralcore.wire;

import static neuralcore.wire.FrameBytes.*;
import static neuralcore.wire.FrameLayout.padded;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The distinct channel names of one frame; entries refer to them by index. */
final class ChannelNames {
    private static final int MAX_CHANNELS = 65_535;

    private final List<String> names = new ArrayList<>();
    private final Map<String, Integer> indexes = new LinkedHashMap<>();
    private final List<byte[]> encoded = new ArrayList<>();
    private String lastName = "";
    private int lastIndex = -1;

    void add(String name) {
        if (lastIndex >= 0 && name.equals(lastName)) {
            return;
        }
        Integer known = indexes.get(name);
        if (known == null) {
            known = encoded.size();
            if (known == MAX_CHANNELS) {
                throw malformed("A frame names more than " + MAX_CHANNELS + " channels.");
            }
            indexes.put(name, known);
            encoded.add(name.getBytes(StandardCharsets.UTF_8));
        }
        lastName = name;
        lastIndex = known;
    }

    int index(String name) {
        add(name);
        return lastIndex;
    }

    int size() {
        return encoded.size();
    }

    int encodedLength() {
        return encoded.stream().mapToInt(bytes -> 2 + bytes.length).sum();
    }

    void encode(ByteBuffer into, int at) {
        for (byte[] bytes : encoded) {
            into.putShort(at, checkedU16(bytes.length, "channel name"));
            into.put(at + 2, bytes);
            at += 2 + bytes.length;
        }
    }

    /** Reads the names and returns where the entries begin. */
    int decode(ByteBuffer bytes, int at, int count) {
        for (int i = 0; i < count; i++) {
            need(bytes, at, 2);
            int length = u16(bytes, at);
            names.add(text(bytes, at + 2, length));
            at += 2 + length;
        }
        return padded(at);
    }

    String get(int index) {
        if (index >= names.size()) {
            throw malformed("A message names channel %d of %d.".formatted(index, names.size()));
        }
        return names.get(index);
    }
}
