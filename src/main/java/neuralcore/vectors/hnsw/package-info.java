/**
 * An HNSW graph over the rows of a {@link neuralcore.vectors.VectorRows}: approximate nearest
 * neighbours in about log n steps.
 *
 * <p>How to use it:
 *
 * <pre>{@code
 * VectorRows rows = new VectorRows(dimension, metric, KernelProvider.kernels(), true);
 * HnswIndex index = new HnswIndex(rows, HnswConfig.defaults());
 *
 * rows.put(row, vector, 0);                    // always before add
 * index.add(row);                              // any number of threads
 * index.addAll(firstRow, lastRow + 1, parallel);
 * index.remove(row);                           // gone from answers at once
 * int[] reusable = index.takeFreedRows();      // gone from the graph: may be put again
 *
 * Found found = new Found();                   // reused, so that a search allocates nothing
 * index.search(query, 0, k, ef, null, found);  // any number of threads, never waits
 * found.row(i); found.score(i);                // i < found.count(), nearest first
 * }</pre>
 *
 * <p>A changed vector gets a new row: {@code put(newRow)}, {@code add(newRow)}, {@code
 * remove(oldRow)}. {@link neuralcore.vectors.RowFilter} restricts a search. {@link
 * HnswIndex#writeTo} and {@link HnswIndex#readFrom} keep the graph in a file; the vectors are kept
 * by whoever owns them.
 *
 * <p>After Yu. A. Malkov, D. A. Yashunin: Efficient and robust approximate nearest neighbor search
 * using Hierarchical Navigable Small World graphs (2016).
 */
@NullMarked
package neuralcore.vectors.hnsw;

import org.jspecify.annotations.NullMarked;
