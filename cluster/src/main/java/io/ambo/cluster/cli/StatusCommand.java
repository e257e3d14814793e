package io.ambo.cluster.cli;

import io.ambo.cluster.cli.Table.Column;
import io.ambo.proto.control.Gate;
import io.ambo.proto.control.Interface;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.NodeStatus;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.StatusRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

@Command(name = "status", description = "Shows how the nodes of the cluster are: do they take traffic, how full are they, what is wrong.", footer = {
        "%nExamples:", "  ambo status", "  ambo status --local --json", NodeCommand.EXIT_CODES })
final class StatusCommand extends NodeCommand {
    private static final int LONGEST_VALUE = 60;

    @Override
    public Integer call() {
        Response response = ask(request().setStatus(StatusRequest.getDefaultInstance()));
        List<NodeAnswer> answers = response.getNodesList();
        List<NodeAnswer> nodes = answers.stream().filter(NodeAnswer::hasStatus).toList();
        List<String> warnings = warnings(nodes);
        if (json) {
            println(Json.pretty(Json.object("nodes", nodes.stream().map(StatusCommand::json).toList(), "warnings", warnings, "unanswered",
                    failuresJson(answers))));
        } else {
            show(nodes, answers.size());
        }
        warnings.forEach(this::problem);
        if (reportFailures(answers) > 0) return ExitCode.PARTIAL;
        return warnings.isEmpty() && nodes.stream().allMatch(node -> node.getStatus().getGate().getOpen())
                ? ExitCode.OK
                : ExitCode.NEGATIVE;
    }

    private void show(List<NodeAnswer> nodes, int asked) {
        long open = nodes.stream().filter(node -> node.getStatus().getGate().getOpen()).count();
        String cluster = nodes.stream().map(node -> node.getStatus().getCluster()).distinct().collect(Collectors.joining(", "));
        String taking = open == asked
                ? asked == 1 ? "it takes traffic" : "all take traffic"
                : open + (open == 1 ? " takes" : " take") + " traffic";
        String mode = nodes.stream().map(node -> node.getStatus().getMode()).filter(each -> each.equals("redirect")).findFirst()
                .map(each -> ", mode " + each).orElse("");
        println("cluster " + cluster + ": " + Text.count(asked, "node") + mode + ", " + taking);
        Table table = new Table(Column.left("NODE"), Column.left("GATE"), Column.right("SESSIONS"), Column.right("CAPACITY").importance(2),
                Column.right("FORWARDED").importance(4), Column.right("DROPPED").importance(5), Column.left("UP").importance(3),
                Column.left("VERSION").importance(1));
        for (NodeAnswer node : nodes) {
            NodeStatus status = node.getStatus();
            table.row(node.getNode(), gateCell(status.getGate()), status.getSessions(), status.getSessionCapacity(),
                    status.getForwardedPackets(), status.getDroppedPackets(), Text.duration(status.getUptimeMs()), status.getVersion());
        }
        print(table.render(cli().width()));
        for (NodeAnswer node : nodes) {
            NodeStatus status = node.getStatus();
            println(node.getNode() + ": "
                    + status.getInterfacesList().stream().map(StatusCommand::interfaceText).collect(Collectors.joining(", "))
                    + (status.getAddressesCount() == 0 ? "" : "; has " + String.join(", ", status.getAddressesList()))
                    + (status.getDraining() ? "; drains" : ""));
        }
    }

    /** closed 402/1000: so many sessions of the peers' have come. */
    static String gateCell(Gate gate) {
        if (gate.getOpen()) return "open";
        return gate.getExpected() > 0 ? "closed " + gate.getSessions() + "/" + gate.getExpected() : "closed";
    }

    private static String interfaceText(Interface each) {
        return each.getName() + " (" + each.getZone() + ", " + (each.getUp() ? "up" : "down")
                + (each.getXdpMode().isEmpty() ? "" : ", " + each.getXdpMode()) + ")";
    }

