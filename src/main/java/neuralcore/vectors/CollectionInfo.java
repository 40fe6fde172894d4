package neuralcore.vectors;

/**
 * @param count rows
 * @param bytes memory it takes, unused room included
 */
public record CollectionInfo(String name, int dimension, Metric metric, int count, long bytes) {}
