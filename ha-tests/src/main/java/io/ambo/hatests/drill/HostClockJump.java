package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.NetStat;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Conversations;
import io.ambo.hatests.traffic.EchoServer;
import io.ambo.hatests.traffic.Frames;
import io.ambo.hatests.traffic.Ping;
import io.ambo.hatests.traffic.Requests;
import io.ambo.proto.control.Event;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.SessionFilter;
import io.ambo.proto.control.SessionState;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The wall clock of a host jumps by an hour, forwards and backwards, under live sessions. */
final class HostClockJump implements Drill {
    private static final int TALK_PORT = 7050, ECHO_PORT = 7051, CONNECTIONS = 20, CHUNK_BYTES = 256, TALK_MS = 50, SESSIONS = 200,
            NEW_CONNECTIONS = 100, AT_ONCE = 4, LIMIT_MS = 10_000, FIRST_PORT = 9_200, FIRST_DATAGRAM_PORT = 9_300;
    private static final long HOUR_MS = 3_600_000, NEAR_MS = 60_000;
    /** Every session has been looked at twice by then. */
    private static final long SETTLE_MS = 1_000;

    /** Which clock jumps by how much, and what it is off by then. */
    private record Jump(String node, long byMs, long offsetMs) {
        String text() { return node + "'s clock jumps by " + (byMs > 0 ? "+" : "-") + "1 h"; }
    }

    /** What makes two copies of a session the same life of it. */
    private record Incarnation(String creator, long created, int epoch) {
        static Incarnation of(Session session) { return new Incarnation(session.getCreator(), session.getCreated(), session.getEpoch()); }
    }

    @Override
    public String name() { return "host-clock-jump"; }

    @Override
    public String shows() {
        return "a node's wall clock jumps by +1 h, the other's by -1 h (--full: and back): no session is lost, ends before its time or after it, or comes back; later lives of a session"
                + " come after earlier ones on both nodes; no handshake loses a packet";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(SyncFaults.POLICY, SyncFaults.SHAPE);
        lab.asymmetric();
        NetStat client = NetStat.of(lab.client());
        NetStat server = NetStat.of(lab.server());
        InetSocketAddress echo = new InetSocketAddress(Addresses.of(Addresses.SERVER), ECHO_PORT);
        run.progress("opening connections and sessions, out through a, back through b");
        try (EchoServer _ = new EchoServer(lab.server(), ECHO_PORT);
                Conversations live = new Conversations(lab, TALK_PORT, CONNECTIONS, CHUNK_BYTES, TALK_MS)) {
            run.checkEqual("connections that talk both ways before", live.awaitProgress(LIMIT_MS), live.size());
            Requests.udp(lab.client(), echo, SESSIONS, AT_ONCE);
            Tables.checkEqual(run, lab.a(), "before", 5_000);
            Map<SessionEnds, Incarnation> standing = datagramSessions(lab.a());
            List<Jump> jumps = new ArrayList<>(List.of(new Jump("a", HOUR_MS, HOUR_MS), new Jump("b", -HOUR_MS, -HOUR_MS)));
            if (run.isFull()) jumps.addAll(List.of(new Jump("a", -HOUR_MS, 0), new Jump("b", HOUR_MS, 0)));
            int port = FIRST_PORT;
            int datagramPort = FIRST_DATAGRAM_PORT;
            for (Jump jump : jumps) {
                LabNode jumping = jump.node.equals("a") ? lab.a() : lab.b();
                LabNode other = jump.node.equals("a") ? lab.b() : lab.a();
                run.progress(jump.text());
                lab.symmetric(jumping);
                long before = newestCreated(lab, echo, datagramPort++, jumping);
                Incarnation first = life(lab, echo, port);
                Ping.of(lab.client(), Addresses.SERVER, 1);
                jumping.offsetClock(jump.offsetMs);
                checkClock(run, jumping, jump, before, newestCreated(lab, echo, datagramPort++, jumping));
                checkEchoSessionIsThere(run, lab, jump);
                checkClosed(run, lab, port, jump);
                lab.symmetric(other);
                checkOrder(run, lab, echo, port++, first, jump);
                lab.asymmetric();
                Requests.Outcome fresh = Requests.tcp(lab.client(), echo, NEW_CONNECTIONS, AT_ONCE);
                run.check("no new connection fails after " + jump.text(), fresh.failures().isEmpty() && fresh.done() == NEW_CONNECTIONS,
                        fresh.done() + " done, failed: " + fresh.failures());
                checkEchoSessionEnds(run, lab, jump);
                Pause.ms(SETTLE_MS);
                for (LabNode node : lab.nodes()) {
                    Map<SessionEnds, Incarnation> now = datagramSessions(node);
                    long changed = standing.entrySet().stream().filter(each -> !each.getValue().equals(now.get(each.getKey()))).count();
                    run.checkEqual("sessions of " + standing.size() + " that " + node.name() + " has lost, or has in another life, after "
                            + jump.text(), changed, 0);
                }
                run.checkEqual("connections that talk after " + jump.text(), live.awaitProgress(LIMIT_MS), live.size());
            }
            Tables.checkEqual(run, lab.a(), "after all jumps", 5_000);
            run.checkEqual("SYNs sent again", NetStat.of(lab.client()).since(client, "TcpExt.TCPSynRetrans"), 0);
            run.checkEqual("SYN-ACKs sent again", NetStat.of(lab.server()).since(server, "TcpExt.TCPSynRetrans"), 0);
            run.checkEqual("connections whose every byte arrived in order at both ends", live.finish(LIMIT_MS), live.size());
            run.check("no connection met with an error", live.failures().isEmpty(), live.failures().toString());
        } finally {
            for (LabNode node : lab.nodes()) node.offsetClock(0);
        }
    }

