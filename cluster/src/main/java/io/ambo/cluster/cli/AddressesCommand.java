package io.ambo.cluster.cli;

import io.ambo.cluster.cli.Table.Column;
import io.ambo.proto.control.AddressesRequest;
import io.ambo.proto.control.FloatingAddress;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Peer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

@Command(name = "addresses", description = "Shows which node has which floating address, and why; and how the nodes see each other.", footer = {
        "%nExamples:", "  ambo addresses", "  ambo addresses --json",
        "%nExit code: 0 each address is on one node; 1 one is on none, or on several; 2 wrong usage; 3 no node could be asked; 4 some peer did not answer." })
final class AddressesCommand extends NodeCommand {
    /** An address over all nodes. */
    private static final class Place {
        final List<String> holders = new ArrayList<>();
        String prefer = "";
        String reason = "";
        String interfaceName = "";
    }

    @Override
    public Integer call() {
        List<NodeAnswer> answers = ask(request().setAddresses(AddressesRequest.getDefaultInstance())).getNodesList();
        List<NodeAnswer> nodes = answers.stream().filter(NodeAnswer::hasAddresses).toList();
        Map<String, Place> places = places(nodes);
        if (json)
            println(Json.pretty(Json.object("nodes", nodes.stream().map(AddressesCommand::json).toList(), "unanswered",
                    failuresJson(answers))));
        else
            show(nodes, places);
        List<String> wrong = new ArrayList<>();
        places.forEach((address, place) -> {
            if (place.holders.isEmpty()) wrong.add("nobody has " + address + ": " + place.reason);
            else if (place.holders.size() > 1) wrong.add(Text.list(place.holders) + " have " + address + " at once");
        });
        wrong.forEach(this::problem);
        nodes.forEach(node -> obstacles(node).forEach(each -> problem(node.getNode() + ": " + each)));
        if (reportFailures(answers) > 0) return ExitCode.PARTIAL;
        return wrong.isEmpty() ? ExitCode.OK : ExitCode.NEGATIVE;
    }

    /** What the nodes say of themselves; of a node that does not answer, what the others know. */
    private static Map<String, Place> places(List<NodeAnswer> nodes) {
        Map<String, Place> places = new LinkedHashMap<>();
        List<String> answering = nodes.stream().map(NodeAnswer::getNode).toList();
        for (NodeAnswer node : nodes) {
            for (FloatingAddress each : node.getAddresses().getAddressesList()) {
                Place place = places.computeIfAbsent(each.getAddress(), address -> new Place());
                place.prefer = each.getPrefer();
                if (each.getHeld()) place.holders.add(node.getNode());
                if (each.getHeld() || place.reason.isEmpty()) place.reason = each.getReason();
                if (each.getHeld() || place.interfaceName.isEmpty()) place.interfaceName = each.getInterface();
                for (String holder : each.getHoldersList())
                    if (!answering.contains(holder) && !place.holders.contains(holder)) place.holders.add(holder);
            }
        }
        return places;
    }

    private void show(List<NodeAnswer> nodes, Map<String, Place> places) {
        if (places.isEmpty()) {
            println("no floating addresses are configured");
        } else {
            Table table = new Table(Column.left("ADDRESS"), Column.left("NODE"), Column.left("INTERFACE").importance(1),
                    Column.left("PREFER").importance(2), Column.prose("WHY"));
            places.forEach((address, place) -> table.row(address, place.holders.isEmpty() ? "-" : String.join(" ", place.holders),
                    place.interfaceName, place.prefer.isEmpty() ? "-" : place.prefer, place.reason));
            print(table.render(cli().width()));
        }
        for (NodeAnswer node : nodes) for (Peer peer : node.getAddresses().getPeersList()) println(node.getNode() + " sees " + text(peer));
    }

    private static String text(Peer peer) {
        String probes = peer.getUnproven() ? "; its kernel has answered no probe: does a filter drop ICMP echo on the sync link?" : "";
        return peer.getName() + (peer.getDraining() ? ", which drains" : "") + ": " + switch (peer.getStanding()) {
            case TALKS -> "it speaks";
            case PROCESS_SILENT ->
                "its process is silent for " + Text.duration(peer.getProcessSilenceMs()) + ", its host is alive and keeps its addresses";
            case PROCESS_GONE -> "its process is gone for " + Text.duration(peer.getProcessSilenceMs()) + ", its host is alive";
            case HOST_SILENT -> "its host has not answered for " + Text.duration(peer.getHostSilenceMs()) + ": dead, or cut off";
            case LEFT -> "it has left";
            case UNKNOWN, UNRECOGNIZED -> "?";
        } + probes;
    }

    private static Set<String> obstacles(NodeAnswer node) {
        LinkedHashSet<String> obstacles = new LinkedHashSet<>();
        node.getAddresses().getAddressesList().forEach(each -> obstacles.addAll(each.getObstaclesList()));
        return obstacles;
    }

    private static Map<String, @Nullable Object> json(NodeAnswer node) {
        return Json.object("node", node.getNode(), "addresses",
                node.getAddresses().getAddressesList().stream()
                        .map(each -> Json.object("address", each.getAddress(), "interface", each.getInterface(), "prefer", each.getPrefer(),
                                "held", each.getHeld(), "holders", each.getHoldersList(), "reason", each.getReason(), "obstacles",
                                each.getObstaclesList()))
                        .toList(),
                "peers",
                node.getAddresses().getPeersList().stream()
                        .map(peer -> Json.object("name", peer.getName(), "standing",
                                peer.getStanding().name().toLowerCase(java.util.Locale.ROOT),
                                "host_silence_ms", peer.getHostSilenceMs(), "process_silence_ms", peer.getProcessSilenceMs(), "unproven",
                                peer.getUnproven(), "draining", peer.getDraining()))
                        .toList());
    }
}
