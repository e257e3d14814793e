package io.ambo.cluster.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.ambo.cluster.address.IpAddress;
import io.ambo.proto.control.Counter;
import io.ambo.proto.control.Counters;
import io.ambo.proto.control.Event;
import io.ambo.proto.control.Events;
import io.ambo.proto.control.Failure;
import io.ambo.proto.control.Gate;
import io.ambo.proto.control.Half;
import io.ambo.proto.control.Interface;
import io.ambo.proto.control.Member;
import io.ambo.proto.control.Members;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.NodeStatus;
import io.ambo.proto.control.Reload;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.Restart;
import io.ambo.proto.control.Scope;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionCount;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.SessionPage;
import io.ambo.proto.control.SessionShow;
import io.ambo.proto.control.SessionState;
import io.ambo.proto.control.Setting;
import io.ambo.proto.control.Traffic;
import io.ambo.proto.control.Version;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the operator sees, to the letter. */
@Timeout(60)
class AmboCliTest {
    private record Result(int exitCode, String out, String err) {}

    @TempDir
    Path directory;
    private final List<FakeNode> nodes = new ArrayList<>();
    private final Map<String, String> environment = new HashMap<>(Map.of("COLUMNS", "120"));

    @AfterEach
    void stopTheNode() throws IOException { for (FakeNode each : nodes) each.close(); }

    @Test
    void statusSaysFirstWhetherAllTakeTraffic() throws IOException {
        start(request -> Response.newBuilder().addNodes(status("a", true)).addNodes(status("b", true)));
        Result result = run("status");
        assertThat(result.out).isEqualTo("""
                cluster edge: 2 nodes, all take traffic
                NODE  GATE  SESSIONS  CAPACITY  FORWARDED  DROPPED  UP       VERSION
                a     open      1204   1000000      88210       12  2 h 3 m  0.1.0
                b     open      1204   1000000      88210       12  2 h 3 m  0.1.0
                a: eth1 (inside, up, native), eth2 (outside, up, native)
                b: eth1 (inside, up, native), eth2 (outside, up, native)
                """);
        assertThat(result.err).isEmpty();
        assertThat(result.exitCode).isEqualTo(0);
        assertThat(node().asked.getFirst().getScope()).isEqualTo(Scope.CLUSTER);
    }

    @Test
    void aNarrowTerminalLosesTheLeastImportantColumns() throws IOException {
        environment.put("COLUMNS", "40");
        start(request -> Response.newBuilder().addNodes(status("a", true)));
        assertThat(run("status").out).contains("NODE  GATE  SESSIONS  FORWARDED  DROPPED\n");
    }

    @Test
    void statusOfANodeThatIsNotInSyncIsANegativeAnswer() throws IOException {
        start(request -> Response.newBuilder().addNodes(status("a", true)).addNodes(status("b", false)));
        Result result = run("status");
        assertThat(result.out).startsWith("cluster edge: 2 nodes, 1 takes traffic\n").contains("b     closed 402/1000 ");
        assertThat(result.err).isEqualTo("ambo: b: takes no traffic: the table is being received\n");
        assertThat(result.exitCode).isEqualTo(1);
    }

    @Test
    void aPeerThatDoesNotAnswerIsNamedAndTheExitCodeSaysPartial() throws IOException {
        start(request -> Response.newBuilder().addNodes(status("a", true)).addNodes(silent("b")));
        Result result = run("status");
        assertThat(result.out).startsWith("cluster edge: 2 nodes, 1 takes traffic\n");
        assertThat(result.err)
                .isEqualTo("ambo: b did not answer within 2000 ms (run ambo status on that node; ask for longer with --timeout)\n");
        assertThat(result.exitCode).isEqualTo(4);
    }

