package io.ambo.cluster.cli;

import io.ambo.cluster.cli.Table.Column;
import io.ambo.cluster.cli.Verification.Difference;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.SessionEnds;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "verify", description = "Compares the session tables of all nodes while traffic runs, and names each difference: the session, the nodes, the fields. What is only"
        + " a change under way is not reported: what differs is looked at twice.", footer = { "%nExamples:", "  ambo verify",
                "  ambo verify --repair",
                "  ambo verify --json",
                "%nExit code: 0 the tables are equal (or are again, with --repair); 1 they differ; 2 wrong usage; 3 no node could be asked; 4 some"
                        + " peer did not answer." })
final class VerifyCommand extends NodeCommand {
    @Option(names = "--repair", description = "Make the nodes send each other what differs, and look again.")
    boolean repair;

    @Option(names = "--most", paramLabel = "COUNT", defaultValue = "100", description = "Name so many differences; the others are counted. Default: 100.")
    int most;

    @Option(names = "--settle", paramLabel = "MS", defaultValue = "500", description = "How long a change may be under way: the pause before the second look, in milliseconds."
            + " Default: 500.")
    int settleMs;

    @Option(names = "--quiet", description = "No progress on stderr.")
    boolean quiet;

    private final Set<String> unanswered = new LinkedHashSet<>();
    private List<NodeAnswer> failures = List.of();

    @Override
    public Integer call() {
        if (settleMs < 1 || settleMs > 60_000)
            throw new CliException(ExitCode.USAGE, "--settle " + settleMs + " is not within 1 to 60000 ms", "");
        try (ControlClient client = connect()) {
            Verification verification = new Verification(request -> askAll(client, request), this::progress, settleMs);
            Map<String, String> joining = verification.begin();
            List<Difference> differences = verification.differences();
            List<Difference> remaining = repair && !differences.isEmpty() ? verification.repair(differences) : differences;
            if (json) showJson(verification, joining, differences, remaining);
            else
                show(verification, differences, remaining);
            joining.forEach((node, gate) -> problem(node + " is not compared, it takes no traffic yet: " + gate));
            if (reportFailures(failures) > 0) return ExitCode.PARTIAL;
            return remaining.isEmpty() && joining.isEmpty() ? ExitCode.OK : ExitCode.NEGATIVE;
        }
    }

    private List<NodeAnswer> askAll(ControlClient client, Request.Builder request) {
        List<NodeAnswer> answers = ask(client, request.mergeFrom(request().build())).getNodesList();
        List<NodeAnswer> failed = answers.stream().filter(NodeAnswer::hasError).filter(answer -> unanswered.add(answer.getNode())).toList();
        if (!failed.isEmpty()) {
            List<NodeAnswer> all = new ArrayList<>(failures);
            all.addAll(failed);
            failures = all;
        }
        return answers.stream().filter(answer -> !answer.hasError()).toList();
    }

    private void progress(String sentence) { if (!quiet) cli().err().println(sentence); }

    private void show(Verification verification, List<Difference> differences, List<Difference> remaining) {
        List<String> nodes = List.copyOf(verification.digests().keySet());
        if (nodes.size() < 2) {
            println("nothing to compare: " + (nodes.isEmpty() ? "no node" : nodes.getFirst()) + " is alone, with "
                    + Text.count(verification.sessions(), "session"));
            return;
        }
        String among = Text.count(verification.sessions(), "session") + " on " + Text.list(nodes);
        if (differences.isEmpty()) {
            println("equal: " + among);
            return;
        }
        println(Text.count(differences.size(), "difference") + " in " + among);
        Table table = new Table(Column.left("SESSION"), Column.left("DIFFERENCE"));
        differences.stream().limit(most).forEach(each -> table.row(session(each.ends()), text(each)));
        print(table.render(cli().width()));
        if (differences.size() > most) println("and " + (differences.size() - most) + " more (--most shows more)");
        if (repair)
            println(remaining.isEmpty()
                    ? "repaired: all are equal now"
                    : remaining.size() + " still differ: run ambo status (is a table full?) and ambo events on the nodes");
    }

    private static String session(SessionEnds ends) {
        return SessionText.protocol(ends.getProtocol()) + " " + SessionText.source(ends) + " " + SessionText.destination(ends);
    }

    private static String text(Difference difference) {
        List<String> parts = new ArrayList<>();
        if (!difference.lacking().isEmpty()) parts.add("missing on " + Text.list(difference.lacking().stream().map(node -> {
            var copy = difference.copies().get(node);
            return node + (copy != null && copy.session() != null ? " (closed there)" : "");
        }).toList()));
        difference.fields().forEach((field, values) -> parts
                .add(field + " " + Text.list(values.entrySet().stream().map(each -> each.getValue() + " on " + each.getKey()).toList())));
        return String.join("; ", parts);
    }

    private void showJson(Verification verification, Map<String, String> joining, List<Difference> differences,
            List<Difference> remaining) {
        Map<String, @Nullable Object> sessions = new LinkedHashMap<>();
        verification.digests().forEach((node, digest) -> sessions.put(node, digest.count()));
        Map<String, @Nullable Object> closed = new LinkedHashMap<>(joining);
        println(Json.pretty(Json.object("equal", remaining.isEmpty() && joining.isEmpty(), "sessions", sessions, "joining", closed,
                "differing_buckets",
                verification.differingBuckets(), "looked_at", verification.looked(), "differences", differences.size(), "remaining",
                remaining.size(),
                "named", differences.stream().limit(most).map(VerifyCommand::json).toList(), "unanswered", failuresJson(failures))));
    }

    private static Map<String, @Nullable Object> json(Difference difference) {
        SessionEnds ends = difference.ends();
        Map<String, @Nullable Object> fields = new LinkedHashMap<>(difference.fields());
        return Json.object("protocol", SessionText.protocol(ends.getProtocol()), "one_end", SessionText.source(ends), "other_end",
                SessionText.destination(ends), "missing_on", difference.lacking(), "fields", fields);
    }
}
