/**
 * What messages of a channel must look like to pass a relay: a registry of JSON Schemas.
 *
 * <p>Channels have a <i>subject</i>, and a subject has versions, files {@code subject.v1.json},
 * {@code subject.v2.json}, … of one folder ({@link neuralcore.relay.schema.SchemaFolder}). A
 * version never changes; a new one must go with the one before it as the subject's {@link
 * neuralcore.relay.schema.Compatibility} says ({@link neuralcore.relay.schema.Containment}). A
 * message carries the name of the version that it was written with, so that whoever reads it checks
 * it against that one ({@link neuralcore.relay.schema.SchemaRegistry}).
 *
 * <p>Nothing is ever fetched from elsewhere ({@link neuralcore.relay.schema.SchemaText}). Whether a
 * value is as a schema says is decided by a library, behind {@link
 * neuralcore.relay.schema.SchemaLanguage}.
 */
@NullMarked
package neuralcore.relay.schema;

import org.jspecify.annotations.NullMarked;