    @Test
    void eventsOfAllNodesStandInTheOrderOfTheirTimes() throws IOException {
        start(request -> Response.newBuilder()
                .addNodes(NodeAnswer.newBuilder().setNode("a").setLocal(true)
                        .setEvents(Events.newBuilder().addEvents(event(1, 10, "view", "members: a"))
                                .addEvents(event(2, 30, "gate", "open: alone"))))
                .addNodes(NodeAnswer.newBuilder().setNode("b").setEvents(
                        Events.newBuilder().addEvents(event(1, 20, "refusal", "another key").toBuilder().setTimes(3)))));
        environment.put("COLUMNS", "120");
        Result all = run("events");
        assertThat(all.out.lines().map(line -> line.substring(line.indexOf("  ") + 2))).containsExactly("a  view    members: a",
                "b  refusal another key (3 times)", "a  gate    open: alone");
        assertThat(all.exitCode).isEqualTo(0);
        assertThat(run("events", "--kind", "gate,merge").out).contains("open: alone").doesNotContain("members");
        assertThat(run("events", "--json", "--kind", "refusal").out).contains("\"kind\": \"refusal\"").contains("\"times\": 3");
    }

    @Test
    void anUnknownKindOfEventIsAWrongUsage() throws IOException {
        start(request -> Response.newBuilder());
        Result result = run("events", "--kind", "gates");
        assertThat(result.exitCode).isEqualTo(2);
        assertThat(result.err).startsWith("ambo: there are no events of kind gates (have: node, view, gate");
    }

    private static Event event(long number, long wallMs, String kind, String text) {
        return Event.newBuilder().setNumber(number).setWallMs(wallMs).setKind(kind).setText(text).setTimes(1).build();
    }

    @Test
    void differentSettingsAreToldApart() throws IOException {
        start(request -> Response.newBuilder().addNodes(status("a", true)).addNodes(status("b", true).toBuilder()
                .setStatus(status("b", true).getStatus().toBuilder().setConfigDigest("ffff").setClusterSettings(0,
                        Setting.newBuilder().setKey("timeouts.icmp").setValue("20s")))));
        Result result = run("status");
        assertThat(result.err).isEqualTo(
                "ambo: a setting that must be equal differs: timeouts.icmp: 10s on a, 20s on b\n");
        assertThat(result.exitCode).isEqualTo(1);
    }

    @Test
    void statusAsJson() throws IOException {
        start(request -> Response.newBuilder().addNodes(status("a", true)).addNodes(silent("b")));
        Result result = run("status", "--json");
        assertThat(result.out).startsWith("""
                {
                  "nodes": [
                    {
                      "node": "a",
                      "node_id": 7,
                      "asked": true,
                      "cluster": "edge",
                      "mode": "sync",
                      "version": "0.1.0",
                      "uptime_ms": 7384000,
                      "gate": {
                        "open": true,
                        "sessions": 402,
                        "expected": 1000,
                        "reason": "the table is being received"
                      },
                      "view": ["a", "b"],
                """).endsWith("""
                  "unanswered": [
                    {
                      "node": "b",
                      "message": "did not answer within 2000 ms",
                      "remedy": "run ambo status on that node; ask for longer with --timeout"
                    }
                  ]
                }
                """);
    }

    @Test
    void membersThatAgreeAreListedOnce() throws IOException {
        start(request -> Response.newBuilder().addNodes(members("a", "a", "b")).addNodes(members("b", "a", "b")));
        Result result = run("members");
        assertThat(result.out).isEqualTo("""
                2 members
                NAME  ID  ADDRESS    GATE  SESSIONS  UP    BEHIND  SEEN BY
                a      7  192.0.2.7  open       100  50 s  -       a b
                b      7  192.0.2.7  open       100  50 s  -       a b
                """);
        assertThat(result.exitCode).isEqualTo(0);
    }

    @Test
    void aMemberThatDoesNotKeepUpIsBehind() throws IOException {
        NodeAnswer.Builder late = members("a", "a", "b").toBuilder();
        late.getMembersBuilder().getMembersBuilder(1).setBehindBatches(3_120).setBehindMs(1_400);
        start(request -> Response.newBuilder().addNodes(late).addNodes(members("b", "a", "b")));
        assertThat(run("members").out).isEqualTo("""
                2 members
                NAME  ID  ADDRESS    GATE  SESSIONS  UP    BEHIND             SEEN BY
                a      7  192.0.2.7  open       100  50 s  -                  a b
                b      7  192.0.2.7  open       100  50 s  1 s, 3120 batches  a b
                """);
    }

