package neuralcore.vectors;

import neuralcore.wire.Tensor;

/**
 * Vectors that came with a request: {@code rows} of {@code dimension} elements.
 *
 * @param values row after row
 */
@SuppressWarnings("ArrayRecordComponent") // a carrier of arguments, never compared
record Matrix(float[] values, int rows, int dimension) {

    /** A copy; a vector is one row. */
    static Matrix of(Tensor tensor) {
        return new Matrix(tensor.toFloatArray(), rows(tensor), dimension(tensor));
    }

    static int rows(Tensor tensor) {
        return tensor.columns() == 0 ? Math.min(1, tensor.rows()) : tensor.rows();
    }

    static int dimension(Tensor tensor) {
        return tensor.columns() == 0 ? tensor.rows() : tensor.columns();
    }

    /** The dimension, or if there are no rows, which have none, the one given. */
    int dimensionOr(int otherwise) {
        return rows == 0 ? otherwise : dimension;
    }
}
