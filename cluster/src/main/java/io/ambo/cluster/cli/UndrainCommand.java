package io.ambo.cluster.cli;

import io.ambo.proto.control.DrainRequest;
import io.ambo.proto.control.NodeAnswer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "undrain", description = "Ends a drain: the node takes new sessions again, and the floating addresses that prefer it.", footer = {
        "%nExamples:", "  ambo undrain b", NodeCommand.EXIT_CODES })
final class UndrainCommand extends NodeCommand {
    @Parameters(paramLabel = "NODE", description = "A member's name: ambo members")
    String node = "";

    @Override
    public Integer call() {
        NodeAnswer answer = ask(request().setDrain(DrainRequest.newBuilder().setNode(node).setEnd(true))).getNodes(0);
        if (answer.hasError()) {
            problem(Text.failure(answer));
            return ExitCode.PARTIAL;
        }
        if (json) println(Json.pretty(Json.object("node", node, "draining", answer.getDrain().getDraining())));
        else
            println(node + " takes new sessions again");
        return ExitCode.OK;
    }
}
