package neuralcore.vectors;

/**
 * What collections may take, and where they change their ways.
 *
 * @param maxDimension largest vector
 * @param maxBytes memory that all collections may take together
 * @param exactBelow collections with fewer rows get no graph
 * @param frameBytes largest frame that clients take: what is put must fit into one by itself
 */
public record CollectionLimits(int maxDimension, long maxBytes, int exactBelow, long frameBytes) {}
