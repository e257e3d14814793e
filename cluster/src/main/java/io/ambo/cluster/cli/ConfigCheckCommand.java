package io.ambo.cluster.cli;

import java.nio.file.Path;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "check", description = "Lists everything that is wrong with a config file. Needs no running node and changes nothing.", footer = {
        "%nExamples:",
        "  ambo config check /etc/ambo/ambo.yml", "  ambo config check --other-host inventory/b/ambo.yml", NodeCommand.EXIT_CODES })
final class ConfigCheckCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec;

    @Parameters(index = "0", paramLabel = "FILE", description = "The file to check.")
    Path file;

    @Option(names = "--other-host", description = "The file is for another host: do not look for its interfaces, addresses and key file here.")
    boolean otherHost;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Override
    public Integer call() {
        AmboCli cli = (AmboCli) spec.root().userObject();
        ConfigChecker checker = ServiceLoader.load(ConfigChecker.class).findFirst()
                .orElseThrow(() -> new CliException(ExitCode.UNREACHABLE, "this installation lacks the node's part",
                        "run ambo from a complete installation"));
        ConfigChecker.Report report = checker.check(file, !otherHost);
        boolean isGood = report.problems().isEmpty();
        if (json) {
            cli.out().println(Json.pretty(Json.object("file", file.toString(), "good", isGood, "problems", report.problems())));
        } else if (isGood) {
            cli.out().println(file + " is good: " + report.summary());
        } else {
            report.problems().forEach(cli.err()::println);
            cli.err().println(Text.count(report.problems().size(), "problem") + ", nothing was changed");
        }
        return isGood ? ExitCode.OK : ExitCode.NEGATIVE;
    }
}
