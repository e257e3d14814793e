package io.ambo.node.config;

import io.ambo.cluster.cli.ConfigChecker;
import java.nio.file.Path;
import java.util.List;

/** {@code ambo config check}: found by the CLI as a service. */
public final class InstalledConfigChecker implements ConfigChecker {
    @Override
    public Report check(Path file, boolean askHost) {
        return switch (ConfigLoader.load(file, askHost ? new LinuxHostFacts() : HostFacts.UNKNOWN)) {
            case Loaded.Accepted accepted -> new Report(List.of(), summary(accepted.config()));
            case Loaded.Refused refused -> new Report(refused.problems().stream().map(Problem::toString).toList(), "");
        };
    }

    private static String summary(Config config) {
        return "node " + config.node().name() + " of cluster " + config.cluster().name() + ", interfaces "
                + String.join(", ", config.interfaces().stream().map(InterfaceConfig::name).toList()) + ", "
                + config.firewall().rules().size() + " rules";
    }
}
