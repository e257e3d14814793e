package io.ambo.cluster.cli;

import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Reload;
import io.ambo.proto.control.ReloadRequest;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "reload", description = "Makes the node read its config file again and put it into force: all of it or nothing. Sessions that the new rules forbid end, no other is lost. Concerns the asked node"
        + " only: reload its peers, too.", footer = { "%nExamples:", "  ambo config reload", "  ambo config reload --dry-run",
                NodeCommand.EXIT_CODES })
final class ReloadCommand extends NodeCommand {
    @Option(names = "--dry-run", description = "Say what would change, change nothing.")
    boolean dryRun;

    @Override
    public Integer call() {
        NodeAnswer node = ask(request().setReload(ReloadRequest.newBuilder().setDryRun(dryRun))).getNodes(0);
        if (node.hasError()) throw new CliException(ExitCode.NEGATIVE, Text.failure(node), "");
        Reload reload = node.getReload();
        boolean isGood = reload.getProblemsCount() == 0 && reload.getRestartChangesCount() == 0;
        if (json) {
            println(Json.pretty(
                    Json.object("node", node.getNode(), "applied", reload.getApplied(), "changes", reload.getChangesList(), "problems",
                            reload.getProblemsList(), "restart_changes", reload.getRestartChangesList())));
        } else if (isGood) {
            println(node.getNode() + ": " + (reload.getChangesCount() == 0
                    ? "nothing has changed"
                    : (reload.getApplied() ? "reloaded, " : "would reload, ") + Text.count(reload.getChangesCount(), "change")));
            reload.getChangesList().forEach(change -> println("  " + change));
        } else {
            reload.getProblemsList().forEach(cli().err()::println);
            if (reload.getProblemsCount() > 0)
                cli().err().println(Text.count(reload.getProblemsCount(), "problem") + ", nothing was changed");
            if (reload.getRestartChangesCount() > 0) {
                problem("these changes need a restart of the node, nothing was changed (one node after the other: ambo restart)");
                reload.getRestartChangesList().forEach(change -> cli().err().println("  " + change));
            }
        }
        return isGood ? ExitCode.OK : ExitCode.NEGATIVE;
    }
}
