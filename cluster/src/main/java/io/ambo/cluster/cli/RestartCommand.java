package io.ambo.cluster.cli;

import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Restart;
import io.ambo.proto.control.RestartRequest;
import picocli.CommandLine.Command;

@Command(name = "restart", description = "Ends the node's process without a packet lost: the kernel goes on forwarding established flows, and the process that the"
        + " service manager starts next adopts them. New flows go through the peer meanwhile. For a new version of Ambo, or settings that need a restart. Concerns"
        + " the asked node only.", footer = { "%nTo stop a node for good, its flows included: systemctl stop ambo", "%nExamples:",
                "  ambo restart", NodeCommand.EXIT_CODES })
final class RestartCommand extends NodeCommand {
    @Override
    public Integer call() {
        NodeAnswer node = ask(request().setRestart(RestartRequest.getDefaultInstance())).getNodes(0);
        if (node.hasError()) throw new CliException(ExitCode.NEGATIVE, Text.failure(node), "");
        Restart restart = node.getRestart();
        if (json)
            println(Json.pretty(Json.object("node", node.getNode(), "flows", restart.getFlows(), "survive_ms", restart.getSurviveMs())));
        else
            println(node.getNode() + ": restarting; " + Text.count(restart.getFlows(), "flow") + " go on in the kernel, for "
                    + Text.duration(restart.getSurviveMs()) + " at most");
        return ExitCode.OK;
    }
}
