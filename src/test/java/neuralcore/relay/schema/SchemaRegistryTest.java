package neuralcore.relay.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import neuralcore.wire.Envelope;
import neuralcore.wire.ErrorCode;
import neuralcore.wire.NeuralCoreException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import verticles.relay.JsonSchemas;

/** Files of schemas, their versions, and messages that are as they say or not. */
class SchemaRegistryTest {
    private static final String ONE =
            "{'type':'object','required':['id'],'additionalProperties':false,'properties':{'id':{'type':'integer'}}}";
    private static final String TWO =
            ONE.replace("'integer'}", "'integer'},'coupon':{'type':'string'}");

    @TempDir Path folder;

    @Test
    void aMessageIsCheckedAgainstTheVersionThatItWasWrittenWith() throws Exception {
        file("order.v1.json", ONE);
        file("order.v2.json", TWO);
        SchemaRegistry registry = registry(rule("order", "orders.**", 0));

        SchemaRegistry.Verdict good =
                registry.outgoing(message("orders.eu", "{'id':1,'coupon':'x'}"));
        assertThat(good).isEqualTo(new SchemaRegistry.Verdict("order/2", null));
        assertThat(registry.incoming(message("orders", "{'id':1,'coupon':'x'}"), "order/2"))
                .isNull();
        assertThat(registry.incoming(message("orders", "{'id':1,'coupon':'x'}"), "order/1"))
                .contains("order/1", "coupon");
        assertThat(registry.incoming(message("orders", "{'id':1,'coupon':'x'}"), "")).isNull();
        assertThat(registry.incoming(message("orders", "{'id':1}"), "order/3")).contains("order/3");
        assertThat(registry.incoming(message("orders", "{'id':1}"), "x/../y")).contains("x/../y");
        assertThat(registry.outgoing(message("orders", "{'id':'1'}")).problem())
                .contains("order/2", "id");
        assertThat(registry.outgoing(message("others", "{}")))
                .isEqualTo(new SchemaRegistry.Verdict(null, null));
    }

    @Test
    void aPinnedVersionIsWrittenAndDirectionsCanBeLeftOut() throws Exception {
        file("order.v1.json", ONE);
        file("order.v2.json", TWO);
        assertThat(
                        registry(rule("order", "orders", 1))
                                .outgoing(message("orders", "{'id':1}"))
                                .tag())
                .isEqualTo("order/1");
        SchemaRegistry in =
                registry(
                        new SchemaRule("order", "orders", Compatibility.NONE, SchemaRule.On.IN, 0));
        assertThat(in.outgoing(message("orders", "[]")).problem()).isNull();
        assertThat(in.incoming(message("orders", "[]"), "")).isNotNull();
    }

    @Test
    void aVersionThatBreaksThePromiseIsRefusedByNameOfTheProperty() throws Exception {
        file("order.v1.json", ONE);
        SchemaRegistry registry = registry(rule("order", "orders", 0));
        Map<String, @Nullable Object> breaking = schema(ONE.replace("integer", "string"));

        assertThat(registry.check("order", breaking)).anyMatch(each -> each.contains("/id"));
        assertThatThrownBy(() -> registry.add("order", breaking))
                .isInstanceOfSatisfying(
                        NeuralCoreException.class,
                        e -> assertThat(e.code()).isEqualTo(ErrorCode.SCHEMA_INCOMPATIBLE))
                .hasMessageContaining("/id")
                .hasMessageContaining("backward");
        assertThat(Files.exists(folder.resolve("order.v2.json"))).isFalse();

        assertThat(registry.add("order", schema(TWO))).isEqualTo(2);
        assertThat(registry.add("order", schema(TWO))).as("the newest already").isEqualTo(2);
        assertThat(registry.outgoing(message("orders", "{'id':1}")).tag()).isEqualTo("order/2");
        assertThat(registry.describe().toString()).contains("versions=[1, 2]", "writes=2");
        assertThatThrownBy(() -> registry.check("invoice", breaking))
                .hasMessageContaining("invoice");
        assertThat(folder).isDirectoryNotContaining("glob:**.new");

        file("order.v3.json", ONE.replace("integer", "string"));
        assertThatThrownBy(() -> registry(rule("order", "orders", 0))).hasMessageContaining("/id");
        assertThatThrownBy(registry::reload).hasMessageContaining("Version 3");
        assertThat(registry.outgoing(message("orders", "{'id':1}")).tag())
                .as("what was read before stays")
                .isEqualTo("order/2");
    }

