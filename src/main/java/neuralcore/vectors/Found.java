package neuralcore.vectors;

import java.util.List;

/**
 * What a search found, and how.
 *
 * @param hits for each query its nearest, nearest first
 * @param complete how many of them, one query's after the other's, have room in an answer with all
 *     that is kept with them; the rest have no vectors
 */
public record Found(List<List<Hit>> hits, int complete, Plan plan) {}
