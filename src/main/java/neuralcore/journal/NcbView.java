package neuralcore.journal;

/**
 * {@code ncb_messages}, the table that readers of ATLAS's bus know, as a view: {@code data} is the
 * MessagePack map (or, for JSON payloads, the JSON object) with id, channel, ts, priority, payload
 * and meta that its deserializer takes.
 *
 * <p>All of it is put together by SQL in hexadecimal, for bytes cannot be joined otherwise. A
 * double cannot either: for the seconds from 2004 to 2106 its bits are the exponent of 2³⁰ or 2³¹
 * and the rest as a fraction of it; other times become whole seconds.
 */
final class NcbView {
    private static final String PAYLOAD = "substr(record, 81, payload_length)";
    private static final String SECONDS = "(timestamp / 1000000000)";
    private static final String NANOS = "(timestamp % 1000000000)";

    static final String CREATE =
            """
            CREATE VIEW ncb_messages (channel, seq, msg_id, ts, priority, data) AS
            SELECT name, sequence, msg_id, timestamp / 1e9, priority, CASE payload_type
              WHEN 1 THEN CAST('{"id":"' || msg_id || '","channel":' || json_quote(name)
                || ',"ts":' || printf('%!.17g', timestamp / 1e9) || ',"priority":' || priority
                || ',"payload":' || CAST(PAYLOAD AS TEXT)
                || ',"meta":' || CASE meta_type WHEN 1 THEN CAST(META AS TEXT) ELSE '{}' END
                || '}' AS BLOB)
              ELSE unhex('86A26964D920' || hex(msg_id)
                || 'A76368616E6E656CDA' || printf('%04X', length(CAST(name AS BLOB))) || hex(name)
                || 'A27473' || CASE
                  WHEN SECONDS BETWEEN 1073741824 AND 2147483647 THEN 'CB' || printf('%016X',
                    (1053 << 52) | (SECONDS - 1073741824 << 22) | (NANOS << 22) / 1000000000)
                  WHEN SECONDS BETWEEN 2147483648 AND 4294967295 THEN 'CB' || printf('%016X',
                    (1054 << 52) | (SECONDS - 2147483648 << 21) | (NANOS << 21) / 1000000000)
                  ELSE 'D3' || printf('%016X', SECONDS) END
                || 'A87072696F72697479D3' || printf('%016X', priority)
                || 'A77061796C6F6164'
                || CASE payload_type WHEN 3 THEN 'C6' || printf('%08X', payload_length) ELSE '' END
                || CASE payload_type WHEN 0 THEN 'C0' ELSE hex(PAYLOAD) END
                || 'A46D657461' || CASE meta_type WHEN 2 THEN hex(META) ELSE '80' END)
              END
            FROM (SELECT channels.name, sequence, timestamp, priority, record,
              lower(hex(substr(record, 37, 16))) AS msg_id,
              json_extract('0x' || hex(substr(record, 73, 4)), '$') AS payload_length,
              json_extract('0x' || hex(substr(record, 77, 1)), '$') AS payload_type,
              json_extract('0x' || hex(substr(record, 78, 1)), '$') AS meta_type
              FROM messages JOIN channels ON channels.id = messages.channel AND removed = 0)"""
                    .replace("PAYLOAD", PAYLOAD)
                    .replace("META", "substr(record, 81 + payload_length)")
                    .replace("SECONDS", SECONDS)
                    .replace("NANOS", NANOS);

    private NcbView() {}
}