    private static List<String> warnings(List<NodeAnswer> nodes) {
        List<String> warnings = new ArrayList<>();
        for (NodeAnswer node : nodes) {
            node.getStatus().getWarningsList().forEach(warning -> warnings.add(node.getNode() + ": " + warning));
        }
        if (nodes.stream().map(node -> node.getStatus().getConfigDigest()).distinct().count() > 1) warnings.addAll(differences(nodes));
        if (nodes.stream().map(node -> node.getStatus().getKeyFingerprintsList()).distinct().count() > 1) {
            warnings.add("the nodes have different cluster keys (" + nodes.stream()
                    .map(node -> node.getNode() + ": " + String.join(" ", node.getStatus().getKeyFingerprintsList()))
                    .collect(Collectors.joining(", "))
                    + "; the first seals): end the change of keys, on every node, with ambo config reload");
        }
        return warnings;
    }

    /** The settings that differ where the cluster needs equal ones, each with every node's value. */
    private static List<String> differences(List<NodeAnswer> nodes) {
        Map<String, Map<String, String>> byKey = new LinkedHashMap<>();
        for (NodeAnswer node : nodes)
            node.getStatus().getClusterSettingsList().forEach(
                    each -> byKey.computeIfAbsent(each.getKey(), key -> new LinkedHashMap<>()).put(node.getNode(), each.getValue()));
        List<String> differences = new ArrayList<>();
        byKey.forEach((key, values) -> {
            if (values.size() == nodes.size() && values.values().stream().distinct().count() == 1) return;
            differences.add("a setting that must be equal differs: " + key + ": " + nodes.stream()
                    .map(node -> valueOn(values.get(node.getNode())) + " on " + node.getNode()).collect(Collectors.joining(", ")));
        });
        return differences.isEmpty() ? List.of("the nodes have different settings where the cluster needs equal ones") : differences;
    }

    private static String valueOn(@Nullable String value) {
        if (value == null) return "absent";
        if (value.isEmpty()) return "nothing";
        return value.length() <= LONGEST_VALUE ? value : value.substring(0, LONGEST_VALUE) + "...";
    }

    static String gateText(Gate gate) {
        if (gate.getOpen()) return "open";
        String progress = gate.getExpected() > 0 ? ", " + gate.getSessions() + " of " + Text.count(gate.getExpected(), "session") : "";
        return gate.getReason() + progress;
    }

    private static Map<String, @Nullable Object> json(NodeAnswer node) {
        NodeStatus status = node.getStatus();
        Gate gate = status.getGate();
        return Json.object("node", node.getNode(), "node_id", status.getNodeId(), "asked", node.getLocal(), "cluster", status.getCluster(),
                "mode", status.getMode(),
                "version",
                status.getVersion(), "uptime_ms", status.getUptimeMs(), "gate",
                Json.object("open", gate.getOpen(), "sessions", gate.getSessions(), "expected", gate.getExpected(), "reason",
                        gate.getReason()),
                "view",
                status.getViewList(), "view_id", status.getViewId(), "sessions", status.getSessions(), "session_capacity",
                status.getSessionCapacity(),
                "workers", status.getWorkers(), "forwarded_packets", status.getForwardedPackets(), "dropped_packets",
                status.getDroppedPackets(), "interfaces",
                status.getInterfacesList().stream().map(StatusCommand::json).toList(), "config_file", status.getConfigFile(),
                "config_digest",
                status.getConfigDigest(), "keys", status.getKeyFingerprintsList(), "config_age_ms", status.getConfigAgeMs(), "addresses",
                status.getAddressesList(), "draining",
                status.getDraining(), "warnings",
                status.getWarningsList());
    }

    private static Map<String, @Nullable Object> json(Interface each) {
        return Json.object("name", each.getName(), "zone", each.getZone(), "up", each.getUp(), "xdp_mode", each.getXdpMode(), "mtu",
                each.getMtu(), "vlan",
                each.getVlan() < 0 ? null : each.getVlan());
    }
}
