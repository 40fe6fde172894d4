import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.ObjectInputStream;
import org.junit.jupiter.api.Test;

/** The rules that docs/architecture.md states. */
class ArchitectureTest {
    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                    .importPackages("neuralcore", "verticles");

    private static final String[] ENGINES = {
        "neuralcore.vectors..", "neuralcore.embedding..", "neuralcore.bus..", "neuralcore.relay.."
    };

    @Test
    void theCoreKnowsNothingOfVertx() {
        noClasses()
                .that()
                .resideInAnyPackage(
                        "neuralcore.vectors..",
                        "neuralcore.embedding..",
                        "neuralcore.bus..",
                        "neuralcore.journal..",
                        "neuralcore.relay..",
                        "neuralcore.cluster..",
                        "neuralcore.wire..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.vertx..", "io.netty..", "verticles..")
                .check(CLASSES);
    }

    @Test
    void noEngineKnowsAnother() {
        for (String engine : ENGINES) {
            for (String other : ENGINES) {
                if (!engine.equals(other)) {
                    noClasses()
                            .that()
                            .resideInAPackage(engine)
                            .should()
                            .dependOnClassesThat()
                            .resideInAPackage(other)
                            .check(CLASSES);
                }
            }
        }
    }

    /** The bus decides what is written; the log only keeps it. */
    @Test
    void theJournalKnowsNoEngine() {
        noClasses()
                .that()
                .resideInAPackage("neuralcore.journal..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(ENGINES)
                .check(CLASSES);
    }

    @Test
    void onlyTheEntryPointKnowsTheVerticles() {
        noClasses()
                .that()
                .resideInAPackage("neuralcore..")
                .and()
                .resideOutsideOfPackages("neuralcore.ops..")
                .and()
                .doNotHaveFullyQualifiedName("neuralcore.Main")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("verticles..")
                .check(CLASSES);
    }

    @Test
    void nothingReadsJavaSerialization() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .areAssignableTo(ObjectInputStream.class)
                .check(CLASSES);
    }
}