    @Test
    void whatIsNoSchemaOrLeadsElsewhereIsRefused() throws Exception {
        for (String wrong :
                List.of(
                        "[]",
                        "{'type':",
                        "{'$ref':'http://127.0.0.1/schema.json'}",
                        "{'properties':{'a':{'$ref':'file:///etc/passwd'}}}",
                        "{'properties':{'a':{'$ref':'other.v1.json'}}}",
                        "{'properties':{'a':{'$id':'urn:b','type':'string'}}}",
                        "{'$ref':'#/$defs/missing'}",
                        "{'properties':{'a':{'type':'nothing'}}}",
                        "{'properties':{'a':{'minLength':'x'}}}",
                        "{'required':'a'}",
                        "{'properties':{'a':{'pattern':'('}}}",
                        "{'$schema':'http://127.0.0.1/own'}",
                        "{'a':".repeat(40) + "1" + "}".repeat(40),
                        "{'description':'" + "x".repeat(300_000) + "'}")) {
            file("order.v1.json", wrong);
            assertThatThrownBy(() -> registry(rule("order", "orders", 0)))
                    .as(wrong.substring(0, Math.min(60, wrong.length())))
                    .isInstanceOfSatisfying(
                            NeuralCoreException.class,
                            e -> assertThat(e.code()).isEqualTo(ErrorCode.INVALID_REQUEST));
        }
        Files.delete(folder.resolve("order.v1.json"));
        assertThatThrownBy(() -> registry(rule("order", "orders", 0)))
                .hasMessageContaining("order.v1.json");
        assertThatThrownBy(() -> rule("../order", "orders", 0)).hasMessageContaining("../order");
    }

    @Test
    @Timeout(60)
    void whatTakesTooLongToCheckIsRefused() throws Exception {
        file("order.v1.json", "{'type':'array','uniqueItems':true}");
        SchemaRegistry registry = registry(rule("order", "orders", 0));
        String many = Collections.nCopies(20_000, "{}").toString();
        assertThat(registry.incoming(message("orders", many), "")).contains("too many");
        assertThat(registry.incoming(message("orders", "[1,2,1]"), "")).contains("order/1");

        String long_ = "['" + "x".repeat(2_000_000) + "']";
        assertThat(registry.incoming(message("orders", long_), "")).contains("bytes");
    }

    @Test
    void draftsAreToldByTheirName() throws Exception {
        for (String draft :
                List.of(
                        "http://json-schema.org/draft-07/schema#",
                        "https://json-schema.org/draft/2019-09/schema",
                        "https://json-schema.org/draft/2020-12/schema")) {
            file(
                    "order.v1.json",
                    "{'$schema':'%s','$id':'https://example.org/order','definitions':{'n':{'minimum':1}},"
                                    .formatted(draft)
                            + "'properties':{'n':{'$ref':'#/definitions/n'},'at':{'format':'date-time'}}}");
            SchemaRegistry registry = registry(rule("order", "orders", 0));
            assertThat(registry.incoming(message("orders", "{'n':1}"), "")).as(draft).isNull();
            assertThat(registry.incoming(message("orders", "{'n':0}"), ""))
                    .as(draft)
                    .contains("/n");
        }
    }

    private SchemaRegistry registry(SchemaRule rule) {
        return new SchemaRegistry(
                new SchemaSettings(folder, 1 << 20, List.of(rule)), new JsonSchemas());
    }

    private static SchemaRule rule(String subject, String channel, int writes) {
        return new SchemaRule(subject, channel, Compatibility.BACKWARD, SchemaRule.On.BOTH, writes);
    }

    private void file(String name, String text) throws Exception {
        Files.writeString(folder.resolve(name), text.replace('\'', '"'));
    }

    private static Map<String, @Nullable Object> schema(String text) {
        return SchemaText.read(text.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    }

    private static Envelope message(String channel, String payload) {
        byte[] body = payload.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        return new Envelope(
                channel, 1, 1, 0, 0, 0, 0, Envelope.JSON, Envelope.NONE, body, body.length);
    }
}