    /** The JVM itself must have seen the jump, and what it creates must come after what it has created. */
    private static void checkClock(DrillRun run, LabNode node, Jump jump, long before, long created) {
        run.check("the next session of " + node.name() + " comes after all before it, after " + jump.text(),
                Long.compareUnsigned(created, before) > 0,
                created + " after " + before);
        // It says so in its own words: with the time of its next event. (The same event within a minute is one.)
        if (jump.offsetMs == 0) return;
        node.control().reload();
        Event said = node.control().events().getLast();
        long offMs = said.getWallMs() - System.currentTimeMillis();
        run.check(node.name() + "'s JVM has seen it: " + jump.text(), Math.abs(offMs - jump.offsetMs) < NEAR_MS,
                said.getText() + ": " + offMs / 1_000 + " s off the host's");
    }

    private static void checkEchoSessionIsThere(DrillRun run, Lab lab, Jump jump) {
        for (LabNode node : lab.nodes())
            run.check("a session of " + SyncFaults.ICMP_SECONDS + " s has not ended at once on " + node.name() + ", after " + jump.text(),
                    node.control().count().getIcmp() == 1, node.control().count().getIcmp() + " there");
    }

    private static void checkEchoSessionEnds(DrillRun run, Lab lab, Jump jump) {
        boolean ended = DrillRun.await(SyncFaults.ICMP_SECONDS * 1_000L + 3_000,
                () -> lab.nodes().stream().allMatch(node -> node.control().count().getIcmp() == 0));
        run.check("and ends in its time on both, after " + jump.text(), ended,
                lab.a().control().count().getIcmp() + " and " + lab.b().control().count().getIcmp() + " there");
    }

    private static void checkClosed(DrillRun run, Lab lab, int port, Jump jump) {
        for (LabNode node : lab.nodes()) {
            List<Session> open = sessions(node, port, SessionState.OPENING, SessionState.ESTABLISHED, SessionState.CLOSING);
            run.check("a session that is closed has not come back on " + node.name() + ", after " + jump.text(), open.isEmpty(),
                    open.size() + " there");
        }
    }

    private static void checkOrder(DrillRun run, Lab lab, InetSocketAddress echo, int port, Incarnation first, Jump jump) {
        connect(lab, echo, port);
        DrillRun.await(2_000, () -> lab.nodes().stream().noneMatch(node -> newest(node, port).equals(first)));
        Incarnation second = newest(lab.a(), port);
        run.check("the second life of a connection comes after its first, after " + jump.text(),
                second.epoch > first.epoch || second.epoch == first.epoch && Long.compareUnsigned(second.created, first.created) > 0,
                first + ", " + second);
        boolean same = DrillRun.await(2_000, () -> lab.nodes().stream().allMatch(node -> second.equals(newest(node, port))));
        run.check("and is the one that both nodes have, after " + jump.text(), same, newest(lab.a(), port) + ", " + newest(lab.b(), port));
    }

    /** A connection from this port that is reset by its client, once it is over on both nodes. */
    private static Incarnation life(Lab lab, InetSocketAddress echo, int port) {
        connect(lab, echo, port);
        DrillRun.await(5_000, () -> lab.nodes().stream().allMatch(node -> isClosed(node, port)));
        return newest(lab.a(), port);
    }

    private static void connect(Lab lab, InetSocketAddress echo, int port) {
        lab.client().call(() -> {
            try (Socket socket = new Socket()) {
                socket.setReuseAddress(true);
                socket.bind(new InetSocketAddress(Addresses.of(Addresses.CLIENT), port));
                socket.connect(echo, LIMIT_MS);
                socket.getOutputStream().write(new byte[EchoServer.REQUEST_SIZE]);
                socket.getInputStream().readNBytes(EchoServer.ANSWER_SIZE);
                socket.setSoLinger(true, 0);
            }
            return null;
        });
    }

    private static boolean isClosed(LabNode node, int port) { return !sessions(node, port, SessionState.CLOSED).isEmpty(); }

    private static Incarnation newest(LabNode node, int port) {
        return sessions(node, port, SessionState.OPENING, SessionState.ESTABLISHED, SessionState.CLOSING, SessionState.CLOSED).stream()
                .map(Incarnation::of).findFirst().orElse(new Incarnation("nobody", 0, 0));
    }

    private static List<Session> sessions(LabNode node, int port, SessionState... states) {
        return node.control()
                .sessions(SessionFilter.newBuilder().setProtocol(Frames.TCP).setSourcePort(port).addAllStates(List.of(states)).build());
    }

    /** Creation time of the newest session this node has made, after it has been given one more: from a port that no client is given by chance, so that no session has it yet. */
    private static long newestCreated(Lab lab, InetSocketAddress echo, int port, LabNode node) {
        Requests.Outcome outcome = Requests.udpFrom(lab.client(), port, echo);
        if (outcome.done() != 1) throw new LabException("no answer to a datagram from port " + port + ": " + outcome.failures());
        return node.control().sessions(SessionFilter.newBuilder().setProtocol(Frames.UDP).build()).stream()
                .filter(session -> session.getCreator().equals(node.name())).mapToLong(Session::getCreated).reduce(0,
                        (one, other) -> Long.compareUnsigned(one, other) > 0 ? one : other);
    }

    private static Map<SessionEnds, Incarnation> datagramSessions(LabNode node) {
        Map<SessionEnds, Incarnation> sessions = new HashMap<>();
        node.control().forEachSession(SessionFilter.newBuilder().setProtocol(Frames.UDP).build(),
                session -> sessions.put(session.getEnds(), Incarnation.of(session)));
        return sessions;
    }
}
