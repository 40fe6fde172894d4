package neuralcore.relay;

/** How a message is packed for a broker. What comes in is unpacked by what it begins with. */
public enum Compression {
    NONE,
    /** The one that ATLAS's own bus knows. */
    ZLIB,
    /** Quickest, packs least. */
    LZ4,
    /** Packs most, small messages by a dictionary that both ends have. */
    ZSTD
}
