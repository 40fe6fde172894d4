package neuralcore.relay.schema;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import verticles.relay.JsonSchemas;

/** Which versions of a schema go with which. */
class CompatibilityTest {
    private static final String CLOSED =
            "{'type':'object','required':['id'],'additionalProperties':false,'properties':{"
                    + "'id':{'type':'integer'},'name':{'type':'string','maxLength':10}}}";

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "'name':{'type':'string','maxLength':10} | 'name':{'type':'string','maxLength':20}"
                        + " | true | false | name",
                "'name':{'type':'string','maxLength':10} | 'name':{'type':'string','maxLength':10},"
                        + "'more':{'type':'string'} | true | false | more",
                "'id':{'type':'integer'} | 'id':{'type':'number'} | true | false | id",
                "'id':{'type':'integer'} | 'id':{'type':'string'} | false | false | id",
                "'required':['id'] | 'required':['id','name'] | false | true | name",
                "'required':['id'] | 'required':[] | true | false | id",
                "'additionalProperties':false | 'additionalProperties':true | true | false | described",
                "'type':'object' | 'title':'An order','type':'object' | true | true | -",
                "'id':{'type':'integer'} | 'id':{'enum':[1,2,3]} | false | true | id",
                "'id':{'type':'integer'} | 'id':{'type':'integer','minimum':0} | false | true | id",
            })
    void changesOfAClosedObjectGoAsFarAsTheyCan(
            String what, String into, boolean backward, boolean forward, String named) {
        String changed = CLOSED.replace(what, into);
        assertThat(changed).isNotEqualTo(CLOSED);

        List<String> back = Compatibility.BACKWARD.breaks(schema(CLOSED), schema(changed));
        List<String> forth = Compatibility.FORWARD.breaks(schema(CLOSED), schema(changed));

        assertThat(back.isEmpty()).as("backward: %s", back).isEqualTo(backward);
        assertThat(forth.isEmpty()).as("forward: %s", forth).isEqualTo(forward);
        assertThat(Compatibility.FULL.breaks(schema(CLOSED), schema(changed)).isEmpty())
                .isEqualTo(backward && forward);
        assertThat(Compatibility.NONE.breaks(schema(CLOSED), schema(changed))).isEmpty();
        if (!(backward && forward)) {
            assertThat(String.join(";", back) + String.join(";", forth)).contains(named);
        }
    }

    @Test
    void whatAnOpenObjectDidNotDescribeCouldBeAnything() {
        String open = "{'type':'object','properties':{'id':{'type':'integer'}}}";
        String described = open.replace("}}}", "},'coupon':{'type':'string'}}}");

        assertThat(Compatibility.BACKWARD.breaks(schema(open), schema(described)))
                .singleElement()
                .asString()
                .contains("/coupon");
        assertThat(Compatibility.FORWARD.breaks(schema(open), schema(described))).isEmpty();
    }

    @Test
    void listsPatternsAndDefinitionsAreGoneInto() {
        String list =
                "{'$defs':{'item':{'type':'object','required':['sku'],'properties':{'sku':{'type':'string'}},"
                        + "'additionalProperties':false}},'type':'array','items':{'$ref':'#/$defs/item'}}";
        String wider = list.replace("{'type':'string'}", "{'type':['string','integer']}");
        assertThat(Compatibility.BACKWARD.breaks(schema(list), schema(wider))).isEmpty();
        assertThat(Compatibility.FORWARD.breaks(schema(list), schema(wider)))
                .singleElement()
                .asString()
                .contains("/*/sku");

        String map = "{'type':'object','additionalProperties':{'type':'integer'}}";
        String patterns =
                "{'type':'object','patternProperties':{'^n':{'type':'integer'}},'additionalProperties':false}";
        assertThat(Compatibility.FORWARD.breaks(schema(map), schema(patterns))).isEmpty();
        assertThat(Compatibility.BACKWARD.breaks(schema(map), schema(patterns))).isNotEmpty();
    }

    @Test
    void circlesEndAndWhatCannotBeToldIsABreak() {
        String tree =
                "{'type':'object','properties':{'left':{'$ref':'#'},'right':{'$ref':'#'},'n':{'type':'integer'}},"
                        + "'additionalProperties':false}";
        assertThat(Compatibility.FULL.breaks(schema(tree), schema(tree))).isEmpty();
        String other = tree.replace("integer", "string");
        assertThat(Compatibility.BACKWARD.breaks(schema(tree), schema(other))).isNotEmpty();

        assertThat(
                        Compatibility.BACKWARD.breaks(
                                schema("{'not':{'type':'string'}}"),
                                schema("{'not':{'type':'integer'}}")))
                .isNotEmpty();
        assertThat(
                        Compatibility.BACKWARD.breaks(
                                schema("{'type':'string'}"),
                                schema("{'anyOf':[{'type':'integer'},{'type':'string'}]}")))
                .isEmpty();
        assertThat(
                        Compatibility.BACKWARD.breaks(
                                schema("{'anyOf':[{'type':'integer'},{'type':'string'}]}"),
                                schema("{'type':'string'}")))
                .isNotEmpty();
    }

    /** Where a version is said to go with another, no value may be found that shows it does not. */
    @Test
    void noValueContradictsWhatIsSaidToBeCompatible() {
        long seed = Long.getLong("neuralcore.seed", System.nanoTime());
        Random random = new Random(seed);
        int compatible = 0;
        JsonSchemas language = new JsonSchemas();
        for (int round = 0; round < 4_000; round++) {
            Map<String, @Nullable Object> before = schema(RandomSchemas.schema(random, 2));
            Map<String, @Nullable Object> after = schema(RandomSchemas.schema(random, 2));
            if (!Compatibility.BACKWARD.breaks(before, after).isEmpty()) {
                continue;
            }
            compatible++;
            SchemaLanguage.Check old = language.compile(before);
            SchemaLanguage.Check fresh = language.compile(after);
            for (int i = 0; i < 40; i++) {
                Object value = RandomSchemas.value(random, 2);
                if (old.problem(value) == null) {
                    assertThat(fresh.problem(value))
                            .as("seed %d: %s, then %s: %s", seed, before, after, value)
                            .isNull();
                }
            }
        }
        assertThat(compatible).as("pairs that say something, seed %d", seed).isGreaterThan(50);
    }

    private static Map<String, @Nullable Object> schema(String text) {
        return SchemaText.read(text.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    }
}
