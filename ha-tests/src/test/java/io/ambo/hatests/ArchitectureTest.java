package io.ambo.hatests;

import static com.tngtech.archunit.base.DescribedPredicate.alwaysTrue;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import io.ambo.node.firewall.Names;
import org.junit.jupiter.api.Test;

/** Who may know whom (README, "Layout"). A rule that fails here is either a mistake or a better cut; for the latter, the README changes with the rule. */
class ArchitectureTest {
    private static final JavaClasses AMBO = new ClassFileImporter().withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.ambo");

    @Test
    void protoKnowsNobody() {
        check(noClasses().that().resideInAPackage("io.ambo.proto..").should().dependOnClassesThat().resideInAnyPackage("io.ambo.cluster..",
                "io.ambo.node..",
                "io.ambo.hatests.."));
    }

    @Test
    void clusterKnowsOnlyProto() {
        check(noClasses().that().resideInAPackage("io.ambo.cluster..").should().dependOnClassesThat().resideInAnyPackage("io.ambo.node..",
                "io.ambo.hatests.."));
    }

    @Test
    void nobodyKnowsTheProofs() {
        check(noClasses().that().resideOutsideOfPackage("io.ambo.hatests..").should().dependOnClassesThat()
                .resideInAPackage("io.ambo.hatests.."));
    }

    @Test
    void noPackagesFormACycle() {
        // The roots io.ambo.cluster and io.ambo.node hold the composition and the contracts with the outside; see the next two rules.
        check(slices().matching("io.ambo.cluster.(*)..").should().beFreeOfCycles());
        check(slices().matching("io.ambo.node.(*)..").should().beFreeOfCycles().ignoreDependency(alwaysTrue(), belongToAnyOf(Names.class)));
        check(slices().matching("io.ambo.hatests.(*)..").should().beFreeOfCycles());
    }

    @Test
    void namesIsALeafThatAllMayUse() {
        check(noClasses().that().belongToAnyOf(Names.class).should().dependOnClassesThat().resideInAnyPackage("io.ambo.cluster..",
                "io.ambo.proto..",
                "io.ambo.node.."));
    }

    @Test
    void partsDoNotKnowWhoComposesThem() {
        check(noClasses().that().resideInAPackage("io.ambo.node.*..").should().dependOnClassesThat().resideInAPackage("io.ambo.node"));
        check(noClasses().that().resideInAPackage("io.ambo.cluster.*..").should().dependOnClassesThat()
                .haveFullyQualifiedName("io.ambo.cluster.Cluster"));
    }

    @Test
    void onlyItsAdapterKnowsJGroups() {
        check(noClasses().that().resideOutsideOfPackage("io.ambo.cluster.jgroups..").should().dependOnClassesThat()
                .resideInAPackage("org.jgroups.."));
        check(noClasses().that().resideOutsideOfPackages("io.ambo.cluster", "io.ambo.cluster.jgroups..").should().dependOnClassesThat()
                .resideInAPackage("io.ambo.cluster.jgroups.."));
    }

    @Test
    void onlyCommandLinesKnowPicocli() {
        check(noClasses().that().resideOutsideOfPackages("io.ambo.cluster.cli..", "io.ambo.hatests..").should().dependOnClassesThat()
                .resideInAPackage("picocli.."));
        // The CLI checks a config file without a running node: the node's module implements this face of it, found as a service.
        check(noClasses().that().resideOutsideOfPackages("io.ambo.cluster.cli..", "io.ambo.hatests..").should()
                .dependOnClassesThat(resideInAPackage("io.ambo.cluster.cli..").and(nameMatching(".*\\.ConfigChecker(\\$.*)?").negate())));
    }

    @Test
    void onlyTheSystemPackageCallsNativeCode() {
        check(noClasses().that().resideOutsideOfPackages("io.ambo.node.sys..", "io.ambo.hatests.sys..").should().dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.Linker"));
        check(noClasses().that().resideInAPackage("io.ambo.node.sys..").should().dependOnClassesThat().resideInAnyPackage(
                "io.ambo.cluster..",
                "io.ambo.proto.."));
    }

    @Test
    void sessionsAreStateAndNothingElse() {
        check(noClasses().that().resideInAPackage("io.ambo.cluster.session..").and()
                .haveNameNotMatching(".*\\.session\\.(Chronicle|TableFile).*").should().dependOnClassesThat()
                .resideInAnyPackage("net.openhft..",
                        "org.apache.logging..",
                        "java.net..", "java.nio.channels..", "java.nio.file..", "java.util.concurrent.."));
        check(noClasses().that().resideOutsideOfPackage("io.ambo.cluster.session..").should().dependOnClassesThat()
                .resideInAPackage("net.openhft.."));
        check(noClasses().that().resideInAPackage("io.ambo.cluster.session..").should().dependOnClassesThat().resideInAnyPackage(
                "io.ambo.cluster.replication..", "io.ambo.cluster.resync..", "io.ambo.cluster.jgroups..", "io.ambo.proto.."));
    }

    @Test
    void thePacketsWayNeitherLogsNorTalksToTheNetwork() {
        check(noClasses().that()
                .resideInAnyPackage("io.ambo.node.packet..", "io.ambo.node.io..", "io.ambo.node.fastpath..", "io.ambo.node.firewall..",
                        "io.ambo.node.datapath..", "io.ambo.node.routing..")
                .should().dependOnClassesThat()
                .resideInAnyPackage("org.jgroups..", "io.netty..", "java.net.http..", "io.ambo.proto..", "io.ambo.node.control.."));
        check(noClasses().that().resideInAnyPackage("io.ambo.node.packet..", "io.ambo.node.io..", "io.ambo.node.firewall..").should()
                .dependOnClassesThat()
                .resideInAPackage("org.apache.logging.."));
        // Of these packages only the slow threads, and a worker when it starts, stops or fails, have something to say.
        check(noClasses().that().resideInAnyPackage("io.ambo.node.datapath..", "io.ambo.node.routing..").and()
                .haveNameNotMatching(".*\\.(Worker|Datapath|Keeper|FlowKeeper|Keepers|FirewallLog|KernelNetwork|FailClosed)(\\$.*)?")
                .should()
                .dependOnClassesThat().resideInAPackage("org.apache.logging.."));
    }

    @Test
    void onlyTheControlServerKnowsNetty() {
        check(noClasses().that().resideOutsideOfPackages("io.ambo.node.control..", "io.ambo.hatests..").should().dependOnClassesThat()
                .resideInAPackage("io.netty.."));
    }

    @Test
    void timeComesFromTheClockAlone() {
        check(noClasses().that()
                .resideInAnyPackage("io.ambo.cluster..", "io.ambo.node.packet..", "io.ambo.node.firewall..", "io.ambo.node.routing..",
                        "io.ambo.node.io..", "io.ambo.node.fastpath..")
                .and().resideOutsideOfPackages("io.ambo.cluster.time..", "io.ambo.cluster.cli..").should()
                .callMethod(System.class, "nanoTime").orShould().callMethod(System.class, "currentTimeMillis"));
    }

    @Test
    void noClassIsNamedAfterNothing() {
        check(classes().that().resideInAPackage("io.ambo..").and().resideOutsideOfPackage("io.ambo.proto..").should()
                .haveNameNotMatching(".*(Manager|Helper|Util|Utils|Impl)"));
    }

    private static void check(ArchRule rule) {
        // A package that no module has yet breaks no rule.
        rule.allowEmptyShould(true).check(AMBO);
    }
}
