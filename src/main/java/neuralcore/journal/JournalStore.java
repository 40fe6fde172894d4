package neuralcore.journal;

import java.util.List;

/** Where the journals of namespaces are. Thread-safe; its methods block on the disk. */
public interface JournalStore {

    /** The namespaces that have a journal. */
    List<String> existing();

    /**
     * Opens a namespace's journal, making it if there is none.
     *
     * @throws neuralcore.wire.NeuralCoreException {@code DATA_DAMAGED} if messages are missing or
     *     not what was written, with what is lost; {@code VERSION_MISMATCH} if a newer version
     *     wrote it; {@code STORAGE_FULL} or {@code STORAGE_FAILED}
     */
    Journal open(String namespace, JournalListener listener);
}