    @Test
    void membersThatDisagreeAreAProblem() throws IOException {
        start(request -> Response.newBuilder().addNodes(members("a", "a", "b")).addNodes(members("b", "b")));
        Result result = run("members");
        assertThat(result.out).startsWith("2 members, and they do not agree who is in the cluster\n");
        assertThat(result.err).isEqualTo("""
                ambo: a sees a and b
                ambo: b sees b
                ambo: the cluster is split, or just changing (check the sync link: ping the other's bind-address)
                """);
        assertThat(result.exitCode).isEqualTo(1);
    }

    @Test
    void sessionsAreListedWithTheNodesThatHaveThem() throws IOException {
        start(request -> Response.newBuilder().setPage(SessionPage.newBuilder()
                .addSessions(session("10.0.0.7", 51_022, "203.0.113.10", 443).addNodes("a").addNodes("b"))
                .addSessions(session("2001:db8::7", 51_023, "2001:db8:1::1", 443).addNodes("a"))));
        Result result = run("sessions", "list");
        assertThat(result.out).isEqualTo("""
                PROTO  SOURCE               DESTINATION          STATE        RULE  OWNER  IDLE   EXPIRES  NODES
                tcp    10.0.0.7:51022       203.0.113.10:443     established  web   a       3 s  1 h 59 m  a b
                tcp    [2001:db8::7]:51023  [2001:db8:1::1]:443  established  web   a       3 s  1 h 59 m  a
                """);
        environment.remove("COLUMNS");
        assertThat(run("sessions", "list").out)
                .startsWith("PROTO  SOURCE               DESTINATION          STATE        RULE  IDLE  NODES\n");
    }

    @Test
    void pagesAreFetchedUntilTheLimit() throws IOException {
        start(request -> Response.newBuilder()
                .setPage(SessionPage.newBuilder().addSessions(session("10.0.0.7", 1, "10.0.0.8", 2).addNodes("a"))
                        .addSessions(session("10.0.0.7", 3, "10.0.0.8", 4).addNodes("a"))
                        .setNextPageToken(ByteString.copyFromUtf8("more"))));
        Result result = run("sessions", "list", "--limit", "5");
        assertThat(result.out).endsWith("these are the first 5 sessions, there are more: --limit 0 shows all\n");
        assertThat(result.out.lines()).hasSize(1 + 5 + 1);
        assertThat(node().asked).hasSize(3);
        assertThat(node().asked.get(0).getSessionList().getPageToken().isEmpty()).isTrue();
        assertThat(node().asked.get(1).getSessionList().getPageToken().toStringUtf8()).isEqualTo("more");
        assertThat(node().asked.get(2).getSessionList().getLimit()).isEqualTo(1);
    }

    @Test
    void sessionsAreListedAsJsonLineByLine() throws IOException {
        start(request -> Response.newBuilder().addNodes(silent("b"))
                .setPage(SessionPage.newBuilder().addSessions(session("10.0.0.7", 51_022, "203.0.113.10", 443).addNodes("a"))));
        Result result = run("sessions", "list", "--json");
        assertThat(result.out).startsWith("{\"sessions\": [\n  {\"protocol\": \"tcp\", \"source\": \"10.0.0.7\", \"source_port\": 51022, ")
                .contains("\"seq_end\": 4294967295, ")
                .contains("\"nodes\": [\"a\"]}\n], \"complete\": false, \"unanswered\": [{\"node\": \"b\"");
        assertThat(result.exitCode).isEqualTo(4);
    }

