/**
 * Texts to vectors: which models there are and where their files lie, tokenizing, running the
 * network, and the queue that turns many clients' requests into few well-filled batches.
 *
 * <p>{@link neuralcore.embedding.EmbeddingScheduler} decides what runs where and knows no thread
 * and no clock; {@link neuralcore.embedding.OnnxModel} runs batches and knows no queue.
 */
@NullMarked
package neuralcore.embedding;

import org.jspecify.annotations.NullMarked;
