package neuralcore.vectors;

/**
 * What a search found.
 *
 * @param row with its vector only if that was asked for
 * @param score similarity or distance, as the collection's metric says
 */
public record Hit(StoredRow row, float score) {
    public Object id() {
        return row.id();
    }
}
