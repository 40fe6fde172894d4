/**
 * The cluster of Vert.x nodes: who is in it, and who listens where. Links between nodes are TCP
 * with mutual TLS, and whoever dials proves to know the cluster's secret ({@link
 * neuralcore.cluster.Handshake}).
 */
@NullMarked
package neuralcore.mesh;

import org.jspecify.annotations.NullMarked;
