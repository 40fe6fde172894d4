package neuralcore.vectors;

/**
 * A row found near a query.
 *
 * @param row its number
 * @param score similarity or distance, as the metric says
 */
public record Neighbour(int row, float score) {}
