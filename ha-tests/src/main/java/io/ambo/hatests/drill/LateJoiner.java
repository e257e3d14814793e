package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.lab.Policy;
import io.ambo.hatests.sys.PacketSocket;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.FrameCounter;
import io.ambo.hatests.traffic.Frames;
import io.ambo.proto.control.NodeStatus;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.SessionFilter;
import java.net.InetAddress;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A node joins a cluster that is full of sessions, while packets for it arrive already. */
final class LateJoiner implements Drill {
    private static final int SESSIONS = 100_000, SOURCE_PORTS = 1_000, FIRST_SOURCE_PORT = 20_000, FIRST_DESTINATION_PORT = 30_000;
    private static final int BATCH = 1_000, FRAMES_PER_MS = 20;

    @Override
    public String name() { return "late-joiner"; }

    @Override
    public String shows() { return "100,000 sessions on a, then b joins: b's table is equal to a's before b forwards its first packet"; }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.lab(Policy.OPEN.with("""
                timeouts:
                  udp: { single: 30m, multiple: 30m }
                limits:
                  sessions: 300000
                  sessions-per-source: 0
                """));
        lab.symmetric(lab.a());
        run.progress("starting a");
        lab.a().start();
        lab.a().awaitReady();
        int count = run.scaled(SESSIONS);
        fill(run, lab, count);
        run.checkEqual("sessions on a", lab.a().control().count().getUdp(), count);

        join(run, lab);
        compare(run, lab, count);
    }

    /** One datagram makes a session; nobody at the server listens, and the server is told not to complain. */
    private static void fill(DrillRun run, Lab lab, int count) {
        lab.server().run("nft", "add table inet drill { chain quiet { type filter hook input priority 0; udp dport >= 30000 drop; }; }");
        long fromMac = lab.client().macOf("eth0");
        long toMac = lab.a().host().macOf("left");
        try (PacketSocket wire = lab.client().call(() -> PacketSocket.sender("eth0"))) {
            // What got lost on the way (a full queue, say) is sent again.
            for (int attempt = 1; attempt <= 5; attempt++) {
                run.progress("a packet for each of " + count + " sessions, through a");
                List<byte[]> batch = new ArrayList<>(BATCH);
                for (int i = 0; i < count; i++) {
                    batch.add(datagram(fromMac, toMac, i));
                    if (batch.size() < BATCH && i < count - 1) continue;
                    wire.send(batch);
                    Pause.ms(batch.size() / FRAMES_PER_MS);
                    batch.clear();
                }
                if (DrillRun.await(2_000, () -> lab.a().control().count().getUdp() >= count)) return;
            }
        }
    }

    private static byte[] datagram(long fromMac, long toMac, int session) {
        int sourcePort = FIRST_SOURCE_PORT + session % SOURCE_PORTS;
        int destinationPort = FIRST_DESTINATION_PORT + session / SOURCE_PORTS;
        boolean v4 = session % 2 == 0;
        InetAddress source = Addresses.of(v4 ? Addresses.CLIENT : Addresses.CLIENT6);
        InetAddress destination = Addresses.of(v4 ? Addresses.SERVER : Addresses.SERVER6);
        return Frames.udp(new Frames.Ends(fromMac, toMac, source, sourcePort, destination, destinationPort), new byte[18]);
    }

    /** Starts b, knocks at it all the time, and watches that nothing passes while its gate is closed. */
    private static void join(DrillRun run, Lab lab) {
        run.progress("starting b, and sending it packets of those sessions from now on");
        long closedAnswers = 0;
        long leaked = 0;
        String lastReason = "";
        byte[] knock = datagram(lab.client().macOf("eth0"), lab.b().host().macOf("left"), 0);
        InetAddress client = Addresses.of(Addresses.CLIENT);
        try (FrameCounter atServer = new FrameCounter(lab.server(), "eth0", frame -> FrameCounter.isFrom(frame, client));
                PacketSocket wire = lab.client().call(() -> PacketSocket.sender("eth0"))) {
            long beganNs = System.nanoTime();
            lab.b().start();
            while (true) {
                wire.send(List.of(knock));
                Pause.ms(2);
                if (!lab.b().isRunning()) throw new LabException("b ended while it joined:\n" + lab.b().tail());
                if (System.nanoTime() - beganNs > 60_000_000_000L)
                    throw new LabException("b is not in sync after 60 s: " + lastReason + "\n" + lab.b().tail());
                if (!Files.exists(lab.b().controlSocket())) continue;
                // Counted before the question: a closed gate in the answer was closed then, too.
                long passed = atServer.count();
                NodeStatus status;
                try {
                    status = lab.b().status();
                } catch (LabException notYet) {
                    continue;
                }
                if (status.getGate().getOpen() && status.getViewCount() == 2) break;
                closedAnswers++;
                leaked = Math.max(leaked, passed);
                lastReason = status.getGate().getReason() + " (" + status.getGate().getSessions() + " of " + status.getGate().getExpected()
                        + ")";
            }
            run.figure("b takes traffic after its start by", (System.nanoTime() - beganNs) / 1e6, "ms");
            run.check("no packet passed b while its gate was closed", leaked == 0,
                    leaked + " passed, " + closedAnswers + " answers with the gate closed, the last: " + lastReason);
            boolean passes = DrillRun.await(2_000, () -> {
                wire.send(List.of(knock));
                return atServer.count() > 0;
            });
            run.check("packets of a's sessions pass b once the gate is open", passes, atServer.count() + " passed");
        }
    }

    private static void compare(DrillRun run, Lab lab, int count) {
        run.progress("comparing the tables session by session");
        Map<SessionEnds, Session> onA = table(lab.a());
        Map<SessionEnds, Session> onB = table(lab.b());
        run.checkEqual("sessions on a, listed", onA.size(), count);
        run.checkEqual("sessions on b, listed", onB.size(), count);
        long missing = onA.keySet().stream().filter(key -> !onB.containsKey(key)).count();
        long different = onA.entrySet().stream()
                .filter(entry -> onB.containsKey(entry.getKey()) && !same(entry.getValue(), onB.get(entry.getKey()))).count();
        run.checkEqual("sessions of a that b does not have", missing, 0);
        run.checkEqual("sessions that differ in incarnation, owner, state or rule", different, 0);
    }

    private static Map<SessionEnds, Session> table(LabNode node) {
        Map<SessionEnds, Session> sessions = new HashMap<>();
        node.control().forEachSession(SessionFilter.newBuilder().setProtocol(Frames.UDP).build(),
                session -> sessions.put(session.getEnds(), session));
        return sessions;
    }

    private static boolean same(Session one, Session other) {
        return one.getCreated() == other.getCreated() && one.getEpoch() == other.getEpoch() && one.getCreator().equals(other.getCreator())
                && one.getOwner().equals(other.getOwner()) && one.getState() == other.getState() && one.getRule().equals(other.getRule())
                && one.getTimeoutMs() == other.getTimeoutMs();
    }
}
