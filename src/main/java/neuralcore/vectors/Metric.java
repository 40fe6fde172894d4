package neuralcore.vectors;

import neuralcore.wire.NeuralCoreException;

/** What "near" means, by the names that clients use. */
public enum Metric {
    /** The cosine of the angle; 0 where a vector is zero. */
    COSINE("cosine", true, true),
    EUCLIDEAN("euclidean", false, false),
    SQUARED_EUCLIDEAN("squared_euclidean", false, false),
    DOT_PRODUCT("dot_product", true, true);

    private final String wireName;
    private final boolean higherIsNearer;
    private final boolean product;

    Metric(String wireName, boolean higherIsNearer, boolean product) {
        this.wireName = wireName;
        this.higherIsNearer = higherIsNearer;
        this.product = product;
    }

    public String wireName() {
        return wireName;
    }

    /** Whether scores are similarities; if not, they are distances. */
    public boolean higherIsNearer() {
        return higherIsNearer;
    }

    /** Whether a score is at least as near as another. */
    public boolean reaches(float score, float limit) {
        return higherIsNearer ? score >= limit : score <= limit;
    }

    /** Whether it is made from Σ aᵢ·bᵢ; if not, from Σ (aᵢ − bᵢ)². */
    public boolean isProduct() {
        return product;
    }

    /** From a value that grows with nearness to the score that callers see, and back. */
    public float score(float nearness) {
        return higherIsNearer ? nearness : -nearness;
    }

    /** The metric of this name; {@code inner_product} is another name of the dot product. */
    public static Metric ofWireName(String name) {
        for (Metric metric : values()) {
            if (metric.wireName.equals(name)) {
                return metric;
            }
        }
        if (name.equals("inner_product")) {
            return DOT_PRODUCT;
        }
        throw NeuralCoreException.invalid(
                "'metric' is '%s'; it must be cosine, euclidean, squared_euclidean or dot_product."
                        .formatted(name));
    }
}
