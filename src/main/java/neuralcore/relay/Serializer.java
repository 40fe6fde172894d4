package neuralcore.relay;

/** In what form a message is written for a broker; both are read, whatever a route writes. */
public enum Serializer {
    /** One JSON object. */
    JSON,
    /** The MessagePack map that ATLAS's own bus exchanges. */
    NCB
}
