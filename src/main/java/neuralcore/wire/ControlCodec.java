package neuralcore.wire;

import static neuralcore.wire.FrameBytes.*;
import static neuralcore.wire.FrameLayout.*;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The small frames around messages: what became of them, credit, settlements, room. */
final class ControlCodec {
    private ControlCodec() {}

    static Frame.Published decodePublished(ByteBuffer bytes) {
        need(bytes, 0, PUBLISHED_HEAD);
        int count = u31(bytes, REJECTED);
        need(bytes, PUBLISHED_HEAD, (long) count * REJECTION_ENTRY);
        List<Frame.Rejection> rejections = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int entry = PUBLISHED_HEAD + i * REJECTION_ENTRY;
            rejections.add(
                    new Frame.Rejection(
                            bytes.getLong(entry + REJECTION_SEQUENCE),
                            ErrorCode.ofNumber(u16(bytes, entry + REJECTION_CODE))));
        }
        end(bytes, PUBLISHED_HEAD + count * REJECTION_ENTRY);
        return new Frame.Published(bytes.getInt(CORRELATION), u31(bytes, ACCEPTED), rejections);
    }

    static List<ByteBuffer> encodePublished(Frame.Published published) {
        List<Frame.Rejection> rejections = published.rejections();
        ByteBuffer head =
                header(
                        PUBLISHED,
                        0,
                        published.batch(),
                        PUBLISHED_HEAD + rejections.size() * REJECTION_ENTRY);
        head.putInt(ACCEPTED, published.accepted());
        head.putInt(REJECTED, rejections.size());
        for (int i = 0; i < rejections.size(); i++) {
            int entry = PUBLISHED_HEAD + i * REJECTION_ENTRY;
            head.putLong(entry + REJECTION_SEQUENCE, rejections.get(i).sequence());
            head.putShort(entry + REJECTION_CODE, (short) rejections.get(i).code().number());
        }
        return withLength(List.of(head));
    }

    static Frame.Credit decodeCredit(ByteBuffer bytes) {
        need(bytes, 0, CREDIT_HEAD);
        int count = u31(bytes, GRANTS);
        need(bytes, CREDIT_HEAD, (long) count * GRANT_ENTRY);
        List<Frame.Grant> grants = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int entry = CREDIT_HEAD + i * GRANT_ENTRY;
            grants.add(
                    new Frame.Grant(
                            bytes.getInt(entry + GRANT_SUBSCRIPTION),
                            u31(bytes, entry + GRANT_MESSAGES)));
        }
        end(bytes, CREDIT_HEAD + count * GRANT_ENTRY);
        return new Frame.Credit(grants);
    }

    static List<ByteBuffer> encodeCredit(Frame.Credit credit) {
        List<Frame.Grant> grants = credit.grants();
        ByteBuffer head = header(CREDIT, 0, 0, CREDIT_HEAD + grants.size() * GRANT_ENTRY);
        head.putInt(GRANTS, grants.size());
        for (int i = 0; i < grants.size(); i++) {
            int entry = CREDIT_HEAD + i * GRANT_ENTRY;
            head.putInt(entry + GRANT_SUBSCRIPTION, grants.get(i).subscription());
            head.putInt(entry + GRANT_MESSAGES, grants.get(i).messages());
        }
        return withLength(List.of(head));
    }

    static Frame.Settle decodeSettle(ByteBuffer bytes) {
        need(bytes, 0, SETTLE_HEAD);
        int count = u31(bytes, SETTLEMENTS);
        need(bytes, SETTLE_HEAD, (long) count * SETTLEMENT_ENTRY);
        List<Settlement> settlements = new ArrayList<>(count);
        int at = SETTLE_HEAD + count * SETTLEMENT_ENTRY;
        for (int i = 0; i < count; i++) {
            int entry = SETTLE_HEAD + i * SETTLEMENT_ENTRY;
            int delay = bytes.getInt(entry + SETTLEMENT_DELAY);
            int reason = u31(bytes, entry + SETTLEMENT_REASON);
            settlements.add(
                    new Settlement(
                            bytes.getInt(entry + SETTLEMENT_SUBSCRIPTION),
                            Settlement.Kind.ofNumber(bytes.get(entry + SETTLEMENT_KIND) & 0xff),
                            bytes.getLong(entry + SETTLEMENT_SEQUENCE),
                            delay == DELAY_BY_BACKOFF
                                    ? Settlement.BY_BACKOFF
                                    : Integer.toUnsignedLong(delay),
                            reason == 0 ? "" : text(bytes, at, reason)));
            at += reason;
        }
        end(bytes, at);
        boolean confirm = (bytes.get(FLAGS) & FLAG_CONFIRM) != 0;
        return new Frame.Settle(bytes.getInt(CORRELATION), confirm, settlements);
    }

    static List<ByteBuffer> encodeSettle(Frame.Settle settle) {
        List<Settlement> settlements = settle.settlements();
        List<byte[]> reasons = new ArrayList<>(settlements.size());
        int length = SETTLE_HEAD + settlements.size() * SETTLEMENT_ENTRY;
        for (Settlement settlement : settlements) {
            byte[] reason = settlement.reason().getBytes(StandardCharsets.UTF_8);
            reasons.add(reason);
            length = Math.addExact(length, reason.length);
        }
        ByteBuffer head =
                header(SETTLE, settle.confirm() ? FLAG_CONFIRM : 0, settle.correlation(), length);
        head.putInt(SETTLEMENTS, settlements.size());
        int at = SETTLE_HEAD + settlements.size() * SETTLEMENT_ENTRY;
        for (int i = 0; i < settlements.size(); i++) {
            Settlement settlement = settlements.get(i);
            byte[] reason = reasons.get(i);
            int entry = SETTLE_HEAD + i * SETTLEMENT_ENTRY;
            head.putInt(entry + SETTLEMENT_SUBSCRIPTION, settlement.subscription());
            head.put(entry + SETTLEMENT_KIND, (byte) settlement.kind().ordinal());
            head.putLong(entry + SETTLEMENT_SEQUENCE, settlement.sequence());
            head.putInt(entry + SETTLEMENT_DELAY, (int) settlement.delayMillis());
            head.putInt(entry + SETTLEMENT_REASON, reason.length);
            head.put(at, reason);
            at += reason.length;
        }
        return withLength(List.of(head));
    }

    static Frame.Settled decodeSettled(ByteBuffer bytes) {
        need(bytes, 0, SETTLED_LENGTH);
        end(bytes, SETTLED_LENGTH);
        return new Frame.Settled(
                bytes.getInt(CORRELATION), u31(bytes, SETTLED_COUNT), u31(bytes, UNKNOWN_COUNT));
    }

    static List<ByteBuffer> encodeSettled(Frame.Settled settled) {
        ByteBuffer head = header(SETTLED, 0, settled.correlation(), SETTLED_LENGTH);
        head.putInt(SETTLED_COUNT, settled.settled()).putInt(UNKNOWN_COUNT, settled.unknown());
        return withLength(List.of(head));
    }

    static Frame.Flow decodeFlow(ByteBuffer bytes) {
        need(bytes, 0, FLOW_HEAD);
        int count = u16(bytes, FLOW_CHANNELS);
        int namespaceLength = u16(bytes, FLOW_NAMESPACE);
        String namespace = text(bytes, FLOW_HEAD, namespaceLength);
        ChannelNames names = new ChannelNames();
        int table = names.decode(bytes, FLOW_HEAD + namespaceLength, count);
        need(bytes, table, (long) count * ROOM_ENTRY);
        List<Frame.Room> rooms = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int entry = table + i * ROOM_ENTRY;
            rooms.add(
                    new Frame.Room(
                            names.get(u16(bytes, entry + ROOM_CHANNEL)),
                            u31(bytes, entry + ROOM_MESSAGES)));
        }
        end(bytes, table + count * ROOM_ENTRY);
        return new Frame.Flow(namespace, rooms);
    }

    static List<ByteBuffer> encodeFlow(Frame.Flow flow) {
        byte[] namespace = flow.namespace().getBytes(StandardCharsets.UTF_8);
        ChannelNames names = new ChannelNames();
        flow.rooms().forEach(room -> names.add(room.channel()));
        int namesAt = FLOW_HEAD + namespace.length;
        int table = padded(namesAt + names.encodedLength());
        ByteBuffer head = header(FLOW, 0, 0, table + flow.rooms().size() * ROOM_ENTRY);
        head.putShort(FLOW_CHANNELS, checkedU16(flow.rooms().size(), "list of channels"));
        head.putShort(FLOW_NAMESPACE, checkedU16(namespace.length, "namespace"));
        head.put(FLOW_HEAD, namespace);
        names.encode(head, namesAt);
        for (int i = 0; i < flow.rooms().size(); i++) {
            Frame.Room room = flow.rooms().get(i);
            int entry = table + i * ROOM_ENTRY;
            head.putInt(entry + ROOM_MESSAGES, room.messages());
            head.putShort(entry + ROOM_CHANNEL, (short) names.index(room.channel()));
        }
        return withLength(List.of(head));
    }
}
