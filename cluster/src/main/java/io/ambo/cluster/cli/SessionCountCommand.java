package io.ambo.cluster.cli;

import io.ambo.cluster.cli.Table.Column;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.SessionCount;
import io.ambo.proto.control.SessionCountRequest;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "count", description = "Counts the sessions of each node, by protocol and state.", footer = { "%nExamples:",
        "  ambo sessions count",
        "  ambo sessions count --rule web --state established", NodeCommand.EXIT_CODES })
final class SessionCountCommand extends NodeCommand {
    @Mixin
    SessionsCommand.Filter filter;

    @Override
    public Integer call() {
        List<NodeAnswer> answers = ask(request().setSessionCount(SessionCountRequest.newBuilder().setFilter(filter.build())))
                .getNodesList();
        List<NodeAnswer> nodes = answers.stream().filter(NodeAnswer::hasSessionCount).toList();
        if (json)
            println(Json.pretty(
                    Json.object("nodes", nodes.stream().map(SessionCountCommand::json).toList(), "unanswered", failuresJson(answers))));
        else
            show(nodes);
        return reportFailures(answers) > 0 ? ExitCode.PARTIAL : ExitCode.OK;
    }

    private void show(List<NodeAnswer> nodes) {
        println(nodes.stream().map(node -> node.getSessionCount().getMatching() + " on " + node.getNode())
                .collect(Collectors.joining(", ")));
        Table table = new Table(Column.left("NODE"), Column.right("SESSIONS"), Column.right("TCP"), Column.right("UDP"),
                Column.right("ICMP"),
                Column.right("OPENING").importance(4), Column.right("ESTABLISHED").importance(5), Column.right("CLOSING").importance(3),
                Column.right("CLOSED").importance(2), Column.right("ENTRIES").importance(1), Column.right("CAPACITY").importance(0));
        for (NodeAnswer node : nodes) {
            SessionCount count = node.getSessionCount();
            table.row(node.getNode(), count.getMatching(), count.getTcp(), count.getUdp(), count.getIcmp(), count.getOpening(),
                    count.getEstablished(),
                    count.getClosing(), count.getClosed(), count.getEntries(), count.getCapacity());
        }
        print(table.render(cli().width()));
    }

    private static Map<String, @Nullable Object> json(NodeAnswer node) {
        SessionCount count = node.getSessionCount();
        return Json.object("node", node.getNode(), "sessions", count.getMatching(), "tcp", count.getTcp(), "udp", count.getUdp(), "icmp",
                count.getIcmp(),
                "opening", count.getOpening(), "established", count.getEstablished(), "closing", count.getClosing(), "closed",
                count.getClosed(), "entries",
                count.getEntries(), "capacity", count.getCapacity());
    }
}
