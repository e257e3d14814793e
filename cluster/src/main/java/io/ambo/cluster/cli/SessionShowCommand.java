package io.ambo.cluster.cli;

import io.ambo.cluster.cli.Table.Column;
import io.ambo.proto.control.Half;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.SessionShowRequest;
import io.ambo.proto.control.Traffic;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "show", description = "Shows one session as each node has it, side by side. Either end may come first.", footer = {
        "%nExamples:",
        "  ambo sessions show tcp 10.0.0.7:51022 203.0.113.10:443", "  ambo sessions show udp [2001:db8::7]:5353 [2001:db8:1::1]:53",
        "  ambo sessions show icmp 10.0.0.7:4711 203.0.113.10        (4711: the echo identifier)", NodeCommand.EXIT_CODES })
final class SessionShowCommand extends NodeCommand {
    @Parameters(index = "0", paramLabel = "PROTOCOL", description = "tcp, udp or icmp.")
    String protocol;

    @Parameters(index = "1", paramLabel = "END", description = "Address and port, IPv6 in brackets.")
    String source;

    @Parameters(index = "2", paramLabel = "END", description = "The other end.")
    String destination;

    @Override
    public Integer call() {
        SessionEnds ends = SessionText.ends(protocol, source, destination);
        Response response = ask(request().setSessionShow(SessionShowRequest.newBuilder().setEnds(ends)));
        List<NodeAnswer> answers = response.getNodesList();
        List<NodeAnswer> having = answers.stream().filter(answer -> answer.getSessionShow().hasSession()).toList();
        List<String> lacking = answers.stream().filter(answer -> answer.hasSessionShow() && !answer.getSessionShow().hasSession())
                .map(NodeAnswer::getNode).toList();
        Map<String, @Nullable Object> redirected = answers.stream().filter(answer -> !answer.getSessionShow().getRedirectedTo().isEmpty())
                .collect(Collectors.toMap(NodeAnswer::getNode, answer -> answer.getSessionShow().getRedirectedTo(), (a, b) -> a,
                        java.util.LinkedHashMap::new));
        if (json) showJson(having, lacking, redirected, answers);
        else if (having.isEmpty())
            println("no session " + protocol + " " + source + " " + destination + (lacking.isEmpty() ? "" : " on " + Text.list(lacking)));
        else
            show(having, lacking, redirected);
        if (reportFailures(answers) > 0) return ExitCode.PARTIAL;
        return having.isEmpty() ? ExitCode.NEGATIVE : ExitCode.OK;
    }

    private void show(List<NodeAnswer> having, List<String> lacking, Map<String, @Nullable Object> redirected) {
        Session first = having.getFirst().getSessionShow().getSession();
        List<String> holders = having.stream().map(SessionShowCommand::title).toList();
        long idleMs = having.stream().mapToLong(answer -> answer.getSessionShow().getSession().getIdleMs()).min().orElse(0);
        long expiresInMs = having.stream().mapToLong(answer -> answer.getSessionShow().getSession().getExpiresInMs()).max().orElse(0);
        println(SessionText.word(first.getState()) + " on " + Text.list(holders)
                + (lacking.isEmpty() ? "" : ", not on " + Text.list(lacking)) + "; idle "
                + Text.duration(idleMs) + ", " + (expiresInMs <= 0 ? "expiry is due" : "expires in " + Text.duration(expiresInMs)));
        println(SessionText.protocol(first.getEnds().getProtocol()) + " " + SessionText.source(first.getEnds()) + " -> "
                + SessionText.destination(first.getEnds()));
        println("rule " + first.getRule() + ", " + first.getFromZone() + " -> " + first.getToZone() + flags(first));
        println("opened on " + first.getCreator() + ", incarnation " + Long.toUnsignedString(first.getCreated()) + "/"
                + Integer.toUnsignedString(first.getEpoch()));
        if (first.hasTranslated())
            println("translated to " + SessionText.source(first.getTranslated()) + " -> " + SessionText.destination(first.getTranslated()));
        redirected.forEach((node, owner) -> println("the kernel of " + node + " hands its packets to " + owner));
        println("");
        print(sideBySide(having).render(cli().width()));
    }

