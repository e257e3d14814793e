package io.ambo.cluster.cli;

import io.ambo.cluster.cli.Table.Column;
import io.ambo.proto.control.Member;
import io.ambo.proto.control.Members;
import io.ambo.proto.control.MembersRequest;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Response;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

@Command(name = "members", description = "Shows who is in the cluster, as each member sees it.", footer = { "%nExamples:", "  ambo members",
        "  ambo members --json", NodeCommand.EXIT_CODES })
final class MembersCommand extends NodeCommand {
    @Override
    public Integer call() {
        Response response = ask(request().setMembers(MembersRequest.getDefaultInstance()));
        List<NodeAnswer> answers = response.getNodesList();
        List<NodeAnswer> nodes = answers.stream().filter(NodeAnswer::hasMembers).toList();
        Map<String, List<String>> seenBy = new LinkedHashMap<>();
        for (NodeAnswer node : nodes) seenBy.computeIfAbsent(names(node.getMembers()), key -> new ArrayList<>()).add(node.getNode());
        if (json)
            println(Json.pretty(Json.object("views", nodes.stream().map(MembersCommand::json).toList(), "agree", seenBy.size() <= 1,
                    "unanswered", failuresJson(answers))));
        else
            show(nodes, seenBy);
        if (reportFailures(answers) > 0) return ExitCode.PARTIAL;
        return seenBy.size() <= 1 ? ExitCode.OK : ExitCode.NEGATIVE;
    }

    private void show(List<NodeAnswer> nodes, Map<String, List<String>> seenBy) {
        Map<String, Member> members = new LinkedHashMap<>();
        for (NodeAnswer node : nodes) node.getMembers().getMembersList().forEach(member -> members.putIfAbsent(member.getName(), member));
        println(Text.count(members.size(), "member") + (seenBy.size() > 1 ? ", and they do not agree who is in the cluster" : ""));
        Table table = new Table(Column.left("NAME"), Column.right("ID").importance(1), Column.left("ADDRESS").importance(4),
                Column.left("GATE"),
                Column.right("SESSIONS").importance(3), Column.left("UP").importance(2), Column.left("BEHIND"), Column.left("SEEN BY"));
        for (Member member : members.values()) {
            Optional<Members> own = nodes.stream().filter(node -> node.getNode().equals(member.getName())).map(NodeAnswer::getMembers)
                    .findFirst();
            List<String> seers = nodes.stream()
                    .filter(node -> node.getMembers().getMembersList().stream().anyMatch(each -> each.getName().equals(member.getName())))
                    .map(NodeAnswer::getNode).toList();
            table.row(member.getName(), member.getNodeId(), member.getAddress(),
                    own.map(each -> StatusCommand.gateCell(each.getGate())).orElse("?"),
                    own.map(each -> Long.toString(each.getSessions())).orElse("?"),
                    own.map(each -> Text.duration(each.getUptimeMs())).orElse("?"), behind(member.getName(), nodes),
                    String.join(" ", seers));
        }
        print(table.render(cli().width()));
        if (seenBy.size() > 1) {
            seenBy.forEach((names, seers) -> problem(Text.list(seers) + (seers.size() == 1 ? " sees " : " see ") + names));
            problem("the cluster is split, or just changing (check the sync link: ping the other's bind-address)");
        }
    }

    /** As that of its peers sees it which waits for it longest. */
    private static String behind(String name, List<NodeAnswer> nodes) {
        return nodes.stream().flatMap(node -> node.getMembers().getMembersList().stream())
                .filter(member -> member.getName().equals(name) && member.getBehindBatches() > 0)
                .max(Comparator.comparingLong(Member::getBehindMs))
                .map(member -> Text.duration(member.getBehindMs()) + ", " + member.getBehindBatches() + " batches").orElse("-");
    }

    private static String names(Members members) {
        return Text.list(members.getMembersList().stream().map(Member::getName).sorted().toList());
    }

    private static Map<String, @Nullable Object> json(NodeAnswer node) {
        Members members = node.getMembers();
        return Json.object("node", node.getNode(), "view_id", members.getViewId(), "gate_open", members.getGate().getOpen(), "gate",
                StatusCommand.gateText(members.getGate()), "sessions", members.getSessions(), "uptime_ms", members.getUptimeMs(), "members",
                members.getMembersList().stream()
                        .map(member -> Json.object("name", member.getName(), "node_id", member.getNodeId(), "address",
                                member.getAddress(), "last_heard_ms", member.hasLastHeardMs() ? member.getLastHeardMs() : null,
                                "behind_batches", member.getBehindBatches(), "behind_ms",
                                member.getBehindMs()))
                        .toList());
    }
}
