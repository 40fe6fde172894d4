package neuralcore.vectors;

/**
 * What an upsert did.
 *
 * @param inserted rows whose id was new
 * @param updated rows whose id was there, or came before in the same batch
 */
public record Upserted(int inserted, int updated) {}