    private static String flags(Session session) {
        return (session.getMidStream() ? "; picked up mid-stream" : "")
                + (session.getResetOnTimeout() ? "; both ends are reset on timeout" : "");
    }

    private static String title(NodeAnswer answer) {
        Session session = answer.getSessionShow().getSession();
        return answer.getNode() + (answer.getNode().equals(session.getOwner())
                ? " (owner)"
                : answer.getNode().equals(session.getBackup()) ? " (backup)" : "");
    }

    private static Table sideBySide(List<NodeAnswer> having) {
        List<Column> columns = new ArrayList<>(List.of(Column.left("")));
        having.forEach(answer -> columns.add(Column.left(title(answer))));
        Table table = new Table(columns.toArray(Column[]::new));
        List<Session> sessions = having.stream().map(answer -> answer.getSessionShow().getSession()).toList();
        boolean tcp = sessions.getFirst().getEnds().getProtocol() == 6;
        row(table, "state", sessions, session -> SessionText.word(session.getState()));
        halfRows(table, "original", sessions, tcp, Session::getOriginal, Session::getOriginalTraffic, Session::getOriginalSeenHere);
        halfRows(table, "reply", sessions, tcp, Session::getReply, Session::getReplyTraffic, Session::getReplySeenHere);
        row(table, "fast path", sessions, session -> session.getFastPath().isEmpty() ? "-" : session.getFastPath());
        row(table, "last packet", sessions, session -> Text.duration(session.getIdleMs()) + " ago");
        row(table, "timeout", sessions, session -> Text.duration(session.getTimeoutMs()));
        row(table, "expires in", sessions, session -> Text.duration(session.getExpiresInMs()));
        return table;
    }

    private static void halfRows(Table table, String name, List<Session> sessions, boolean tcp, Function<Session, Half> half,
            Function<Session, Traffic> traffic,
            Function<Session, Boolean> seenHere) {
        row(table, name, sessions, session -> SessionText.word(half.apply(session).getState()));
        if (tcp) {
            row(table, "  seq end", sessions, session -> number(half.apply(session).hasSeqEnd(), half.apply(session).getSeqEnd()));
            row(table, "  may send to", sessions, session -> number(half.apply(session).hasMaxEnd(), half.apply(session).getMaxEnd()));
            row(table, "  ack", sessions, session -> number(half.apply(session).hasAck(), half.apply(session).getAck()));
            row(table, "  window", sessions, session -> Integer.toUnsignedString(half.apply(session).getMaxWindow()));
            row(table, "  scale", sessions, session -> number(half.apply(session).hasScale(), half.apply(session).getScale()));
        }
        row(table, "  packets", sessions,
                session -> traffic.apply(session).getPackets() + ", " + Text.bytes(traffic.apply(session).getBytes()));
        row(table, "  seen here", sessions, session -> seenHere.apply(session) ? "yes" : "no");
    }

    private static void row(Table table, String name, List<Session> sessions, Function<Session, String> cell) {
        List<String> cells = new ArrayList<>(List.of(name));
        sessions.forEach(session -> cells.add(cell.apply(session)));
        table.row(cells.toArray());
    }

    private static String number(boolean isKnown, int value) { return isKnown ? Integer.toUnsignedString(value) : "-"; }

    private void showJson(List<NodeAnswer> having, List<String> lacking, Map<String, @Nullable Object> redirected,
            List<NodeAnswer> answers) {
        Map<String, @Nullable Object> nodes = having.stream()
                .collect(Collectors.toMap(NodeAnswer::getNode, answer -> SessionText.json(answer.getSessionShow().getSession()),
                        (a, b) -> a, java.util.LinkedHashMap::new));
        println(Json
                .pretty(Json.object("found", !having.isEmpty(), "nodes", nodes, "lacking", lacking, "redirected", redirected, "unanswered",
                        failuresJson(answers))));
    }
}
