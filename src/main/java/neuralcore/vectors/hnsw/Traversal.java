package neuralcore.vectors.hnsw;

/** With what the graph is built and walked. What is answered is always compared in float32. */
public enum Traversal {
    /** int8 codes: less memory to read, at almost the same recall. */
    INT8,
    /** The vectors themselves; they must be in the heap. */
    FLOAT32
}
