package io.ambo.cluster.cli;

import io.ambo.cluster.EventLog;
import io.ambo.proto.control.Event;
import io.ambo.proto.control.EventPosition;
import io.ambo.proto.control.EventsRequest;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Response;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "events", description = "Shows what happened in the cluster, as each node saw it: members that came and left, gates, merges of separated parts, comparisons of"
        + " tables, refusals. Each node keeps its last 1024 events; they end with its process.", footer = { "%nExamples:", "  ambo events",
                "  ambo events --follow", "  ambo events --kind merge,resync --json", NodeCommand.EXIT_CODES })
final class EventsCommand extends NodeCommand {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSS", Locale.ROOT);
    private static final long FOLLOW_INTERVAL_NS = 500_000_000;

    @Option(names = { "-f", "--follow" }, description = "Go on with what happens, until interrupted. With --json: one object a line.")
    boolean follow;

    @Option(names = { "-n",
            "--last" }, paramLabel = "COUNT", defaultValue = "50", description = "Events of each node, the newest. 1 to 200, default: 50.")
    int last;

    @Option(names = "--kind", paramLabel = "KIND", split = ",", description = "Only events of these kinds: node, view, gate, merge, resync, refusal, config, address, drain.")
    List<String> kinds = new ArrayList<>();

    /** An event and whose it is. */
    private record Told(String node, Event event) {}

    private final Map<String, EventPosition> positions = new LinkedHashMap<>();
    private final TreeSet<String> unanswered = new TreeSet<>();
    private int width = 1;

    @Override
    public Integer call() {
        if (last < 1 || last > 200) throw new CliException(ExitCode.USAGE, "--last " + last + " is not within 1 to 200", "");
        List<String> known = Stream.of(EventLog.Kind.values()).map(EventLog.Kind::label).toList();
        for (String kind : kinds)
            if (!known.contains(kind))
                throw new CliException(ExitCode.USAGE, "there are no events of kind " + kind, "have: " + Text.list(known));
        try (ControlClient client = connect()) {
            List<NodeAnswer> answers = askOnce(client);
            List<Told> events = told(answers);
            if (json && !follow) {
                println(Json.pretty(Json.object("events", events.stream().map(EventsCommand::json).toList(), "unanswered",
                        failuresJson(answers))));
            } else {
                show(events);
                if (events.isEmpty() && !follow) println("nothing" + (kinds.isEmpty() ? "" : " of kind " + Text.list(kinds)) + " happened");
            }
            int failed = reportFailures(answers);
            while (follow) follow(client);
            return failed > 0 ? ExitCode.PARTIAL : ExitCode.OK;
        }
    }

    /** Ends by an interrupt, or by the node's end with an error that says so. */
    private void follow(ControlClient client) {
        cli().out().flush();
        LockSupport.parkNanos(FOLLOW_INTERVAL_NS);
        List<NodeAnswer> answers = askOnce(client);
        show(told(answers));
        for (NodeAnswer answer : answers) {
            if (!answer.hasError()) unanswered.remove(answer.getNode());
            else if (unanswered.add(answer.getNode())) problem(Text.failure(answer));
            if (answer.getEvents().getMissed() > 0)
                problem(answer.getNode() + ": " + Text.count(answer.getEvents().getMissed(), "event") + " came too fast to be shown");
        }
    }

    private List<NodeAnswer> askOnce(ControlClient client) {
        Response response = ask(client, request().setEvents(EventsRequest.newBuilder().setLimit(last).addAllPositions(positions.values())));
        for (NodeAnswer answer : response.getNodesList())
            if (answer.hasEvents()) positions.put(answer.getNode(), answer.getEvents().getNext());
        return response.getNodesList();
    }

    private List<Told> told(List<NodeAnswer> answers) {
        List<Told> told = new ArrayList<>();
        for (NodeAnswer answer : answers)
            for (Event event : answer.getEvents().getEventsList())
                if (kinds.isEmpty() || kinds.contains(event.getKind())) told.add(new Told(answer.getNode(), event));
        told.sort(Comparator.comparingLong(each -> each.event().getWallMs()));
        return told;
    }

    private void show(List<Told> events) {
        for (Told each : events) width = Math.max(width, each.node().length());
        for (Told each : events) {
            if (json) println(Json.compact(json(each)));
            else
                println(time(each.event()) + "  " + each.node() + " ".repeat(width - each.node().length()) + "  "
                        + String.format(Locale.ROOT, "%-8s", each.event().getKind()) + each.event().getText() + times(each.event()));
        }
    }

    private static String times(Event event) { return event.getTimes() > 1 ? " (" + event.getTimes() + " times)" : ""; }

    private static String time(Event event) { return TIME.format(Instant.ofEpochMilli(event.getWallMs()).atZone(ZoneId.systemDefault())); }

    private static Map<String, @Nullable Object> json(Told each) {
        Event event = each.event();
        return Json.object("node", each.node(), "number", event.getNumber(), "time", Instant.ofEpochMilli(event.getWallMs()).toString(),
                "age_ms", event.getAgeMs(), "kind", event.getKind(), "text", event.getText(), "times", event.getTimes());
    }
}