    @Test
    void filtersReachTheNode() throws IOException {
        start(request -> Response.newBuilder().setPage(SessionPage.getDefaultInstance()));
        Result result = run("sessions", "list", "--protocol", "icmp", "--source", "10.0.0.0/8", "--address", "2001:db8::1", "--port", "53",
                "--state",
                "opening,closed", "--rule", "web", "--owner", "a");
        assertThat(result.out).isEqualTo("no session\n");
        var filter = node().asked.getFirst().getSessionList().getFilter();
        assertThat(filter.getProtocol()).isEqualTo(1);
        assertThat(filter.getSource().getPrefixLength()).isEqualTo(104);
        assertThat(filter.getAddress().getPrefixLength()).isEqualTo(128);
        assertThat(filter.getStatesList()).containsExactly(SessionState.OPENING, SessionState.CLOSED);
        assertThat(filter.getPort()).isEqualTo(53);
    }

    @Test
    void oneSessionIsShownSideBySide() throws IOException {
        Session onA = session("10.0.0.7", 51_022, "203.0.113.10", 443).build();
        Session onB = onA.toBuilder().setIdleMs(9000).setExpiresInMs(7_191_000).setOriginalSeenHere(false).setReplySeenHere(true).build();
        start(request -> Response.newBuilder().addNodes(show("a", onA)).addNodes(show("b", onB)));
        Result result = run("sessions", "show", "tcp", "10.0.0.7:51022", "203.0.113.10:443");
        assertThat(result.out).isEqualTo("""
                established on a (owner) and b; idle 3 s, expires in 1 h 59 m
                tcp 10.0.0.7:51022 -> 203.0.113.10:443
                rule web, inside -> outside; both ends are reset on timeout
                opened on a, incarnation 4711/2

                               a (owner)    b
                state          established  established
                original       established  established
                  seq end      4294967295   4294967295
                  may send to  1000         1000
                  ack          -            -
                  window       64240        64240
                  scale        7            7
                  packets      10, 2.3 KiB  10, 2.3 KiB
                  seen here    yes          no
                reply          syn          syn
                  seq end      -            -
                  may send to  -            -
                  ack          5            5
                  window       0            0
                  scale        -            -
                  packets      0, 0 B       0, 0 B
                  seen here    no           yes
                fast path      -            -
                last packet    3 s ago      9 s ago
                timeout        2 h          2 h
                expires in     1 h 59 m     1 h 59 m
                """);
        assertThat(result.exitCode).isEqualTo(0);
    }

    @Test
    void aSessionThatNobodyHasIsANegativeAnswer() throws IOException {
        start(request -> Response.newBuilder()
                .addNodes(NodeAnswer.newBuilder().setNode("a").setSessionShow(SessionShow.getDefaultInstance()))
                .addNodes(NodeAnswer.newBuilder().setNode("b").setSessionShow(SessionShow.getDefaultInstance())));
        Result result = run("sessions", "show", "icmp", "10.0.0.7:4711", "203.0.113.10");
        assertThat(result.out).isEqualTo("no session icmp 10.0.0.7:4711 203.0.113.10 on a and b\n");
        assertThat(result.exitCode).isEqualTo(1);
        SessionEnds ends = node().asked.getFirst().getSessionShow().getEnds();
        assertThat(ends.getSourcePort()).isEqualTo(4711);
        assertThat(ends.getDestinationPort()).isEqualTo(4711);
        assertThat(ends.getProtocol()).isEqualTo(1);
    }

    @Test
    void icmpOfIpv6HasItsOwnNumber() throws IOException {
        start(request -> Response.newBuilder()
                .addNodes(NodeAnswer.newBuilder().setNode("a").setSessionShow(SessionShow.getDefaultInstance())));
        run("sessions", "show", "icmp", "[2001:db8::7]:9", "2001:db8::8");
        assertThat(node().asked.getFirst().getSessionShow().getEnds().getProtocol()).isEqualTo(58);
    }

