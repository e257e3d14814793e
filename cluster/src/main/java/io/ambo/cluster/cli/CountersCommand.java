package io.ambo.cluster.cli;

import io.ambo.cluster.cli.Table.Column;
import io.ambo.proto.control.Counter;
import io.ambo.proto.control.CountersRequest;
import io.ambo.proto.control.NodeAnswer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "counters", aliases = "metrics", description = "Shows what each node has counted since it started.", footer = {
        "%nExamples:", "  ambo counters",
        "  ambo counters stray", "  ambo counters --all --json", NodeCommand.EXIT_CODES })
final class CountersCommand extends NodeCommand {
    @Parameters(index = "0", arity = "0..1", paramLabel = "TEXT", defaultValue = "", description = "Only counters with this in their name or group.")
    String contains;

    @Option(names = "--all", description = "Show those that are zero, too.")
    boolean all;

    @Override
    public Integer call() {
        List<NodeAnswer> answers = ask(request().setCounters(CountersRequest.newBuilder().setContains(contains))).getNodesList();
        List<NodeAnswer> nodes = answers.stream().filter(NodeAnswer::hasCounters).toList();
        if (json) println(Json.pretty(Json.object("nodes", byNode(nodes), "unanswered", failuresJson(answers))));
        else
            show(nodes);
        return reportFailures(answers) > 0 ? ExitCode.PARTIAL : ExitCode.OK;
    }

    private void show(List<NodeAnswer> nodes) {
        Map<String, Counter> catalogue = new LinkedHashMap<>();
        Map<String, Map<String, Long>> values = new LinkedHashMap<>();
        for (NodeAnswer node : nodes) {
            for (Counter counter : node.getCounters().getCountersList()) {
                String name = name(counter);
                catalogue.putIfAbsent(name, counter);
                values.computeIfAbsent(name, key -> new LinkedHashMap<>()).put(node.getNode(), counter.getValue());
            }
        }
        List<Column> columns = new ArrayList<>(List.of(Column.left("COUNTER")));
        nodes.forEach(node -> columns.add(Column.right(node.getNode())));
        columns.add(Column.prose("MEANING").importance(0));
        Table table = new Table(columns.toArray(Column[]::new));
        int rows = 0;
        for (Map.Entry<String, Counter> entry : catalogue.entrySet()) {
            Map<String, Long> byNode = values.getOrDefault(entry.getKey(), Map.of());
            if (!all && byNode.values().stream().allMatch(value -> value == 0)) continue;
            List<Object> cells = new ArrayList<>(List.of(entry.getKey()));
            nodes.forEach(node -> cells.add(byNode.containsKey(node.getNode()) ? Long.toUnsignedString(byNode.get(node.getNode())) : "-"));
            cells.add(entry.getValue().getHelp());
            table.row(cells.toArray());
            rows++;
        }
        if (rows > 0) print(table.render(cli().width()));
        else
            println(catalogue.isEmpty()
                    ? "no counter" + (contains.isEmpty() ? "" : " has " + contains + " in its name")
                    : "all are zero (--all shows them)");
    }

    private static String name(Counter counter) {
        return counter.getGroup().isEmpty() ? counter.getName() : counter.getGroup() + "." + counter.getName();
    }

    private Map<String, @Nullable Object> byNode(List<NodeAnswer> nodes) {
        Map<String, @Nullable Object> byNode = new LinkedHashMap<>();
        for (NodeAnswer node : nodes) {
            Map<String, @Nullable Object> counters = new LinkedHashMap<>();
            for (Counter counter : node.getCounters().getCountersList())
                if (all || counter.getValue() != 0) counters.put(name(counter), counter.getValue());
            byNode.put(node.getNode(), counters);
        }
        return byNode;
    }
}
