package io.ambo.cluster.cli;

import io.ambo.cluster.cli.Table.Column;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Version;
import io.ambo.proto.control.VersionRequest;
import java.util.List;
import picocli.CommandLine.Command;

@Command(name = "version", description = "Shows the versions of this command and of the nodes.", footer = { "%nExamples:", "  ambo version",
        "  ambo --version",
        NodeCommand.EXIT_CODES })
final class VersionCommand extends NodeCommand {
    @Override
    public Integer call() {
        if (!json) println("ambo " + AmboCli.version());
        List<NodeAnswer> answers = ask(request().setVersion(VersionRequest.getDefaultInstance())).getNodesList();
        List<NodeAnswer> nodes = answers.stream().filter(NodeAnswer::hasVersion).toList();
        if (json) {
            println(Json.pretty(Json.object("cli", AmboCli.version(), "nodes",
                    nodes.stream()
                            .map(node -> Json.object("node", node.getNode(), "version", node.getVersion().getVersion(), "java",
                                    node.getVersion().getJava(),
                                    "kernel", node.getVersion().getKernel()))
                            .toList(),
                    "unanswered", failuresJson(answers))));
        } else {
            Table table = new Table(Column.left("NODE"), Column.left("VERSION"), Column.left("JAVA"), Column.left("KERNEL"));
            for (NodeAnswer node : nodes) {
                Version version = node.getVersion();
                table.row(node.getNode(), version.getVersion(), version.getJava(), version.getKernel());
            }
            print(table.render(cli().width()));
        }
        return reportFailures(answers) > 0 ? ExitCode.PARTIAL : ExitCode.OK;
    }
}