    @Test
    void sessionsAreCounted() throws IOException {
        SessionCount count = SessionCount.newBuilder().setMatching(6).setTcp(3).setUdp(2).setIcmp(1).setEstablished(6).setEntries(9)
                .setCapacity(1000).build();
        start(request -> Response.newBuilder().addNodes(NodeAnswer.newBuilder().setNode("a").setSessionCount(count))
                .addNodes(NodeAnswer.newBuilder().setNode("b").setSessionCount(count)));
        assertThat(run("sessions", "count").out).isEqualTo("""
                6 on a, 6 on b
                NODE  SESSIONS  TCP  UDP  ICMP  OPENING  ESTABLISHED  CLOSING  CLOSED  ENTRIES  CAPACITY
                a            6    3    2     1        0            6        0       0        9      1000
                b            6    3    2     1        0            6        0       0        9      1000
                """);
    }

    @Test
    void countersStandSideBySideAndZerosAreLeftOut() throws IOException {
        environment.put("COLUMNS", "50");
        start(request -> Response.newBuilder().addNodes(counters("a", 3)).addNodes(counters("b", 40)));
        assertThat(run("counters").out).isEqualTo("""
                COUNTER      a   b  MEANING
                drops.stray  3  40  no session, no right to open..
                """);
        assertThat(run("metrics", "--all").out).contains("drops.park_full  0   0  ");
        assertThat(run("counters", "--json").out).contains("\"a\": {\n      \"drops.stray\": 3\n    }");
    }

    @Test
    void aReloadNamesWhatHasChanged() throws IOException {
        start(request -> reload(Reload.newBuilder().setApplied(true).addChanges("timeouts.icmp: 10s -> 20s")));
        for (List<String> command : List.of(List.of("reload"), List.of("config", "reload"))) {
            Result result = run(command.toArray(String[]::new));
            assertThat(result.out).isEqualTo("a: reloaded, 1 change\n  timeouts.icmp: 10s -> 20s\n");
            assertThat(result.exitCode).isEqualTo(0);
        }
    }

    @Test
    void aReloadThatIsRefusedSaysWhy() throws IOException {
        start(request -> reload(request.getReload().getDryRun()
                ? Reload.newBuilder().addRestartChanges("node.name: a -> b").addChanges("node.name: a -> b")
                : Reload.newBuilder().addProblems("ambo.yml:4 x: unknown key")));
        Result bad = run("reload");
        assertThat(bad.err).isEqualTo("ambo.yml:4 x: unknown key\n1 problem, nothing was changed\n");
        assertThat(bad.exitCode).isEqualTo(1);
        Result restart = run("reload", "--dry-run");
        assertThat(restart.err).isEqualTo("""
                ambo: these changes need a restart of the node, nothing was changed (one node after the other: ambo restart)
                  node.name: a -> b
                """);
        assertThat(restart.exitCode).isEqualTo(1);
    }

    @Test
    void aRestartSaysWhatGoesOnWithoutTheProcess() throws IOException {
        start(request -> Response.newBuilder().addNodes(NodeAnswer.newBuilder().setNode("a")
                .setRestart(Restart.newBuilder().setFlows(1234).setSurviveMs(600_000))));
        Result result = run("restart");
        assertThat(result.out).isEqualTo("a: restarting; 1234 flows go on in the kernel, for 10 m at most\n");
        assertThat(result.exitCode).isEqualTo(0);
        assertThat(run("restart", "--json").out).contains("\"flows\": 1234").contains("\"survive_ms\": 600000");
    }

    @Test
    void versionsOfAllNodesAreShown() throws IOException {
        start(request -> Response.newBuilder().addNodes(NodeAnswer.newBuilder().setNode("a")
                .setVersion(Version.newBuilder().setVersion("0.1.0").setJava("25.0.1").setKernel("6.1.0"))));
        assertThat(run("version").out).isEqualTo("""
                ambo of the working tree
                NODE  VERSION  JAVA    KERNEL
                a     0.1.0    25.0.1  6.1.0
                """);
    }

    @Test
    void withoutANodeTheHintSaysWhatToDo() {
        Result result = run(Map.of("AMBO_SOCKET", directory.resolve("none.sock").toString()), "status");
        assertThat(result.err).isEqualTo("ambo: no node is running here: " + directory.resolve("none.sock")
                + " does not exist (start it: systemctl start ambo; or name its socket: --socket PATH)\n");
        assertThat(result.out).isEmpty();
        assertThat(result.exitCode).isEqualTo(3);
        Result list = run(Map.of("AMBO_SOCKET", directory.resolve("none.sock").toString()), "sessions", "list", "--json");
        assertThat(list.out).isEmpty();
        assertThat(list.exitCode).isEqualTo(3);
    }

