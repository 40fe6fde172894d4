package neuralcore.vectors;

import java.util.List;

/**
 * What a search found, and how.
 *
 * @param hits for each query its nearest, nearest first
 */
public record Found(List<List<Hit>> hits, Plan plan) {}
