package neuralcore.vectors.hnsw;

/** With what the graph is built and walked. What is answered is always compared in float32. */
public enum Traversal {
    /** int8 codes: less memory to read, at almost the same recall. */
    INT8,
    /** The vectors themselves; slower where they lie in a mapped file, for they are copied. */
    FLOAT32
}
