@org.jspecify.annotations.NullMarked
package neuralcore.relay.schema;
