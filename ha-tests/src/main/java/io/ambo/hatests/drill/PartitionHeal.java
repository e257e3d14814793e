package io.ambo.hatests.drill;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.sys.PacketSocket;
import io.ambo.hatests.sys.Pause;
import io.ambo.hatests.traffic.Frames;
import io.ambo.proto.control.Event;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The sync link is cut, both nodes go on, each with sessions of its own and some that both open; then the link is there again. */
final class PartitionHeal implements Drill {
    private static final int ON_A = 3_000, ON_B = 2_000, ON_BOTH = 200, SOURCE_PORTS = 1_000, FIRST_SOURCE_PORT = 20_000,
            FIRST_DESTINATION_PORT = 30_000;
    private static final int BATCH = 50;
    private static final Pattern REPORT = Pattern.compile("(\\d+) sessions taken, (\\d+) given, (\\d+) clashed.*");

    @Override
    public String name() { return "partition-heal"; }

    @Override
    public String shows() {
        return "the sync link is cut: each node opens sessions, 200 of them both; 5 s after it is mended the tables are equal, and both report what joined and what clashed";
    }

    @Override
    public void run(DrillRun run) {
        Lab lab = run.runningLab(SyncFaults.POLICY, SyncFaults.SHAPE);
        long before = lab.a().control().count().getUdp();
        long newestOfA = newestEvent(lab.a());
        long newestOfB = newestEvent(lab.b());
        lab.server().run("nft", "add table inet drill { chain quiet { type filter hook input priority 0; udp dport >= 30000 drop; }; }");
        run.progress("cutting the sync link");
        long cutNs = System.nanoTime();
        lab.cutSync();
        boolean split = DrillRun.await(10_000, () -> members(lab.a()) == 1 && members(lab.b()) == 1);
        run.figure("both nodes know of the cut after", (System.nanoTime() - cutNs) / 1e6, "ms");
        run.check("both nodes notice the cut", split, lab.a().status().getViewList() + " and " + lab.b().status().getViewList());
        run.check("both take traffic all the while", lab.a().status().getGate().getOpen() && lab.b().status().getGate().getOpen(), "gates");
        run.progress("opening sessions on both sides");
        fill(run, lab, lab.a(), 0, ON_A);
        fill(run, lab, lab.b(), ON_A, ON_A + ON_B);
        for (LabNode node : lab.nodes()) fill(run, lab, node, ON_A + ON_B, ON_A + ON_B + ON_BOTH);
        run.checkEqual("new sessions on a before", lab.a().control().count().getUdp() - before, ON_A + ON_BOTH);
        run.checkEqual("new sessions on b before", lab.b().control().count().getUdp() - before, ON_B + ON_BOTH);

        run.progress("mending the sync link");
        long mendedNs = System.nanoTime();
        lab.mendSync();
        boolean met = DrillRun.await(10_000, () -> members(lab.a()) == 2 && members(lab.b()) == 2);
        run.figure("both nodes have met again after", (System.nanoTime() - mendedNs) / 1e6, "ms");
        run.check("both nodes meet again", met, lab.a().status().getViewList() + " and " + lab.b().status().getViewList());
        Tables.checkEqual(run, lab.a(), "after they have met", 5_000);
        for (LabNode node : lab.nodes())
            run.checkEqual("new sessions on " + node.name() + " after", node.control().count().getUdp() - before, ON_A + ON_B + ON_BOTH);
        report(run, lab.a(), newestOfA, ON_B, ON_A);
        report(run, lab.b(), newestOfB, ON_A, ON_B);
    }

    private static int members(LabNode node) { return node.status().getViewCount(); }

    private static void report(DrillRun run, LabNode node, long newest, int taken, int given) {
        DrillRun.await(2_000, () -> !merges(node, newest).isEmpty());
        String text = merges(node, newest).stream().map(Event::getText).findFirst().orElse("no event of kind merge");
        Matcher matcher = REPORT.matcher(text.substring(text.indexOf(": ") + 2));
        boolean told = matcher.matches() && Integer.parseInt(matcher.group(1)) == taken && Integer.parseInt(matcher.group(2)) == given
                && Integer.parseInt(matcher.group(3)) == ON_BOTH;
        run.check(node.name() + " reports " + taken + " sessions taken, " + given + " given, " + ON_BOTH + " clashed", told, text);
    }

    private static List<Event> merges(LabNode node, long newest) {
        return node.control().events().stream().filter(event -> event.getNumber() > newest && event.getKind().equals("merge")).toList();
    }

    private static long newestEvent(LabNode node) { return node.control().events().stream().mapToLong(Event::getNumber).max().orElse(0); }

    /** A datagram opens a session; what got lost on the way is sent again. */
    private static void fill(DrillRun run, Lab lab, LabNode node, int from, int to) {
        long fromMac = lab.client().macOf("eth0");
        long toMac = node.host().macOf("left");
        long wanted = node.control().count().getUdp() + to - from;
        try (PacketSocket wire = lab.client().call(() -> PacketSocket.sender("eth0"))) {
            for (int attempt = 1; attempt <= 5; attempt++) {
                List<byte[]> batch = new ArrayList<>(BATCH);
                for (int i = from; i < to; i++) {
                    batch.add(datagram(fromMac, toMac, i));
                    if (batch.size() < BATCH && i < to - 1) continue;
                    wire.send(batch);
                    batch.clear();
                    Pause.ms(5);
                }
                if (DrillRun.await(1_000, () -> node.control().count().getUdp() >= wanted)) return;
                run.progress("some datagrams got lost before " + node.name() + "; sending them again");
            }
        }
    }

    private static byte[] datagram(long fromMac, long toMac, int session) {
        boolean v4 = session % 2 == 0;
        InetAddress source = Addresses.of(v4 ? Addresses.CLIENT : Addresses.CLIENT6);
        InetAddress destination = Addresses.of(v4 ? Addresses.SERVER : Addresses.SERVER6);
        return Frames.udp(new Frames.Ends(fromMac, toMac, source, FIRST_SOURCE_PORT + session % SOURCE_PORTS, destination,
                FIRST_DESTINATION_PORT + session / SOURCE_PORTS), new byte[18]);
    }
}