    @Test
    void theSocketOfADeadNodeIsToldFromNone() throws IOException {
        start(request -> Response.newBuilder());
        node().close();
        Result result = run("status");
        assertThat(result.err)
                .isEqualTo("ambo: no node listens on " + node().socket + ": it has stopped (start it: systemctl start ambo)\n");
        assertThat(result.exitCode).isEqualTo(3);
    }

    @Test
    void aFileThatIsNoSocketIsAProblemWithAReason() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "");
        Result result = run(Map.of(), "status", "--socket", file.toString());
        assertThat(result.exitCode).isEqualTo(3);
        assertThat(result.err).startsWith("ambo: ").contains(file.toString());
    }

    @Test
    void anErrorOfTheNodeIsShownAsItCame() throws IOException {
        start(request -> Response.newBuilder().setError(Failure.newBuilder().setMessage("not today").setRemedy("tomorrow")));
        Result result = run("status");
        assertThat(result.err).isEqualTo("ambo: the node refused: not today (tomorrow)\n");
        assertThat(result.exitCode).isEqualTo(1);
    }

    @Test
    void withoutTheNodesPartAFileCannotBeChecked() {
        Result result = run("config", "check", "ambo.yml");
        assertThat(result.err).isEqualTo("ambo: this installation lacks the node's part (run ambo from a complete installation)\n");
    }

    @Test
    void wrongUsageNamesTheHelp() {
        Result mistyped = run("statsu");
        assertThat(mistyped.exitCode).isEqualTo(2);
        assertThat(mistyped.err).contains("ambo status");
        Result missing = run("sessions", "show", "tcp");
        assertThat(missing.exitCode).isEqualTo(2);
        assertThat(missing.err).endsWith("try: ambo sessions show --help\n");
        assertThat(run("sessions").exitCode).isEqualTo(2);
        assertThat(run().exitCode).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(strings = { "sctp 10.0.0.7:1 10.0.0.8:2", "tcp 10.0.0.7 10.0.0.8:2", "tcp 10.0.0.7:1 [::1]:2",
            "tcp 10.0.0.300:1 10.0.0.8:2", "tcp 10.0.0.7:70000 10.0.0.8:2",
            "icmp 10.0.0.7 10.0.0.8" })
    void endsThatAreNoneAreWrongUsage(String arguments) {
        Result result = run(("sessions show " + arguments).split(" "));
        assertThat(result.exitCode).as(result.err).isEqualTo(2);
        assertThat(result.err).startsWith("ambo: ");
    }

    @ParameterizedTest
    @ValueSource(strings = { "", "status", "members", "sessions", "sessions list", "sessions show", "sessions count", "counters", "config",
            "config check", "config reload",
            "reload", "restart", "version" })
    void everyCommandHasHelpWithExamplesAndExitCodes(String command) {
        Result result = run(("help " + command).strip().split(" "));
        assertThat(result.exitCode).isEqualTo(0);
        assertThat(result.out).startsWith("Usage: ambo").contains("Examples:").contains("Exit code: 0");
        assertThat(result.out.lines().mapToInt(String::length).max().orElse(0)).isLessThanOrEqualTo(120);
    }

    private void start(Function<Request, Response.Builder> answers) throws IOException {
        nodes.add(new FakeNode(directory.resolve("control.sock"), answers));
    }

    private FakeNode node() { return nodes.getLast(); }

    private Result run(String... arguments) {
        if (!nodes.isEmpty()) environment.put("AMBO_SOCKET", node().socket.toString());
        return run(environment, arguments);
    }

    private static Result run(Map<String, String> environment, String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = AmboCli.run(List.of(arguments), environment, new PrintWriter(out), new PrintWriter(err));
        return new Result(exitCode, out.toString(), err.toString());
    }

    private static NodeAnswer status(String name, boolean open) {
        NodeStatus.Builder status = NodeStatus.newBuilder().setNodeId(7).setVersion("0.1.0").setUptimeMs(7_384_000).setCluster("edge")
                .setMode("sync")
                .addView("a").addView("b")
                .setGate(Gate.newBuilder().setOpen(open).setSessions(402).setExpected(1000).setReason("the table is being received"))
                .setSessions(1204)
                .setSessionCapacity(1_000_000).setForwardedPackets(88_210).setDroppedPackets(12).setConfigDigest("1234")
                .addClusterSettings(Setting.newBuilder().setKey("timeouts.icmp").setValue("10s"))
                .addInterfaces(Interface.newBuilder().setName("eth1").setZone("inside").setUp(true).setXdpMode("native").setVlan(-1))
                .addInterfaces(Interface.newBuilder().setName("eth2").setZone("outside").setUp(true).setXdpMode("native").setVlan(-1));
        if (!open) status.addWarnings("takes no traffic: the table is being received");
        return NodeAnswer.newBuilder().setNode(name).setLocal(name.equals("a")).setStatus(status).build();
    }

    private static NodeAnswer silent(String name) {
        return NodeAnswer.newBuilder().setNode(name)
                .setError(Failure.newBuilder().setCode(Failure.Code.TIMEOUT).setMessage("did not answer within 2000 ms")
                        .setRemedy("run ambo status on that node; ask for longer with --timeout"))
                .build();
    }

    private static NodeAnswer members(String name, String... seen) {
        Members.Builder members = Members.newBuilder().setViewId(3).setGate(Gate.newBuilder().setOpen(true)).setSessions(100)
                .setUptimeMs(50_000);
        for (String each : seen) members.addMembers(Member.newBuilder().setName(each).setNodeId(7).setAddress("192.0.2.7"));
        return NodeAnswer.newBuilder().setNode(name).setMembers(members).build();
    }

    private static NodeAnswer show(String name, Session session) {
        return NodeAnswer.newBuilder().setNode(name).setSessionShow(SessionShow.newBuilder().setSession(session)).build();
    }

    private static NodeAnswer counters(String name, long strays) {
        return NodeAnswer.newBuilder().setNode(name).setCounters(Counters.newBuilder()
                .addCounters(Counter.newBuilder().setGroup("drops").setName("stray").setValue(strays)
                        .setHelp("no session, no right to open one, and no delta"))
                .addCounters(Counter.newBuilder().setGroup("drops").setName("park_full").setHelp("a stray that found the parking full")))
                .build();
    }

    private static Response.Builder reload(Reload.Builder reload) {
        return Response.newBuilder().addNodes(NodeAnswer.newBuilder().setNode("a").setReload(reload));
    }

    private static Session.Builder session(String source, int sourcePort, String destination, int destinationPort) {
        return Session.newBuilder().setEnds(SessionEnds.newBuilder().setProtocol(6).setSource(bytes(source)).setSourcePort(sourcePort)
                .setDestination(bytes(destination)).setDestinationPort(destinationPort)).setState(SessionState.ESTABLISHED).setRule("web")
                .setFromZone("inside")
                .setToZone("outside").setOwner("a").setCreator("a").setCreated(4711).setEpoch(2).setTimeoutMs(7_200_000).setIdleMs(3000)
                .setExpiresInMs(7_197_000).setResetOnTimeout(true).setOriginalSeenHere(true)
                .setOriginal(
                        Half.newBuilder().setState(Half.State.ESTABLISHED).setSeqEnd(-1).setMaxEnd(1000).setMaxWindow(64_240).setScale(7))
                .setReply(Half.newBuilder().setState(Half.State.SYN).setAck(5))
                .setOriginalTraffic(Traffic.newBuilder().setPackets(10).setBytes(2345));
    }

    private static ByteString bytes(String address) {
        return ByteString.copyFrom(Objects.requireNonNull(IpAddress.parse(address)).toBytes());
    }
}
