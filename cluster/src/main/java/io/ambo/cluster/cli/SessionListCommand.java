package io.ambo.cluster.cli;

import com.google.protobuf.ByteString;
import io.ambo.cluster.cli.Table.Column;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionListRequest;
import io.ambo.proto.control.SessionPage;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "list", description = "Lists sessions, each once, with the nodes that have it.", footer = { "%nExamples:",
        "  ambo sessions list",
        "  ambo sessions list --protocol tcp --source 10.0.0.0/8 --port 443",
        "  ambo sessions list --state opening,closing --limit 0 --json",
        NodeCommand.EXIT_CODES })
final class SessionListCommand extends NodeCommand {
    private static final int DEFAULT_LIMIT = 100;
    private static final int PAGE_SESSIONS = 500;

    @Mixin
    SessionsCommand.Filter filter;

    @Option(names = "--limit", paramLabel = "N", defaultValue = ""
            + DEFAULT_LIMIT, description = "Show at most so many; 0: all. Default: 100.")
    int limit;

    /** Nodes that failed to answer at least once. */
    private final Map<String, NodeAnswer> failed = new LinkedHashMap<>();
    private long printed;
    private boolean isBegun;

    @Override
    public Integer call() {
        if (limit < 0) throw new CliException(ExitCode.USAGE, "--limit " + limit + " is negative", "0 shows all");
        boolean isAll = json ? listJson() : listText();
        boolean isPartial = reportFailures(List.copyOf(failed.values())) > 0;
        if (!json && printed > 0 && !isAll)
            println("these are the first " + Text.count(printed, "session") + ", there are more: --limit 0 shows all");
        if (!json && printed == 0 && !isPartial) println("no session");
        return isPartial ? ExitCode.PARTIAL : ExitCode.OK;
    }

    private boolean listText() {
        Table table = new Table(Column.left("PROTO"), Column.left("SOURCE"), Column.left("DESTINATION"), Column.left("STATE"),
                Column.left("RULE").importance(3), Column.left("OWNER").importance(1), Column.right("IDLE").importance(2),
                Column.right("EXPIRES").importance(0),
                Column.left("NODES"));
        return forEachPage(sessions -> {
            for (Session session : sessions) {
                table.row(SessionText.protocol(session.getEnds().getProtocol()), SessionText.source(session.getEnds()),
                        SessionText.destination(session.getEnds()), SessionText.word(session.getState()), session.getRule(),
                        session.getOwner(),
                        Text.duration(session.getIdleMs()), Text.duration(session.getExpiresInMs()),
                        String.join(" ", session.getNodesList()));
            }
            if (!sessions.isEmpty()) print(table.render(cli().width()));
        });
    }

    /** Written as it comes, one session a line, so that a million of them need no memory. */
    private boolean listJson() {
        boolean isAll = forEachPage(sessions -> {
            // Not before a node has answered: without one there is nothing on stdout.
            if (!isBegun) print("{\"sessions\": [");
            isBegun = true;
            for (int i = 0; i < sessions.size(); i++) {
                Map<String, @Nullable Object> object = SessionText.json(sessions.get(i));
                object.put("nodes", sessions.get(i).getNodesList());
                print((printed + i == 0 ? "\n  " : ",\n  ") + Json.compact(object));
            }
        });
        println("\n], \"complete\": " + (isAll && failed.isEmpty()) + ", \"unanswered\": "
                + Json.compact(failuresJson(List.copyOf(failed.values()))) + "}");
        return isAll;
    }

    /**
     * Fetches page after page until the limit is reached.
     *
     * @return true when nothing is left
     */
    private boolean forEachPage(Consumer<List<Session>> onSessions) {
        try (ControlClient client = connect()) {
            ByteString token = ByteString.EMPTY;
            while (true) {
                long wanted = limit == 0 ? PAGE_SESSIONS : Math.min(limit - printed, PAGE_SESSIONS);
                Response response = ask(client,
                        request().setSessionList(
                                SessionListRequest.newBuilder().setFilter(filter.build()).setLimit((int) wanted).setPageToken(token)));
                response.getNodesList().stream().filter(NodeAnswer::hasError).forEach(answer -> failed.put(answer.getNode(), answer));
                SessionPage page = page(response);
                List<Session> sessions = page.getSessionsList();
                boolean isCut = limit > 0 && sessions.size() > limit - printed;
                if (isCut) sessions = sessions.subList(0, (int) (limit - printed));
                onSessions.accept(sessions);
                printed += sessions.size();
                token = page.getNextPageToken();
                if (token.isEmpty() && !isCut) return true;
                if (isCut || limit > 0 && printed >= limit) return false;
            }
        }
    }

    /** With --local the page stands in the node's own answer. */
    private static SessionPage page(Response response) {
        for (NodeAnswer node : response.getNodesList()) {
            if (!node.hasSessionPage()) continue;
            SessionPage.Builder page = node.getSessionPage().toBuilder();
            page.getSessionsBuilderList().forEach(session -> session.addNodes(node.getNode()));
            return page.build();
        }
        return response.getPage();
    }
}
