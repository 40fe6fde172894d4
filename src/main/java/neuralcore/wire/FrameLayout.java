package neuralcore.wire;

/**
 * Where everything lies in a binary frame; {@code docs/protocol.md} draws it. Offsets count from
 * the first byte after the length word. All numbers are little-endian but for the length word
 * itself, which is the Vert.x bridge's and big-endian.
 */
final class FrameLayout {
    /** First byte of a JSON frame; no binary kind may have this value. */
    static final byte JSON_OPEN = '{';

    static final byte CALL = 0x01;
    static final byte ANSWER = 0x02;
    static final byte FAILURE = 0x03;
    static final byte PUBLISH = 0x10;
    static final byte PUBLISHED = 0x11;
    static final byte DELIVER = 0x12;
    static final byte CREDIT = 0x13;
    static final byte SETTLE = 0x14;
    static final byte SETTLED = 0x15;
    static final byte FLOW = 0x16;

    // Every binary frame: kind u8, flags u8, zero u16, correlation u32.
    static final int KIND = 0;
    static final int FLAGS = 1;
    static final int CORRELATION = 4;
    static final int HEADER = 8;

    // CALL, ANSWER, FAILURE: then address, JSON, padding to 8, attachment table, attachments each
    // padded to 8.
    static final int ADDRESS_LENGTH = 8; // u16
    static final int ATTACHMENTS = 10; // u16
    static final int JSON_LENGTH = 12; // u32
    static final int TIMEOUT_MILLIS = 16; // u32
    static final int MESSAGE_HEAD = 24;

    static final int ATTACHMENT_TYPE = 0; // u8, then three zero bytes
    static final int ATTACHMENT_ROWS = 4; // u32
    static final int ATTACHMENT_COLUMNS = 8; // u32
    static final int ATTACHMENT_BYTES = 12; // u32
    static final int ATTACHMENT_ENTRY = 16;

    // PUBLISH: then namespace, channel names (u16 length, bytes), padding to 8, one entry a
    // message, then payload and meta of each message in the same order.
    static final int FLAG_CONFIRM = 1;
    static final int FLAG_DURABLE = 2;
    static final int FLAG_DELAYS = 4;
    static final int FLAG_RELAYED = 8;
    static final int NAMESPACE_LENGTH = 8; // u16
    static final int CHANNELS = 10; // u16
    static final int MESSAGES = 12; // u32
    static final int PUBLISHER = 16; // u64
    static final int PUBLISH_HEAD = 24;

    static final int PUBLISH_SEQUENCE = 0; // u64
    static final int PUBLISH_TIMESTAMP = 8; // i64
    static final int PUBLISH_PRIORITY = 16; // i64
    static final int PUBLISH_PAYLOAD = 24; // u32
    static final int PUBLISH_META = 28; // u32
    static final int PUBLISH_TTL = 32; // u32
    static final int PUBLISH_CHANNEL = 36; // u16
    static final int PUBLISH_PAYLOAD_TYPE = 38; // u8
    static final int PUBLISH_META_TYPE = 39; // u8
    static final int PUBLISH_ENTRY = 40;
    static final int PUBLISH_DELAY = 40; // u64, where FLAG_DELAYS is set
    static final int PUBLISH_DELAY_ENTRY = 48;

    // PUBLISHED: one entry a rejection.
    static final int ACCEPTED = 8; // u32
    static final int REJECTED = 12; // u32
    static final int PUBLISHED_HEAD = 16;
    static final int REJECTION_SEQUENCE = 0; // u64
    static final int REJECTION_CODE = 8; // u16
    static final int REJECTION_ENTRY = 16;

    // DELIVER: then channel names, padding to 8, entries, bodies, as in PUBLISH.
    static final int DELIVER_CHANNELS = 8; // u16
    static final int DELIVERIES = 12; // u32
    static final int DELIVER_HEAD = 16;

    static final int DELIVERY_SUBSCRIPTION = 0; // u32
    static final int DELIVERY_ATTEMPT = 4; // u16
    static final int DELIVERY_FLAGS = 6; // u16
    static final int FLAG_REPLAYED = 1;
    static final int DELIVERY_PUBLISHER = 8; // u64
    static final int DELIVERY_PUBLISHER_SEQUENCE = 16; // u64
    static final int DELIVERY_CHANNEL_SEQUENCE = 24; // u64
    static final int DELIVERY_TIMESTAMP = 32; // i64
    static final int DELIVERY_PRIORITY = 40; // i64
    static final int DELIVERY_PAYLOAD = 48; // u32
    static final int DELIVERY_META = 52; // u32
    static final int DELIVERY_TTL = 56; // u32
    static final int DELIVERY_CHANNEL = 60; // u16
    static final int DELIVERY_PAYLOAD_TYPE = 62; // u8
    static final int DELIVERY_META_TYPE = 63; // u8
    static final int DELIVERY_SEQUENCE = 64; // u64
    static final int DELIVERY_ENTRY = 72;

    // CREDIT: one entry a subscription.
    static final int GRANTS = 8; // u32
    static final int CREDIT_HEAD = 16;
    static final int GRANT_SUBSCRIPTION = 0; // u32
    static final int GRANT_MESSAGES = 4; // u32
    static final int GRANT_ENTRY = 8;

    // SETTLE: one entry a delivery, then the reasons in the same order.
    static final int SETTLEMENTS = 8; // u32
    static final int SETTLE_HEAD = 16;
    static final int SETTLEMENT_SUBSCRIPTION = 0; // u32
    static final int SETTLEMENT_KIND = 4; // u8, then three zero bytes
    static final int SETTLEMENT_SEQUENCE = 8; // u64
    static final int SETTLEMENT_DELAY = 16; // u32
    static final int SETTLEMENT_REASON = 20; // u32
    static final int SETTLEMENT_ENTRY = 24;

    /** As a delay: the subscription's own back-off decides. */
    static final int DELAY_BY_BACKOFF = 0xffff_ffff;

    // SETTLED
    static final int SETTLED_COUNT = 8; // u32
    static final int UNKNOWN_COUNT = 12; // u32
    static final int SETTLED_LENGTH = 16;

    // FLOW: then namespace, channel names, padding to 8, one entry a channel.
    static final int FLOW_CHANNELS = 8; // u16
    static final int FLOW_NAMESPACE = 10; // u16
    static final int FLOW_HEAD = 16;
    static final int ROOM_MESSAGES = 0; // u32
    static final int ROOM_CHANNEL = 4; // u16, then two zero bytes
    static final int ROOM_ENTRY = 8;

    private FrameLayout() {}

    static int padded(int offset) {
        return (offset + 7) & ~7;
    }
}
