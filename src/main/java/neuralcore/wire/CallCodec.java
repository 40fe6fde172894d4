package neuralcore.wire;

import static neuralcore.wire.FrameBytes.*;
import static neuralcore.wire.FrameLayout.*;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Calls, answers and failures, and the arrays attached to them. */
final class CallCodec {

    private CallCodec() {}

    static Frame decode(byte kind, ByteBuffer bytes) {
        need(bytes, 0, MESSAGE_HEAD);
        int correlation = bytes.getInt(CORRELATION);
        int addressLength = u16(bytes, ADDRESS_LENGTH);
        int attachments = u16(bytes, ATTACHMENTS);
        int jsonLength = u31(bytes, JSON_LENGTH);
        String address = text(bytes, MESSAGE_HEAD, addressLength);
        int jsonAt = MESSAGE_HEAD + addressLength;
        need(bytes, jsonAt, jsonLength);
        Map<String, @Nullable Object> json = Json.readObject(bytes.slice(jsonAt, jsonLength));
        List<Tensor> tensors = decodeTensors(bytes, padded(jsonAt + jsonLength), attachments);
        return switch (kind) {
            case CALL ->
                    new Frame.Call(correlation, address, u31(bytes, TIMEOUT_MILLIS), json, tensors);
            case ANSWER -> new Frame.Answer(correlation, json, tensors);
            case FAILURE -> new Frame.Failure(correlation, json);
            default -> throw new AssertionError(kind);
        };
    }

    private static List<Tensor> decodeTensors(ByteBuffer bytes, int table, int count) {
        if (count == 0) {
            return List.of();
        }
        need(bytes, table, (long) count * ATTACHMENT_ENTRY);
        List<Tensor> tensors = new ArrayList<>(count);
        int at = table + count * ATTACHMENT_ENTRY;
        for (int i = 0; i < count; i++) {
            int entry = table + i * ATTACHMENT_ENTRY;
            int length = u31(bytes, entry + ATTACHMENT_BYTES);
            need(bytes, at, length);
            tensors.add(
                    new Tensor(
                            ElementType.ofCode(bytes.get(entry + ATTACHMENT_TYPE)),
                            u31(bytes, entry + ATTACHMENT_ROWS),
                            u31(bytes, entry + ATTACHMENT_COLUMNS),
                            bytes.slice(at, length)));
            at = padded(at + length);
        }
        return tensors;
    }

    static List<ByteBuffer> encode(
            byte kind,
            int correlation,
            String address,
            int timeoutMillis,
            Map<String, @Nullable Object> json,
            List<Tensor> tensors) {
        byte[] addressBytes = address.getBytes(StandardCharsets.UTF_8);
        byte[] jsonBytes = Json.write(json);
        int table = padded(MESSAGE_HEAD + addressBytes.length + jsonBytes.length);
        if (tensors.isEmpty()) {
            table = MESSAGE_HEAD + addressBytes.length + jsonBytes.length;
        }
        ByteBuffer head = header(kind, 0, correlation, table + tensors.size() * ATTACHMENT_ENTRY);
        head.putShort(ADDRESS_LENGTH, checkedU16(addressBytes.length, "address"));
        head.putShort(ATTACHMENTS, checkedU16(tensors.size(), "attachment list"));
        head.putInt(JSON_LENGTH, jsonBytes.length);
        head.putInt(TIMEOUT_MILLIS, timeoutMillis);
        head.put(MESSAGE_HEAD, addressBytes).put(MESSAGE_HEAD + addressBytes.length, jsonBytes);
        List<ByteBuffer> pieces = new ArrayList<>(1 + 2 * tensors.size());
        pieces.add(head);
        for (int i = 0; i < tensors.size(); i++) {
            Tensor tensor = tensors.get(i);
            int length = tensor.data().remaining();
            int entry = table + i * ATTACHMENT_ENTRY;
            head.put(entry + ATTACHMENT_TYPE, (byte) tensor.type().code());
            head.putInt(entry + ATTACHMENT_ROWS, tensor.rows());
            head.putInt(entry + ATTACHMENT_COLUMNS, tensor.columns());
            head.putInt(entry + ATTACHMENT_BYTES, length);
            pieces.add(tensor.data().duplicate());
            int padding = padded(length) - length;
            if (padding > 0 && i < tensors.size() - 1) {
                pieces.add(ByteBuffer.allocate(padding));
            }
        }
        return withLength(pieces);
    }
}
